using System.Diagnostics;
using System.Globalization;
using System.Runtime.InteropServices;
using System.Text.RegularExpressions;
using BlockRepl.Nodes;
using Xunit;

namespace BlockRepl.Cluster.Tests;

/// <summary>A machine of the cluster: namespaces of its own, which end with its process 1, the script node.</summary>
internal sealed partial class ClusterNode(string folder, string name, string address, string secondAddress)
    : IDisposable
{
    /// <summary>What /dev/drbd0 is a loop device on.</summary>
    public const string DeviceFile = "/run/blockrepl/fuse/r0-0";

    private Process? _process;
    private string _pid = "";

    public string Name => name;

    /// <summary>The first letters of the name, for network devices.</summary>
    public string Short => name.Split('.')[0];

    public bool IsRunning => _process is { HasExited: false };

    /// <summary>The loop devices that were its /dev/drbd0.</summary>
    public IEnumerable<string> Devices
    {
        get
        {
            string log = Path.Combine(Logs, "blockrepld");
            return File.Exists(log)
                ? File.ReadLines(log).Select(line => LoopDevice().Match(line)).Where(found => found.Success)
                    .Select(found => found.Groups[1].Value).Distinct()
                : [];
        }
    }

    private string Logs => Path.Combine(folder, name, "keep", "log");

    /// <summary>Switches it on.</summary>
    public void Boot(ClusterSwitch network)
    {
        var start = new ProcessStartInfo(
            "unshare",
            [
                "--mount", "--uts", "--ipc", "--net", "--pid", "--fork", "--kill-child",
                Path.Combine(Programs.RepositoryRoot, "tests", "BlockRepl.Cluster.Tests", "node"), folder, name,
                Programs.Tools, Path.GetDirectoryName(Programs.Daemon)!, Sbd, Box,
            ])
        {
            RedirectStandardInput = true, RedirectStandardOutput = true,
        };
        _process?.Dispose();
        _process = Process.Start(start)!;
        Assert.Equal("up", _process.StandardOutput.ReadLine());
        _pid = File.ReadAllText($"/proc/{_process.Id}/task/{_process.Id}/children").Trim();
        network.Plug(Short, _pid);
        Run("ip", "address", "add", $"{address}/24", "dev", "eth0").OrThrow();
        Run("ip", "address", "add", $"{secondAddress}/24", "dev", "eth1").OrThrow();
        Run("ip", "link", "set", "eth0", "up").OrThrow();
        Run("ip", "link", "set", "eth1", "up").OrThrow();
    }

    /// <summary>A power failure: all that runs on it is gone at once.</summary>
    public void Kill()
    {
        Tool.Run("kill", "-KILL", _pid).OrThrow();
        WaitForEnd(10);
    }

    public void WaitForEnd(int seconds) => Poll.Until(() => !IsRunning, $"{name} is off", seconds, () => Tail(30));

    /// <summary>Runs a program on the node.</summary>
    public ToolResult Run(params string[] command) => Tool.Run("nsenter", 120, [.. Entering(), .. command]);

    /// <summary>Runs a line of shell on the node.</summary>
    public ToolResult Shell(string line) => Run("bash", "-c", line);

    /// <summary>Starts a program that ends with the node, or before.</summary>
    public void Start(params string[] command) => Tool.Start("nsenter", [.. Entering(), .. command]).Dispose();

    /// <summary>The end of each of the node's logs.</summary>
    public string Tail(int lines)
    {
        return Tool.Run("bash", "-c", $"cd {Logs} && tail -n {lines} console blockrepld fencebox sbd syslog 2>&1; "
            + $"grep -hE 'error|warning|notice' pacemaker/pacemaker.log | tail -n {2 * lines}").Output;
    }

    public void Dispose()
    {
        if (IsRunning)
        {
            Kill();
        }

        _process?.Dispose();
    }

    [GeneratedRegex(@"is there \((/dev/loop\d+)\)")]
    private static partial Regex LoopDevice();

    private static string Sbd => Path.Combine(Programs.RepositoryRoot, "artifacts", "install", "bin");

    private static string Box => Path.Combine(
        Programs.RepositoryRoot, "artifacts", "native",
        RuntimeInformation.ProcessArchitecture.ToString().ToLower(CultureInfo.InvariantCulture));

    private string[] Entering() =>
    [
        "--target", _pid, "--mount", "--uts", "--ipc", "--net", "--pid", "--root", "--wd", "--",
        "env", "--unset=TMPDIR", "HOME=/root", "PATH=/usr/sbin:/usr/bin:/sbin:/bin",
    ];
}
