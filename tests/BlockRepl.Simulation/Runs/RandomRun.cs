using System.Globalization;
using BlockRepl.Core;
using BlockRepl.Core.Options;
using BlockRepl.Core.Protocol;
using BlockRepl.Core.State;
using BlockRepl.Simulation.Checks;
using BlockRepl.Simulation.Nodes;
using BlockRepl.Simulation.Planted;

namespace BlockRepl.Simulation.Runs;

/// <summary>What came of a run.</summary>
public sealed record RunReport
{
    public required ulong Seed { get; init; }

    /// <summary>Null if every checker was content.</summary>
    public SimulationException? Failure { get; init; }

    public required long Steps { get; init; }

    public required long VirtualNs { get; init; }

    public required ulong TraceHash { get; init; }

    public required long Requests { get; init; }

    /// <summary>Faults and acts by kind.</summary>
    public required IReadOnlyDictionary<string, int> Faults { get; init; }

    public required long SectorsChecked { get; init; }

    /// <summary>The last lines of the trace, only after a failure.</summary>
    public IReadOnlyList<string> Tail { get; init; } = [];
}

/// <summary>One run from one seed: set up, things go wrong, everything is healed, and all must be well.</summary>
public sealed class RandomRun
{
    private const long HealLimit = 600 * Duration.Second;
    private readonly ulong _seed;
    private readonly RunSettings _settings;
    private readonly SimCluster _cluster;
    private readonly Rng _rng;
    private readonly Operator _keeper;
    private readonly FaultInjector _faults;
    private readonly Workload _workload;
    private readonly Acts _acts;
    private long _batches;

    /// <param name="seed">Everything follows from it.</param>
    /// <param name="traceSink">Takes every line of the trace as it happens; null keeps only the last ones.</param>
    /// <param name="plant">A defect to put into the nodes; null = none.</param>
    public RandomRun(ulong seed, Action<string>? traceSink = null, PlantedBug? plant = null)
    {
        _seed = seed;
        _rng = new Rng(seed ^ 0xB10C);
        _settings = DrawMore(RunSettings.Draw(_rng), seed);
        _settings = plant?.Tilt(_settings) ?? _settings;
        _cluster = new SimCluster(seed, _settings.Options, traceSink) { BatchEnded = OnBatchEnded };
        if (plant is not null)
        {
            _cluster.Plant(plant);
        }

        _keeper = new Operator(_cluster, _rng.Fork(), _settings.TwoPrimaries);
        _faults = new FaultInjector(_cluster, _rng.Fork());
        _workload = new Workload(_cluster, _settings, _rng.Fork());
        _acts = new Acts(_cluster, _settings, _rng.Fork(), _keeper, _faults, _workload);
        Rng luck = new(seed ^ 0x57041);
        foreach (SimNode node in _cluster.Nodes)
        {
            node.HandlerExitCode = handler => handler == HandlerKind.FencePeer ? _acts.Fence(node.Peer, luck) : 0;
        }
    }

    public RunSettings Settings => _settings;

    /// <summary>
    /// Some pairs may have two Primaries: then every write waits for its place in the sequence; in half of them there
    /// are two. Some have a disk-timeout that stalls exceed, and some fencing. Drawn apart, so that a seed's run is
    /// otherwise the same.
    /// </summary>
    private static RunSettings DrawMore(RunSettings settings, ulong seed)
    {
        Rng rng = new(seed ^ 0x2B07);
        bool two = settings.Options.Net.Protocol == ReplicationProtocol.C && rng.Percent(15);
        int timeout = rng.Percent(10) ? 10 : 0;
        if (two && settings.Options.AgreedVersion >= 96 && rng.Percent(50))
        {
            settings = settings.WithTwoPrimaries();
            timeout = 0;
        }

        Rng more = new(seed ^ 0xF0212); // none of the seeds in seeds.txt gets fencing, so each shows what it showed
        bool fenced = !two && !settings.SplitBrain && more.Percent(15);
        FencingPolicy policy = settings.Options.Net.Protocol == ReplicationProtocol.A
            ? FencingPolicy.ResourceOnly
            : more.Pick(FencingPolicy.ResourceOnly, FencingPolicy.ResourceAndStonith);
        return settings with
        {
            Options = settings.Options with
            {
                Net = settings.Options.Net with { AllowTwoPrimaries = two },
                Disk = settings.Options.Disk with
                {
                    DiskTimeoutDeciseconds = timeout,
                    Fencing = fenced ? policy : FencingPolicy.DontCare,
                },
            },
        };
    }

