using System.Globalization;
using BlockRepl.Nodes;
using Xunit;

namespace BlockRepl.Cluster.Tests;

/// <summary>
/// The article's two boards, ehjb and ehjc, with its resources: a floating address, the replicated disk, a file system
/// on it, fencing through a shared disk. An application writes to the file system wherever it is mounted.
/// </summary>
internal sealed class Cluster : IDisposable
{
    private const int Patience = 240;
    private const long DiskBytes = 32 << 20;

    private static readonly (string Program, string Package)[] Needed =
    [
        ("corosync", "corosync"), ("pacemakerd", "pacemaker"), ("crm_mon", "pacemaker-cli-utils"), ("crm", "crmsh"),
        ("fence_sbd", "fence-agents"), ("fuser", "psmisc"), ("ping", "iputils-ping"), ("ip", "iproute2"),
        ("losetup", "mount"), ("mkfs.ext4", "e2fsprogs"), ("logger", "bsdutils"),
    ];

    private readonly string _folder = Path.Combine(
        Directory.Exists("/dev/shm") ? "/dev/shm" : Path.GetTempPath(), $"blockrepl-cluster-{Guid.NewGuid():N}");

    private readonly List<string> _loops = [];

    private readonly ClusterSwitch _network;
    private readonly ClusterNode[] _nodes;

    public Cluster()
    {
        RequireAll();
        _nodes =
        [
            new ClusterNode(_folder, "ehjb.rothirsch.tech", "172.30.2.11", "172.30.3.11"),
            new ClusterNode(_folder, "ehjc.rothirsch.tech", "172.30.2.12", "172.30.3.12"),
        ];
        _network = new ClusterSwitch();
    }

    /// <summary>The last number of the application that is durable, as it was told.</summary>
    public long Acknowledged
    {
        get
        {
            string path = Path.Combine(_folder, "acknowledged");
            return File.Exists(path) ? long.Parse(File.ReadAllText(path), CultureInfo.InvariantCulture) : 0;
        }
    }

    private static string SbdProgram => Path.Combine(Programs.RepositoryRoot, "artifacts", "install", "bin", "sbd");

    public void Boot(ClusterNode node) => node.Boot(_network);

    public void SetReplicationCable(ClusterNode node, bool plugged) => _network.SetCable(node.Short, 0, plugged);

    public ClusterNode Other(ClusterNode node) => _nodes.Single(other => other != node);

    /// <summary>Both nodes on, the disks made a pair, the resources configured.</summary>
    public void Start()
    {
        MakeDisks();
        foreach (ClusterNode node in _nodes)
        {
            Boot(node);
        }

        Parallel.ForEach(_nodes, node =>
        {
            WaitFor("the daemon is ready", () => node.Run("test", "-S", "/run/blockrepl/control.sock").Succeeded);
            node.Run("drbdadm", "create-md", "--force", "r0").OrThrow();
            node.Run("drbdadm", "up", "r0").OrThrow();
        });
        ClusterNode first = _nodes[0];
        first.Run("drbdadm", "primary", "r0", "--force").OrThrow();
        first.Run("mkfs.ext4", "-q", "/dev/drbd0").OrThrow();
        first.Run("blockrepl", "wait-sync", "r0").OrThrow();
        first.Run("drbdadm", "secondary", "r0").OrThrow();
        foreach (ClusterNode node in _nodes)
        {
            node.Run("drbdadm", "down", "r0").OrThrow();
        }

        WaitFor("both nodes are online", () => Status() is { } status && _nodes.All(
            node => status.OnlineNodes.Contains(node.Name)));
        string resources = Path.Combine(
            Programs.RepositoryRoot, "tests", "BlockRepl.Cluster.Tests", "Files", "cib.txt");
        File.WriteAllText(Path.Combine(_folder, "cib.txt"), Hasten(File.ReadAllText(resources)));
        first.Run("crm", "configure", "load", "update", "/run/cluster/cib.txt").OrThrow();
    }

