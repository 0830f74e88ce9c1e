using System.Diagnostics;
using System.Globalization;
using BlockRepl.Nodes;
using Xunit;

namespace BlockRepl.Interop.Tests;

/// <summary>
/// One script: two nodes with empty disks and a configuration, what happens between them recorded from the first packet
/// on. At its end the record and both logs are read; if anything is wrong, they are kept.
/// </summary>
internal sealed class Scenario : IDisposable
{
    private static readonly string[] UnusualPackets =
    [
        "malformed", "P_NEG_ACK", "P_NEG_DREPLY", "P_NEG_RS_DREPLY", "P_SUPERSEDED", "P_RETRY_WRITE", "P_WSAME",
        "P_DELAY_PROBE",
    ];

    private static readonly string[] SignsOfTrouble =
        ["BUG", "WARNING:", "ASSERT", "Digest", "ProtocolError", "nknown packet", "LOGIC"];

    private static readonly string[] Evidence = ["capture.pcap", "drbd.conf", "blockrepl/log"];

    private const int LargeRecord = 64 << 20;

    private readonly Bench _bench;
    private readonly HashSet<string> _allowed = [];
    private readonly HashSet<string> _expected = [];
    private readonly List<string> _knownFaults = [];
    private readonly Dictionary<string, int> _packets = [];
    private readonly List<string> _story = [];
    private readonly Stopwatch _clock = Stopwatch.StartNew();
    private long _consoleStart;
    private int _seed = 100;
    private Capture? _capture;

    private Scenario(Bench bench, Side primary, Configuration configuration)
    {
        _bench = bench;
        Configuration = configuration;
        BlockRepl = bench.BlockRepl;
        Kernel = bench.Kernel;
        (Primary, Secondary) = primary == Side.BlockRepl ? (BlockRepl, (Host)Kernel) : (Kernel, BlockRepl);
    }

    /// <summary>The node that is Primary now; it is the script that says so.</summary>
    public Host Primary { get; private set; }

    public Host Secondary { get; private set; }

    /// <summary>Our daemon, or a second kernel in its place.</summary>
    public Host BlockRepl { get; }

    public KernelHost Kernel { get; }

    public NetworkSegment Segment => _bench.Segment;

    public Configuration Configuration { get; private set; }

    /// <summary>More options of create-md.</summary>
    public string[] MetaDataOptions { get; set; } = [];

    /// <summary>Plays a script; the folder with what was kept of a failure is named in the exception.</summary>
    public static void Play(Laboratory laboratory, Side primary, Configuration configuration, Action<Scenario> script)
    {
        Bench bench = laboratory.Take();
        using var scenario = new Scenario(bench, primary, configuration);
        string name = TestContext.Current.TestMethod?.MethodName ?? "script";
        try
        {
            scenario.Prepare();
            script(scenario);
            scenario.Check();
            Record.Add("passed", scenario._clock.Elapsed);
        }
        catch (Exception e) when (!e.GetType().Name.Contains("Skip", StringComparison.Ordinal))
        {
            Record.Add("FAILED", scenario._clock.Elapsed);
            string kept = scenario.Keep($"{name}-{primary}-{configuration.Setup}", e);
            throw new InvalidOperationException($"{e.Message}\nkept in {kept}\n{scenario.Told()}", e);
        }
        finally
        {
            laboratory.Return(bench);
        }
    }

    /// <summary>Notes a step in the story that a failure shows.</summary>
    public void Note(string step) =>
        _story.Add(string.Create(CultureInfo.InvariantCulture, $"{_clock.Elapsed.TotalSeconds,7:F2} {step}"));

    /// <summary>Packets that otherwise would be a failure.</summary>
    public void Allow(params string[] packets) => _allowed.UnionWith(packets);

    /// <summary>Packets without which the script did not show what it should.</summary>
    public void Expect(params string[] packets) => _expected.UnionWith(packets);

