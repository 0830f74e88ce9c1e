using BlockRepl.Core;
using BlockRepl.Simulation.Checks;
using BlockRepl.Simulation.Disk;
using BlockRepl.Simulation.Net;
using BlockRepl.Simulation.Nodes;
using BlockRepl.Simulation.Planted;

namespace BlockRepl.Simulation;

/// <summary>
/// Two nodes, a and b, with the real core, and everything around them simulated from one seed. Nothing happens but by
/// <see cref="Step"/>; equal seeds and equal calls give equal runs.
/// </summary>
public sealed class SimCluster
{
    private PlantedBug? _plant;
    private readonly Rng _flips;

    public SimCluster(ulong seed, SimOptions options, Action<string>? traceSink = null)
    {
        Rng = new Rng(seed);
        _flips = Rng.Fork();
        Options = options;
        Trace = new Trace(Queue, traceSink);
        Network = new SimNetwork(Queue, Rng.Fork(), options.Network);
        Nodes = [CreateNode(0), CreateNode(1)];
        Content = new ContentChecker(this, options.Volumes, Nodes[0].Volumes[0].Layout.MaxCapacitySectors);
        Currency = new CurrencyTracker(this);
        Coverage = new CoverageChecker(this);
        Wire = new WireObserver(this);
    }

    public EventQueue Queue { get; } = new();

    public Rng Rng { get; }

    public SimOptions Options { get; }

    public Trace Trace { get; }

    public SimNetwork Network { get; }

    public IReadOnlyList<SimNode> Nodes { get; }

    public SimNode A => Nodes[0];

    public SimNode B => Nodes[1];

    public ContentChecker Content { get; }

    public CurrencyTracker Currency { get; }

    public CoverageChecker Coverage { get; }

    public WireObserver Wire { get; }

    /// <summary>So many payloads with a digest have a bit flipped on their way, in a million.</summary>
    public int FlipsPerMillion { get; set; }

    /// <summary>Called after each batch of a node.</summary>
    public Action<SimNode>? BatchEnded { get; set; }

    /// <summary>Both nodes have a defect from their next start on.</summary>
    public void Plant(PlantedBug bug) => _plant = bug;

    internal SimHost NewHost(SimNode node)
    {
        SimHost host = new(this, node, Rng.Fork(), Options.Resource(node.Index), _plant?.Layer ?? (static h => h));
        _plant?.Core?.Invoke(host.Core.Faults);
        return host;
    }

    public bool Step(long untilNs) => Queue.Step(untilNs);

    /// <summary>Runs for a time.</summary>
    public void RunFor(long durationNs)
    {
        long until = Queue.NowNs + durationNs;
        while (Queue.Step(until))
        {
        }
    }

    /// <summary>Runs until a condition holds; fails when it does not within a bound of virtual time.</summary>
    public void RunUntil(Func<bool> condition, string what, long withinNs = 60 * Duration.Second)
    {
        long until = Queue.NowNs + withinNs;
        while (!condition())
        {
            if (!Queue.Step(until))
            {
                throw new SimulationException($"not within {withinNs / Duration.Second} s: {what}; {Describe()}");
            }
        }
    }

    /// <summary>The states of both nodes, for a message.</summary>
    public string Describe() => string.Join("; ", Nodes.Select(n => !n.IsUp
        ? $"{n.Name} is down"
        : $"{n.Name}: " + string.Join(", ", n.Status.Select(s =>
            $"{s.Role}/{s.PeerRole} {s.Connection} {s.Disk}/{s.PeerDisk} oos {s.OutOfSyncKiB}"))
            + $" requests {n.FrontEnd.RunningCount} commands {n.CommandsRunning}"));

    /// <summary>Connected, in sync, and nothing under way on either node.</summary>
    public bool IsAtRest() => Nodes.All(n =>
        n.IsUp
        && n.FrontEnd.RunningCount == 0
        && n.CommandsRunning == 0
        && n.Volumes.All(v => v.Disks.All(d => d.RunningCount == 0))
        && n.Status.All(s => CurrencyTracker.IsWhole(n, s.Volume) && s.OutOfSyncKiB == 0));

    /// <summary>
    /// What must be true of a pair at rest: equal disks, the data that the model expects, equal generations.
    /// </summary>
    public void CheckAtRest()
    {
        for (int volume = 0; volume < Options.Volumes; volume++)
        {
            Coverage.CheckEqual(volume);
            if (!Content.Model(0, volume).IsCurrent && !Content.Model(1, volume).IsCurrent)
            {
                Content.Adopt(0, volume);
                Content.Copied(0, 1, volume);
            }

            Content.SettleDisk(0, volume);
            Content.SettleDisk(1, volume);
            CheckGenerations(volume);
        }

        Content.IsForked = false;
    }

    internal void AfterBatch(SimNode node)
    {
        if (!node.IsUp)
        {
            return;
        }

        node.Refresh();
        Currency.AfterBatch(node);
        BatchEnded?.Invoke(node);
    }

    /// <summary>A copy of a payload with one bit flipped, if this one is to be hit.</summary>
    internal byte[]? TryFlip(ReadOnlySpan<byte> payload)
    {
        if (FlipsPerMillion == 0 || !_flips.Chance(FlipsPerMillion))
        {
            return null;
        }

        byte[] copy = payload.ToArray();
        copy[_flips.Below(copy.Length)] ^= (byte)(1 << _flips.Below(8));
        Network.CountFault("flipped-bit");
        return copy;
    }

    private void CheckGenerations(int volume)
    {
        Core.Generations.UuidSet a = A.Status[volume].Uuids;
        Core.Generations.UuidSet b = B.Status[volume].Uuids;
        if (Core.Generations.UuidSet.Masked(a.Current) != Core.Generations.UuidSet.Masked(b.Current)
            || a.Bitmap != b.Bitmap)
        {
            throw new SimulationException($"at rest the generations of volume {volume} differ: a {a}, b {b}");
        }
    }

    private SimNode CreateNode(int index)
    {
        List<SimVolume> volumes = [];
        for (int number = 0; number < Options.Volumes; number++)
        {
            SimDisk data = new(Queue, Rng.Fork(), Options.DataDisk);
            SimDisk meta = Options.ExternalMetaData ? new SimDisk(Queue, Rng.Fork(), Options.MetaDisk) : data;
            SimVolume volume = new(number, data, meta, Options.Facts);
            volume.CreateMetaData();
            volumes.Add(volume);
        }

        return new SimNode(this, index, volumes);
    }
}