    public RunReport Run()
    {
        SimulationException? failure = null;
        try
        {
            SetUp();
            Disturb();
            Heal();
            TakeDown();
        }
        catch (SimulationException caught)
        {
            failure = caught;
        }

        return new RunReport
        {
            Seed = _seed,
            Failure = failure,
            Steps = _cluster.Queue.Steps,
            VirtualNs = _cluster.Queue.NowNs,
            TraceHash = _cluster.Trace.Hash,
            Requests = _workload.Submitted,
            Faults = CountFaults(),
            SectorsChecked = _cluster.Content.SectorsChecked,
            Tail = failure is null ? [] : [.. _cluster.Trace.Tail()],
        };
    }

    private void SetUp()
    {
        PresetDisks();
        foreach (SimNode node in _cluster.Nodes)
        {
            node.Start();
            for (int volume = 0; volume < _settings.Options.Volumes; volume++)
            {
                Expect(node, new AdminCommand.Attach(volume, node.Volume(volume).Facts));
            }
        }

        foreach (SimNode node in _cluster.Nodes)
        {
            Expect(node, new AdminCommand.Connect(false, false));
            node.ExpectsConnection = true;
        }

        _cluster.RunUntil(
            () => _cluster.Nodes.All(n => n.Status.All(s => s.Connection == ConnectionState.Connected)),
            "both nodes connect for the first time");

        // The first P_STATEs cross; a declaration of sameness before they have arrived would be undone by them.
        _cluster.RunFor(200 * Duration.Millisecond);
        StartData();
        _keeper.Start();
    }

    private void StartData()
    {
        for (int volume = 0; volume < _settings.Options.Volumes; volume++)
        {
            if (_settings.SkipInitialSync)
            {
                Expect(_cluster.A, new AdminCommand.NewCurrentUuid(volume, true));
                int v = volume;
                _cluster.RunUntil(
                    () => _cluster.Nodes.All(n => CurrencyTracker.IsWhole(n, v)), "the first sync is skipped");
            }
        }

        Expect(_cluster.A, new AdminCommand.SetRole(true, !_settings.SkipInitialSync));
        for (int volume = 0; volume < _settings.Options.Volumes; volume++)
        {
            _cluster.Content.Adopt(0, volume);
            if (_settings.SkipInitialSync)
            {
                _cluster.Content.Copied(0, 1, volume);
            }
        }
    }

    private void PresetDisks()
    {
        if (_settings.SkipInitialSync)
        {
            return;
        }

        byte[] block = new byte[4096];
        for (int i = 0; i < _settings.PresetBlocks; i++)
        {
            SimNode node = _cluster.Nodes[i % 2];
            int volume = _rng.Below(_settings.Options.Volumes);
            ulong sector = (ulong)_rng.Between(0, (long)(_cluster.Content.Model(0, 0).Sectors / 8) - 1) * 8;
            AppWrite write = _cluster.Content.Preset(node.Index, volume, sector, 8);
            Pattern.Fill(block, write.Id, volume, sector);
            node.Volume(volume).Data.Preset((long)sector * 512, block);
        }
    }

    private void Disturb()
    {
        _cluster.FlipsPerMillion = _settings.FlipsPerMillion;
        _workload.Start();
        _acts.Start();
        _cluster.RunFor(_settings.ChaosNs);
    }