    /// <summary>A fault of the kernel itself, told by a part of its message.</summary>
    public void KnowFaultOfKernel(string message) => _knownFaults.Add(message);

    /// <summary>Begins to write on the Primary.</summary>
    public Load StartLoad(LoadShape? shape = null) => Primary.StartLoad(shape ?? new LoadShape(), NextSeed());

    /// <summary>Begins to write on the Primary and waits until some writes are answered.</summary>
    public Load StartLoadAndSeeIt(LoadShape? shape = null)
    {
        Load load = StartLoad(shape);
        WaitForWrites(load);
        return load;
    }

    /// <summary>Waits until more writes are answered.</summary>
    public void WaitForWrites(Load load, int count = 40)
    {
        long target = load.Done + count;
        Poll.Until(
            () => load.Done >= target || load.HasFailed,
            $"{count} more writes",
            60,
            () => $"{load.Done} done, {Told()}");
        Note($"{load.Done} writes are answered");
    }

    /// <summary>Writes so many times on the Primary.</summary>
    public void Write(int count = 40, int largestBytes = 64 << 10) =>
        Primary.Write(new LoadShape { Count = count, LargestBytes = largestBytes }, NextSeed());

    /// <summary>The Primary becomes Secondary, then the other Primary.</summary>
    public void ExchangeRoles()
    {
        Primary.Secondary();
        TakeOver();
    }

    /// <summary>The other becomes Primary; the script now calls it so.</summary>
    public void TakeOver()
    {
        Secondary.Primary();
        (Primary, Secondary) = (Secondary, Primary);
        Note($"{Primary.Name} is Primary");
    }

    /// <summary>New meta data on both, both up, connected; nobody has good data yet.</summary>
    public void CreateAndConnect()
    {
        AtOnce(host =>
        {
            host.Do("create-md", ["--force", .. MetaDataOptions]);
            host.Up();
        });
        WaitConnected();
        Note("connected");
    }

    /// <summary>Connected and UpToDate without a sync, because both disks are known to be zero; then Primary.</summary>
    public void CreateInSync()
    {
        CreateAndConnect();
        Primary.Do("new-current-uuid", "--clear-bitmap");
        WaitInSync();
        Primary.Primary();
    }

    public Host[] Both => [Primary, Secondary];

    public void WaitConnected(int seconds = 60)
    {
        foreach (Host host in Both)
        {
            host.WaitFor(s => s.IsConnected, "connection", seconds);
        }
    }

    /// <summary>Both die at once, and come back as far as being connected.</summary>
    public void PowerLossOfBoth()
    {
        Primary.PowerOff();
        Secondary.PowerOff();
        AtOnce(host =>
        {
            host.PowerOn();
            host.Up();
        });
        WaitConnected();
    }

    public void WaitInSync(int seconds = 180)
    {
        Poll.Until(
            () => Both.All(h => h.Status().IsInSync), "both in sync", seconds,
            () => string.Join('\n', Both.Select(h => $"{h.Name}: {h.Status()}")));
        Note("in sync");
    }

    /// <summary>Waits until all that have power know that they are apart.</summary>
    public void WaitApart(int seconds = 60)
    {
        var waiting = Both.Where(h => h.HasPower).ToList();
        Poll.Until(
            () =>
            {
                foreach (Host host in waiting.Where(h => !h.Status().IsConnected).ToList())
                {
                    Note($"{host.Name} knows that the connection is gone: {host.Status()}");
                    waiting.Remove(host);
                }

                return waiting.Count == 0;
            },
            "end of the connection", seconds, () => string.Join('\n', waiting.Select(h => $"{h.Name}: {h.Status()}")));
    }

    /// <summary>Waits until neither a resync nor a verify runs; both are connected.</summary>
    public void WaitForNoResync(int seconds = 180) =>
        Poll.Until(
            () => Both.All(h => h.Status().Connection == "Connected"), "end of the resync", seconds,
            () => string.Join('\n', Both.Select(h => $"{h.Name}: {h.Status()}")));

