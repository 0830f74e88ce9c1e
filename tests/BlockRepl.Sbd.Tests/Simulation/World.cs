namespace BlockRepl.Sbd.Tests.Simulation;

/// <summary>Defects that are planted to see that the checks find them.</summary>
internal enum PlantedBug
{
    None,
    SenderDoesNotWait,
    SendFailureIgnored,
    FeederIgnoresProofs,
    OneOfThreeIsEnough,
    ServantIgnoresReset,
    ProofDatedAtItsEnd,
    FeedsTooOldProofs,
    UnhealthyIgnored,
    LeftIsMissed,
}

/// <summary>Time, chance and what happens next. Nanoseconds.</summary>
internal sealed class World(int seed, PlantedBug bug)
{
    public const long Second = 1_000_000_000;

    private readonly PriorityQueue<Action, (long Time, long Order)> _events = new();
    private long _order;

    public Random Random { get; } = new(seed);

    public PlantedBug Bug => bug;

    public long Now { get; private set; }

    public List<string> Violations { get; } = [];

    public void After(long delay, Action action) => _events.Enqueue(action, (Now + Math.Max(delay, 0), _order++));

    public void RunUntil(long end)
    {
        while (Violations.Count == 0 && _events.TryPeek(out _, out var next) && next.Time <= end)
        {
            Now = next.Time;
            _events.Dequeue()();
        }

        Now = Math.Max(Now, end);
    }

    /// <summary>What happened, for who looks for the reason of a violation.</summary>
    public List<string> Trace { get; } = [];

    public void Note(string text) => Trace.Add($"{Now / 1e9:0.000}: {text}");

    /// <summary>Uniform within the two.</summary>
    public long Between(long low, long high) => low + (long)(Random.NextDouble() * (high - low));

    public bool Chance(double probability) => Random.NextDouble() < probability;
}

/// <summary>The medium.</summary>
internal sealed class SimDisk
{
    public const int Slots = 3;

    public SimDisk(DeviceHeader header)
    {
        Sectors = [.. Enumerable.Range(0, 1 + (2 * Slots)).Select(_ => new byte[512])];
        header.WriteTo(Sectors[0]);
    }

    public byte[][] Sectors { get; }
}

/// <summary>The way from one node to one disk: it delays, stalls, fails.</summary>
internal sealed class SimPath(World world, SimDisk disk, string name)
{
    private const long IoTimeout = 3 * World.Second;

    private long _busyUntil;

    public long StalledUntil { get; set; }

    public long FailsUntil { get; set; }

    /// <summary>Most that an operation takes when all is well.</summary>
    public long Latency { get; set; } = World.Second / 50;

    /// <summary>The caller's result comes in time; the operation itself may be carried out much later.</summary>
    public void Submit(DeviceStep step, Exchange io, Action done)
    {
        var start = Math.Max(world.Now, _busyUntil);
        var end = Math.Max(start, StalledUntil) + world.Between(1000, Latency);
        _busyUntil = end;
        var fails = end < FailsUntil;
        var data = step.Kind == StepKind.Write ? io.Sector.ToArray() : null;
        var given = world.Now + IoTimeout;
        world.After(world.Between(start, end) - world.Now, () => Touch(step, fails, ref data));
        if (end > given)
        {
            world.After(IoTimeout, () =>
            {
                io.Error = SectorError.TimedOut;
                io.SlotsRead = 0;
                done();
            });
            return;
        }

        world.After(end - world.Now, () =>
        {
            io.Error = fails ? SectorError.Failed : SectorError.None;
            if (step.Kind == StepKind.Read && !fails)
            {
                data!.CopyTo(io.Sector, 0);
            }
            else if (step.Kind == StepKind.ReadSlots)
            {
                io.SlotsRead = fails ? 0 : step.Count;
                data!.CopyTo(io.Slots, 0);
            }

            done();
        });
    }

    private void Touch(DeviceStep step, bool fails, ref byte[]? data)
    {
        if (step.Kind == StepKind.Write)
        {
            world.Note($"write {name}: sector {step.Sector} {(Message)data![0]} {(fails ? "fails" : "done")}");
        }

        if (step.Kind != StepKind.Write)
        {
            data =
            [
                .. Enumerable.Range(0, step.Count)
                    .SelectMany(i => disk.Sectors[step.Sector + (i * SlotLayout.SlotStride)]),
            ];
        }
        else if (!fails)
        {
            data!.CopyTo(disk.Sectors[step.Sector], 0);
        }
    }
}
