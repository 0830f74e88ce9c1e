using System.Buffers.Binary;
using BlockRepl.Core;
using BlockRepl.Core.Options;
using BlockRepl.Core.Protocol;
using BlockRepl.Core.Resource;
using BlockRepl.Simulation.Runs;

namespace BlockRepl.Simulation.Planted;

/// <summary>A defect that the checkers must find.</summary>
/// <param name="Name">For the command line and the test.</param>
/// <param name="What">What is wrong with it.</param>
/// <param name="Layer">Makes the layer between core and host; null = the defect is in the core.</param>
public sealed record PlantedBug(string Name, string What, Func<ICoreHost, ICoreHost>? Layer = null)
{
    /// <summary>Makes the core itself do it wrong.</summary>
    internal Action<CoreFaults>? Core { get; init; }

    /// <summary>Tilts a run towards what the defect needs in order to show: for one that needs a rare moment.</summary>
    internal Func<RunSettings, RunSettings> Tilt { get; init; } = static settings => settings;
}

/// <summary>
/// Defects put between core and host, where each lies about the disk or changes what is sent, and defects of the core
/// that it can be told to have.
/// </summary>
public static class PlantedBugs
{
    public static IReadOnlyList<PlantedBug> All { get; } =
    [
        Bug("skip-meta-flush", "meta-data flushes are reported done and not done", h => new SkipMetaFlush(h)),
        Bug("skip-log-write", "activity-log writes are reported done and not done", h => new SkipLogWrite(h)),
        Bug("skip-data-flush", "flushes of the data area are reported done and not done", h => new SkipDataFlush(h)),
        Bug(
            "ack-before-disk",
            "writes are reported done while they are still under way",
            h => new AnswerWritesEarly(h)),
        Bug(
            "early-completion",
            "the application is answered before the peer has the write",
            h => new AnswerRequestsEarly(h)),
        Bug(
            "wrong-barrier-count",
            "barrier acks count one write too many",
            h => new RewritePacket(h, Command.BarrierAck, CountOneMore)),
        Bug(
            "wrong-uuid-bit",
            "a bit of the bitmap UUID is flipped in P_UUIDS",
            h => new RewritePacket(h, Command.Uuids, FlipUuid)),
        Bug("no-out-of-sync", "P_OUT_OF_SYNC is never sent", h => new DropPacket(h, Command.OutOfSync)),
        Bug("lost-bits", "plain bitmap packets lose their bits", h => new RewritePacket(h, Command.Bitmap, ClearBody)),
        Bug("stale-resync", "resync answers carry what was read before", h => new StaleResync(h)),
        Bug(
            "ack-names-wrong-sector",
            "write acks name the next block",
            h => new RewritePacket(h, Command.WriteAck, NextBlock)),
        Bug("skip-bitmap-write", "bitmap pages are reported written and not written", h => new SkipBitmapWrite(h)),
        Bug("leaked-buffer", "one in fifty buffers is not given back", h => new LeakBuffer(h)),
        Bug("lost-record", "writes under way are not recorded for a successor", h => new SkipRecord(h)),
        Bug("exact-record", "the record always says that it is exact", h => new ClaimExactRecord(h)),
        new("release-extent-at-ack", "an extent leaves the activity log at the ack, not at the barrier ack")
        {
            Core = f => f.ReleaseExtentAtAck = true,
            Tilt = ManyExtents,
        },
        new("complete-before-peer", "a write is answered when the own disk has it")
        {
            Core = f => f.CompleteBeforePeer = true,
            Tilt = CrashesOnASlowNetwork,
        },
        new("no-bits-on-connection-loss", "acked writes are not marked when the connection ends")
        {
            Core = f => f.SkipBitsOnConnectionLoss = true,
            Tilt = CrashesOnAFastNetwork,
        },
        new("resync-without-lock", "resync answers do not wait for writes under way")
        {
            Core = f => f.ReplyResyncWithoutLock = true,
            Tilt = SlowDisksAndCuts,
        },
    ];