    /// <summary>Waits until one of them has given up; neither may ever call itself connected.</summary>
    public void MustStayApart(int seconds = 60)
    {
        Poll.Until(
            () =>
            {
                HostStatus[] states = [.. Both.Select(h => h.Status())];
                Assert.DoesNotContain(states, h => h.IsConnected);
                return states.Any(h => h.Connection == "StandAlone");
            },
            "one to give up", seconds, () => string.Join('\n', Both.Select(h => $"{h.Name}: {h.Status()}")));
        Note("apart: " + string.Join(", ", Both.Select(h => $"{h.Name} {h.Status()}")));
    }

    /// <summary>As <see cref="MustBeEqual"/>, for all volumes of a resource that has two.</summary>
    public void MustBeEqualInVolumes(int count)
    {
        for (int volume = 1; volume < count; volume++)
        {
            int number = volume;
            Poll.Until(
                () => Both.All(h => h.Status(number).IsInSync), $"volume {number} in sync", 180,
                () => string.Join('\n', Both.Select(h => $"{h.Name}: {h.Status(number)}")));
            int disk = Configuration.SecondVolumeDisk!.Value;
            Assert.Empty(
                Disks.DifferentBlocks(BlockRepl.Disks.Paths[disk], Kernel.Disks.Paths[disk], DeviceBytes(number)));
        }

        MustBeEqual();
    }

    /// <summary>As <see cref="MustBeEqual"/>, for where DRBD itself counts the older generations differently.</summary>
    public void MustHoldTheSameWhenInSync()
    {
        WaitInSync();
        Assert.Equal(Primary.Generations().WithoutRoles().Current, Secondary.Generations().WithoutRoles().Current);
        MustHoldTheSame();
    }

    /// <summary>The blocks of 4 KiB in which the disks differ.</summary>
    public List<long> DifferentBlocks() => Disks.DifferentBlocks(
        BlockRepl.Disks.Paths[Configuration.OurBackingDisk ?? Configuration.BackingDisk],
        Kernel.Disks.Paths[Configuration.BackingDisk], DeviceBytes());

    /// <summary>The disks hold the same bytes, the nodes know it, and both count the same generations.</summary>
    public void MustBeEqual()
    {
        WaitInSync();
        Assert.Equal(Primary.Generations().WithoutRoles(), Secondary.Generations().WithoutRoles());
        MustHoldTheSame();
    }

    /// <summary>The disks hold the same bytes.</summary>
    public void MustHoldTheSame()
    {
        List<long> different = DifferentBlocks();
        Assert.True(
            different.Count == 0,
            $"{different.Count} blocks differ: {string.Join(' ', different.Take(20))}\n"
            + string.Join('\n', Both.Select(h => $"{h.Name}: {h.Status()}")));
        Note("disks are equal");
    }

    /// <summary>Size of the replicated device, as the kernel knows it.</summary>
    public long DeviceBytes(int volume = 0) => long.Parse(
        _bench.Guest.Run($"cat /sys/block/drbd{volume}/size").OrThrow(), CultureInfo.InvariantCulture) * 512;

    /// <summary>A configuration of its own for one node, which has no resource up.</summary>
    public void ConfigureOne(Host host, Func<Configuration, Configuration> change) =>
        host.Configure(change(Configuration).Text(BlockRepl, Kernel));

    /// <summary>Another configuration for the same disks: both down, then up with it.</summary>
    public void Reconfigure(Func<Configuration, Configuration> change)
    {
        AtOnce(host => host.Down());
        Configuration = change(Configuration);
        Configure();
        AtOnce(host => host.Up());
        WaitConnected();
    }

    /// <summary>Another configuration for what runs; the kernel's node is the first to know of it.</summary>
    public void Adjust(Func<Configuration, Configuration> change)
    {
        Configuration = change(Configuration);
        foreach (Host host in (Host[])[Kernel, BlockRepl])
        {
            host.WriteConfiguration(Configuration.Text(BlockRepl, Kernel));
            host.Do("adjust");
        }
    }