    /// <summary>Waits until the service is there, on this node or, null, on any; returns where.</summary>
    public ClusterNode WaitForService(ClusterNode? wanted = null)
    {
        ClusterNode? active = null;
        WaitFor($"the service runs on {wanted?.Name ?? "a node"}", () =>
        {
            active = Serving();
            return active is not null && (wanted is null || active == wanted);
        });
        return active!;
    }

    /// <summary>Waits until all is as it should be: both nodes, the service, both disks; nothing is forbidden.
    /// </summary>
    public ClusterNode WaitUntilWhole(ClusterNode? wanted = null)
    {
        ClusterNode? active = null;
        WaitFor("the cluster is whole", () =>
        {
            active = Serving();
            return active is not null && (wanted is null || active == wanted)
                && Status() is { } status && _nodes.All(node => status.OnlineNodes.Contains(node.Name))
                && status.Where("drbd0", "Unpromoted") == Other(active).Name
                && status.Where("f_sbd", "Started") is not null
                && ReplicationOf(active) == "Connected Primary UpToDate UpToDate"
                && !HasFenceConstraint();
        });
        return active!;
    }

    public void WaitFor(string what, Func<bool> condition) => Poll.Until(condition, what, Patience, Describe);

    /// <summary>Connection, role and disks, as drbdsetup says.</summary>
    public static string ReplicationOf(ClusterNode node)
    {
        ToolResult result = node.Shell(
            "eval \"$(drbdsetup sh-status r0 | grep -E '^_(cstate|role|disk|pdsk)=')\"; "
            + "echo \"$_cstate $_role $_disk $_pdsk\"");
        return result.Output.Trim();
    }

    public bool HasFenceConstraint() => Running().Run(
        "cibadmin", "--query", "--xpath", "//rsc_location[starts-with(@id,'drbd-fence-by-handler')]").Succeeded;

    public void StartApplication(ClusterNode active)
    {
        long before = Acknowledged;
        active.Start(
            Path.Combine(Programs.RepositoryRoot, "tests", "BlockRepl.Cluster.Tests", "writer"),
            "/mnt/r0/log", "/run/cluster/acknowledged");
        WaitForWrites(before);
    }

    /// <summary>The application goes on writing.</summary>
    public void WaitForWrites(long since) => WaitFor("the application writes", () => Acknowledged > since + 10);

    /// <summary>What the application was told to be durable is there, in its order.</summary>
    public void CheckData(ClusterNode active)
    {
        long acknowledged = Acknowledged;
        string[] lines = active.Run("cat", "/mnt/r0/log").OrThrow().Output
            .Split('\n', StringSplitOptions.RemoveEmptyEntries);
        Assert.True(lines.Length >= acknowledged, $"{lines.Length} lines of {acknowledged} on {active.Name}");
        for (int line = 0; line < lines.Length; line++)
        {
            Assert.Equal((line + 1).ToString("D8", CultureInfo.InvariantCulture), lines[line]);
        }
    }

    public void Dispose()
    {
        foreach (ClusterNode node in _nodes)
        {
            node.Dispose();
        }

        _network.Dispose();
        string[] devices = [.. _nodes.SelectMany(node => node.Devices)];
        foreach (string loop in _loops)
        {
            Tool.Run("losetup", "--detach", loop);
        }

        if (Directory.Exists(_folder))
        {
            Directory.Delete(_folder, recursive: true);
        }

        // They are the machine's, and outlive a node that is killed; then the file behind them has no path any more.
        Poll.Until(
            () => devices.All(device => FileBehind(device) != ClusterNode.DeviceFile),
            "the nodes' namespaces are gone");
        foreach (string device in devices.Where(device => FileBehind(device) == "/"))
        {
            Tool.Run("losetup", "--detach", device);
        }
    }

