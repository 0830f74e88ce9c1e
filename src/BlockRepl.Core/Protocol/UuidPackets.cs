using System.Buffers.Binary;
using BlockRepl.Core.Generations;

namespace BlockRepl.Core.Protocol;

/// <summary>Flags of P_UUIDS.</summary>
[Flags]
public enum UuidFlags : ulong
{
    None = 0,
    DiscardMyData = 1,
    CrashedPrimary = 2,

    /// <summary>A disk that says Negotiating is really Inconsistent.</summary>
    Inconsistent = 4,
    SkipInitialSync = 8,
}

// uuids (48): current (8) | bitmap (8) | history 1 (8) | history 2 (8) | bits set (8) | flags (8)

/// <summary>P_UUIDS: a node's data generation; not sent by a node without a disk.</summary>
/// <param name="DirtyBits">Bits set in the sender's bitmap now.</param>
public readonly record struct UuidsPacket(UuidSet Uuids, ulong DirtyBits, UuidFlags Flags) : IPacketBody
{
    public const int Size = 48;

    public static UuidsPacket Decode(ReadOnlySpan<byte> body, in Framing framing) => new(
        new UuidSet(
            BinaryPrimitives.ReadUInt64BigEndian(body),
            BinaryPrimitives.ReadUInt64BigEndian(body[8..]),
            BinaryPrimitives.ReadUInt64BigEndian(body[16..]),
            BinaryPrimitives.ReadUInt64BigEndian(body[24..])),
        BinaryPrimitives.ReadUInt64BigEndian(body[32..]),
        (UuidFlags)BinaryPrimitives.ReadUInt64BigEndian(body[40..]));

    public int EncodedSize(in Framing framing) => Size;

    public void Encode(Span<byte> destination, in Framing framing)
    {
        BinaryPrimitives.WriteUInt64BigEndian(destination, Uuids.Current);
        BinaryPrimitives.WriteUInt64BigEndian(destination[8..], Uuids.Bitmap);
        BinaryPrimitives.WriteUInt64BigEndian(destination[16..], Uuids.History1);
        BinaryPrimitives.WriteUInt64BigEndian(destination[24..], Uuids.History2);
        BinaryPrimitives.WriteUInt64BigEndian(destination[32..], DirtyBits);
        BinaryPrimitives.WriteUInt64BigEndian(destination[40..], (ulong)Flags);
    }
}

/// <summary>P_SYNC_UUID (8 bytes): the source's new bitmap UUID; starts the resync at the target.</summary>
public readonly record struct SyncUuidPacket(ulong Uuid) : IPacketBody
{
    public const int Size = 8;

    public static SyncUuidPacket Decode(ReadOnlySpan<byte> body, in Framing framing) =>
        new(BinaryPrimitives.ReadUInt64BigEndian(body));

    public int EncodedSize(in Framing framing) => Size;

    public void Encode(Span<byte> destination, in Framing framing) =>
        BinaryPrimitives.WriteUInt64BigEndian(destination, Uuid);
}