    /// <summary>
    /// Reads the record and begins another if it is large. The nodes are apart meanwhile, because a record can be read
    /// from the start of a connection only.
    /// </summary>
    public void KeepRecordSmall()
    {
        if (new FileInfo(_capture!.Path).Length < LargeRecord)
        {
            return;
        }

        Secondary.Disconnect();
        WaitApart();
        ReadRecord();
        StartRecord();
        Secondary.Connect();
        WaitInSync();
        Note("a new record begins");
    }

    public void Dispose() => _capture?.Dispose();

    private int NextSeed() => ++_seed;

    /// <summary>Does with both what takes either of them a while.</summary>
    private void AtOnce(Action<Host> action) => Parallel.ForEach(Both, action);

    private void Prepare()
    {
        Segment.Mend();
        _consoleStart = _bench.Guest.ConsoleLength;

        // A kernel that loses its peer while it is taken down uses the resource after its end: when fence-peer returns.
        Kernel.Clear();
        BlockRepl.Clear();
        if (Configuration.DisksCanFail)
        {
            (BlockRepl as BlockReplHost)?.LetDiskFail();
        }

        StartRecord();
        Configure();
        Note("both nodes run");
    }

    private void Configure()
    {
        string text = Configuration.Text(BlockRepl, Kernel);
        AtOnce(host => host.Configure(text));
    }

    /// <summary>What was said on the wire and logged must be ordinary.</summary>
    private void Check()
    {
        ReadRecord();
        string kernelLog = _bench.Guest.ConsoleSince(_consoleStart);
        string[] troubles = [.. kernelLog.Split('\n').Where(
            line => SignsOfTrouble.Any(t => line.Contains(t, StringComparison.Ordinal))
                && !_knownFaults.Any(f => line.Contains(f, StringComparison.Ordinal)))];
        Assert.True(troubles.Length == 0, "the kernel complains:\n" + string.Join('\n', troubles.Take(20)));
        Note("packets: " + string.Join(", ", _packets.OrderBy(p => p.Key).Select(p => $"{p.Key} {p.Value}")));
        IEnumerable<string> unknown = _packets.Keys.Where(p => p.StartsWith("packet ", StringComparison.Ordinal));
        foreach (string packet in unknown.Concat(UnusualPackets))
        {
            Assert.True(_allowed.Contains(packet) || !_packets.ContainsKey(packet), $"{packet} is on the wire");
        }

        foreach (string packet in _expected)
        {
            Assert.True(_packets.ContainsKey(packet), $"{packet} is not on the wire");
        }
    }

    private void StartRecord()
    {
        _capture?.Dispose();
        _capture = new Capture(Segment, Path.Combine(_bench.Folder, "capture.pcap"));
    }

    private void ReadRecord()
    {
        _capture!.Stop();
        foreach ((string packet, int count) in _capture.Packets())
        {
            _packets[packet] = _packets.GetValueOrDefault(packet) + count;
        }
    }

    private string Keep(string name, Exception cause)
    {
        _capture?.Stop();
        string folder = Path.Combine(Programs.RepositoryRoot, "artifacts", "interop", "failed", Record.FileName(name));
        Directory.CreateDirectory(folder);
        File.WriteAllText(Path.Combine(folder, "story"), Told() + "\n\n" + cause);
        File.WriteAllText(Path.Combine(folder, "kernel.log"), _bench.Guest.ConsoleSince(_consoleStart));
        foreach (string file in Evidence.Select(f => Path.Combine(_bench.Folder, f)))
        {
            if (File.Exists(file))
            {
                File.Copy(file, Path.Combine(folder, Path.GetFileName(file)), overwrite: true);
            }
        }

        return folder;
    }

    private string Told() => string.Join('\n', _story);
}
