using System.Buffers.Binary;
using BlockRepl.Core;
using BlockRepl.Core.Protocol;

namespace BlockRepl.Simulation.Planted;

/// <summary>A defect that the checkers must find.</summary>
/// <param name="Name">For the command line and the test.</param>
/// <param name="What">What is wrong with it.</param>
/// <param name="Layer">Makes the layer for a node.</param>
public sealed record PlantedBug(string Name, string What, Func<int, Func<ICoreHost, ICoreHost>> Layer);

/// <summary>Defects put between core and host: each lies about the disk or changes what is sent.</summary>
public static class PlantedBugs
{
    public static IReadOnlyList<PlantedBug> All { get; } =
    [
        Bug("skip-meta-flush", "meta-data flushes are reported done and not done", h => new SkipMetaFlush(h)),
        Bug("skip-log-write", "activity-log writes are reported done and not done", h => new SkipLogWrite(h)),
        Bug("skip-data-flush", "flushes of the data area are reported done and not done", h => new SkipDataFlush(h)),
        Bug("ack-before-disk", "writes are reported done while they are still under way", h => new AnswerWritesEarly(h)),
        Bug("early-completion", "the application is answered before the peer has the write", h => new AnswerRequestsEarly(h)),
        Bug("wrong-barrier-count", "barrier acks count one write too many", h => new RewritePacket(h, Command.BarrierAck, CountOneMore)),
        Bug("wrong-uuid-bit", "a bit of the bitmap UUID is flipped in P_UUIDS", h => new RewritePacket(h, Command.Uuids, FlipUuid)),
        Bug("no-out-of-sync", "P_OUT_OF_SYNC is never sent", h => new DropPacket(h, Command.OutOfSync)),
        Bug("lost-bits", "plain bitmap packets lose their bits", h => new RewritePacket(h, Command.Bitmap, ClearBody)),
        Bug("stale-resync", "resync answers carry what was read before", h => new StaleResync(h)),
        Bug("ack-names-wrong-sector", "write acks name the next block", h => new RewritePacket(h, Command.WriteAck, NextBlock)),
        Bug("skip-bitmap-write", "bitmap pages are reported written and not written", h => new SkipBitmapWrite(h)),
        Bug("leaked-buffer", "one in fifty buffers is not given back", h => new LeakBuffer(h)),
    ];

    public static PlantedBug Find(string name) =>
        All.FirstOrDefault(b => b.Name == name)
        ?? throw new ArgumentException($"no defect '{name}'; there are: {string.Join(", ", All.Select(b => b.Name))}");

    private static PlantedBug Bug(string name, string what, Func<ICoreHost, ICoreHost> layer) => new(name, what, _ => layer);

    private static void CountOneMore(Span<byte> body) =>
        BinaryPrimitives.WriteUInt32BigEndian(body[4..], BinaryPrimitives.ReadUInt32BigEndian(body[4..]) + 1);

    private static void FlipUuid(Span<byte> body) => body[9] ^= 0x10;

    private static void ClearBody(Span<byte> body) => body.Clear();

    private static void NextBlock(Span<byte> body) =>
        BinaryPrimitives.WriteUInt64BigEndian(body, BinaryPrimitives.ReadUInt64BigEndian(body) + 8);
}