    public static PlantedBug Find(string name) =>
        All.FirstOrDefault(b => b.Name == name)
        ?? throw new ArgumentException($"no defect '{name}'; there are: {string.Join(", ", All.Select(b => b.Name))}");

    private static PlantedBug Bug(string name, string what, Func<ICoreHost, ICoreHost> layer) => new(name, what, layer);

    private static RunSettings ManyExtents(RunSettings drawn) => drawn with
    {
        Options = drawn.Options with
        {
            DeviceBytes = 400 << 20,
            PeerMaxVersion = 101,
            Net = drawn.Options.Net with { Protocol = ReplicationProtocol.A, OnCongestion = OnCongestion.Block },
            Disk = drawn.Options.Disk with { ActivityLogExtents = 67, ActivityLogUpdates = true },
        },
        SkipInitialSync = true,
        HotSpots = 0,
        ReadPercent = 0,
        MaxRequestsRunning = 32,
        MeanThinkNs = 20 * Duration.Millisecond,
        NetworkWeight = 10,
    };

    private static RunSettings CrashesOnASlowNetwork(RunSettings drawn) =>
        Crashes(drawn, 2 * Duration.Millisecond, 20 * Duration.Millisecond);

    /// <summary>Acks come at once, what makes the writes durable on the peer comes when the epoch ends.</summary>
    private static RunSettings CrashesOnAFastNetwork(RunSettings drawn) =>
        Crashes(drawn, 20 * Duration.Microsecond, 100 * Duration.Microsecond);

    /// <summary>A pair works hard, and again and again one of the two loses its power.</summary>
    private static RunSettings Crashes(RunSettings drawn, long minLatencyNs, long maxLatencyNs) => drawn with
    {
        Options = drawn.Options with
        {
            MaxDiskLatencyNs = 200 * Duration.Microsecond,
            VolatileCache = true,
            Net = drawn.Options.Net with
            {
                Protocol = ReplicationProtocol.C,
                MaxEpochSizeWrites = 2048,
                ConnectIntervalSeconds = 1,
            },
            Disk = drawn.Options.Disk with { DiskFlushes = true, MetaDataFlushes = true },
            Network = drawn.Options.Network with
            {
                MinLatencyNs = minLatencyNs,
                MaxLatencyNs = maxLatencyNs,
            },
        },
        ChaosNs = 60 * Duration.Second,
        MeanActNs = 4 * Duration.Second,
        HotSpots = 0,
        ReadPercent = 20,
        FlushPercent = 0,
        MaxRequestsRunning = 32,
        MeanThinkNs = 20 * Duration.Millisecond,
        PowerLoss = true,
        CrashWeight = 20,
        NetworkWeight = 0,
        DiskFaultWeight = 0,
        AdminWeight = 0,
    };

    private static RunSettings SlowDisksAndCuts(RunSettings drawn) => drawn with
    {
        Options = drawn.Options with
        {
            MaxDiskLatencyNs = 10 * Duration.Millisecond,
            Network = drawn.Options.Network with { MaxLatencyNs = 100 * Duration.Microsecond },
        },
        HotSpots = 3,
        ReadPercent = 0,
        MaxRequestsRunning = 32,
        MeanThinkNs = 20 * Duration.Millisecond,
        NetworkWeight = 10,
        MeanActNs = 500 * Duration.Millisecond,
    };

    private static void CountOneMore(Span<byte> body) =>
        BinaryPrimitives.WriteUInt32BigEndian(body[4..], BinaryPrimitives.ReadUInt32BigEndian(body[4..]) + 1);

    private static void FlipUuid(Span<byte> body) => body[9] ^= 0x10;

    private static void ClearBody(Span<byte> body) => body.Clear();

    private static void NextBlock(Span<byte> body) =>
        BinaryPrimitives.WriteUInt64BigEndian(body, BinaryPrimitives.ReadUInt64BigEndian(body) + 8);
}