    private static void RequireAll()
    {
        Assert.SkipUnless(Environment.UserName == "root", "needs root: namespaces and the cluster's daemons");
        foreach ((string program, string package) in Needed)
        {
            Assert.SkipWhen(Tool.Find(program) is null, $"needs {program} (Debian package {package})");
        }

        foreach ((string file, string package) in new[]
        {
            ("/usr/lib/ocf/resource.d/linbit/drbd", "drbd-utils"),
            ("/usr/lib/ocf/resource.d/heartbeat/Filesystem", "resource-agents"),
        })
        {
            Assert.SkipUnless(File.Exists(file), $"needs {file} (Debian package {package})");
        }

        Assert.SkipUnless(
            Tool.Run("unshare", "--mount", "--net", "--pid", "--fork", "mount", "--make-rprivate", "/").Succeeded,
            "needs the right to make namespaces");
        Assert.SkipUnless(File.Exists("/dev/loop-control"), "needs loop devices");
        Assert.SkipUnless(File.Exists("/dev/fuse"), "needs /dev/fuse: the device is made through it");
        Assert.SkipUnless(
            File.ReadAllText("/proc/filesystems").Contains("overlay", StringComparison.Ordinal),
            "needs overlayfs in the kernel: each node has a system of its own over this one");
        Assert.True(File.Exists(SbdProgram), $"{SbdProgram} is missing: run tools/build");
    }

    /// <summary>
    /// The resources with shorter delays before a node is shot. And without Pacemaker's own limit of what it does at
    /// once: the load that it sees is this machine's, not the node's.
    /// </summary>
    private static string Hasten(string resources)
    {
        const string delay = "priority-fencing-delay=15s", random = "pcmk_delay_max=5s";
        Assert.Contains(delay, resources, StringComparison.Ordinal);
        Assert.Contains(random, resources, StringComparison.Ordinal);
        return resources
            .Replace(delay, "priority-fencing-delay=2s load-threshold=1000%", StringComparison.Ordinal)
            .Replace(random, "pcmk_delay_max=1s", StringComparison.Ordinal);
    }

    private static string DiskLine(string name, string loop) =>
        $"{name} 7 {loop.AsSpan(loop.LastIndexOf("loop", StringComparison.Ordinal) + 4)}";

    private void MakeDisks()
    {
        string shared = AddLoop("sda", 1 << 20);
        Tool.Run(SbdProgram, "-d", shared, "create").OrThrow();
        foreach (ClusterNode node in _nodes)
        {
            Directory.CreateDirectory(Path.Combine(_folder, node.Name, "keep"));
            File.WriteAllLines(
                Path.Combine(_folder, node.Name, "disks"),
                [DiskLine("mmcblk0p2", AddLoop("mmcblk0p2-" + node.Short, DiskBytes)), DiskLine("sda", shared)]);
        }
    }

    private string AddLoop(string name, long bytes)
    {
        Directory.CreateDirectory(_folder);
        string path = Path.Combine(_folder, name);
        using (FileStream file = File.Create(path))
        {
            file.SetLength(bytes);
        }

        string loop = Tool.Run("losetup", "--find", "--show", "--direct-io=off", path).OrThrow().Output.Trim();
        _loops.Add(loop);
        return loop;
    }

    private static string FileBehind(string loop) =>
        Tool.Run("losetup", "--noheadings", "--output", "BACK-FILE", loop).Output.Trim();

    private ClusterNode Running() => _nodes.First(node => node.IsRunning);

    private ClusterStatus? Status() =>
        ClusterStatus.Parse(Running().Run("crm_mon", "--one-shot", "--output-as=xml").Output);

    /// <summary>The node that has all of the service.</summary>
    private ClusterNode? Serving()
    {
        if (Status() is not { } status || status.Where("drbd0", "Promoted") is not { } name
            || status.Where("drbd_fs-r0", "Started") != name || status.Where("FOIP", "Started") != name)
        {
            return null;
        }

        ClusterNode active = _nodes.Single(node => node.Name == name);
        return active.IsRunning && _network.Reaches("172.30.2.10") ? active : null;
    }

    private string Describe()
    {
        string all = _nodes.Any(node => node.IsRunning) ? Running().Run("crm_mon", "--one-shot").Everything : "";
        foreach (ClusterNode node in _nodes)
        {
            all += $"== {node.Name}: {(node.IsRunning ? ReplicationOf(node) : "off")}\n{node.Tail(25)}";
        }

        return all;
    }
}