    private void Heal()
    {
        _acts.Stop();
        _workload.Stop();
        _faults.Heal();
        _keeper.Hurry();
        long hurryAgain = _cluster.Queue.NowNs + (20 * Duration.Second);
        _cluster.RunUntil(
            () =>
            {
                if (_cluster.Queue.NowNs > hurryAgain)
                {
                    hurryAgain = _cluster.Queue.NowNs + (20 * Duration.Second);
                    _keeper.Hurry();
                }

                return _cluster.IsAtRest();
            },
            "everything is well again after the faults ended",
            HealLimit);
        _cluster.RunFor(5 * Duration.Second);
        if (_cluster.IsAtRest())
        {
            _cluster.CheckAtRest();
        }
    }

    /// <summary>Both nodes are taken down in order; nothing may be left.</summary>
    private void TakeDown()
    {
        _keeper.LeaveAlone(_cluster.A, long.MaxValue / 4);
        _keeper.LeaveAlone(_cluster.B, long.MaxValue / 4);
        _keeper.HoldPromotion = true;
        _cluster.RunUntil(() => _cluster.Nodes.All(n => n.CommandsRunning == 0), "the last commands are answered");
        foreach (SimNode node in _cluster.Nodes.Where(n => _settings.TwoPrimaries && Operator.IsPrimary(n)))
        {
            Expect(node, new AdminCommand.SetRole(false, false));
        }

        foreach (SimNode node in _cluster.Nodes.OrderBy(Operator.IsPrimary))
        {
            node.ExpectsConnection = false;
            Expect(node, new AdminCommand.Down());
        }

        _cluster.RunFor(3 * Duration.Second);
        foreach (SimNode node in _cluster.Nodes)
        {
            int live = node.RunningHost.Buffers.LiveCount;
            if (live != 0)
            {
                throw new SimulationException($"node {node.Name} is down, but {live} buffers were never released");
            }

            if (node.Volumes.Any(v => v.IsOpen || v.Disks.Any(d => d.RunningCount > 0)))
            {
                throw new SimulationException($"node {node.Name} is down, but its disks are in use");
            }
        }
    }

    private void Expect(SimNode node, AdminCommand command)
    {
        CommandResult? result = null;
        node.Command(command, r => result = r);
        _cluster.RunUntil(() => result is not null, $"node {node.Name} answers {command.GetType().Name}");
        if (result is { Succeeded: false } failed)
        {
            throw new SimulationException(
                $"node {node.Name} refuses {command}: {failed.Code} {failed.Message}; {_cluster.Describe()}");
        }
    }

    /// <summary>Every now and then, whatever goes on, the disks are compared with the marks.</summary>
    private void OnBatchEnded(SimNode node)
    {
        if (++_batches % 997 == 0 && _settings.Options.Disk.ActivityLogUpdates)
        {
            for (int volume = 0; volume < _settings.Options.Volumes; volume++)
            {
                _cluster.Coverage.Check(volume, "in the middle of work");
            }
        }
    }

    private SortedDictionary<string, int> CountFaults()
    {
        SortedDictionary<string, int> counts = new(StringComparer.Ordinal);
        IEnumerable<(string Kind, int Count)> all = _cluster.Network.Faults.Select(f => (f.Key, f.Value))
            .Concat(_acts.Counts.Select(c => ("act-" + c.Key, c.Value)))
            .Concat(_faults.DiskFaultHits());
        foreach ((string kind, int count) in all)
        {
            counts[kind] = counts.GetValueOrDefault(kind) + count;
        }

        return counts;
    }

    /// <summary>The run in a line.</summary>
    public static string Describe(RunReport report)
    {
        string outcome = report.Failure is null ? "" : ": FAILED: " + report.Failure.Message;
        string seconds = (report.VirtualNs / 1e9).ToString("F1", CultureInfo.InvariantCulture);
        return $"seed {report.Seed}: {report.Steps} steps, {seconds} s, {report.Requests} requests{outcome}";
    }
}
