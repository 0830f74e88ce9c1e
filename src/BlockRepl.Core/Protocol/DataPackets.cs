using System.Buffers.Binary;

namespace BlockRepl.Core.Protocol;

/// <summary>
/// dp_flags of P_DATA, P_TRIM, P_ZEROES and P_WSAME; 0 in replies. The ack bits exist from version 100 on.
/// </summary>
[Flags]
public enum DataFlags : uint
{
    None = 0,

    /// <summary>Historic; never sent.</summary>
    HardBarrier = 1,

    /// <summary>A hint: somebody waits for this write.</summary>
    Sync = 2,

    /// <summary>The sender is in a sync or verify state: the receiver may mark the blocks in sync.</summary>
    MaySetInSync = 4,

    /// <summary>Historic; neither sent nor needed.</summary>
    Unplug = 8,
    ForceUnitAccess = 16,
    Flush = 32,

    /// <summary>Always set in P_TRIM; in P_ZEROES: the space may be unmapped.</summary>
    Discard = 64,
    SendReceiveAck = 128,
    SendWriteAck = 256,
    WriteSame = 512,
    Zeroes = 1024,
}

// data header (24): sector (8) | block_id (8) | sequence number (4) | flags (4)

/// <summary>The fixed part of P_DATA, P_DATA_REPLY and P_RS_DATA_REPLY; digest and payload follow.</summary>
/// <param name="SequenceNumber">The sender's packet sequence number of the volume; 0 in replies.</param>
public readonly record struct DataHeader(
    ulong Sector, ulong BlockId, uint SequenceNumber, DataFlags Flags) : IPacketBody
{
    public const int Size = 24;

    public static DataHeader Decode(ReadOnlySpan<byte> body, in Framing framing) => new(
        BinaryPrimitives.ReadUInt64BigEndian(body),
        BinaryPrimitives.ReadUInt64BigEndian(body[8..]),
        BinaryPrimitives.ReadUInt32BigEndian(body[16..]),
        (DataFlags)BinaryPrimitives.ReadUInt32BigEndian(body[20..]));

    public int EncodedSize(in Framing framing) => Size;

    public void Encode(Span<byte> destination, in Framing framing)
    {
        BinaryPrimitives.WriteUInt64BigEndian(destination, Sector);
        BinaryPrimitives.WriteUInt64BigEndian(destination[8..], BlockId);
        BinaryPrimitives.WriteUInt32BigEndian(destination[16..], SequenceNumber);
        BinaryPrimitives.WriteUInt32BigEndian(destination[20..], (uint)Flags);
    }
}

// area (28): data header (24) | size in bytes (4)

/// <summary>P_TRIM and P_ZEROES: at most 128 MiB, multiple of 512 bytes; never a digest, never a payload.</summary>
public readonly record struct ZeroHeader(DataHeader Data, int ByteCount) : IPacketBody
{
    public const int Size = 28;

    public static ZeroHeader Decode(ReadOnlySpan<byte> body, in Framing framing) =>
        new(DataHeader.Decode(body, framing), WireNumber.ReadSize(body[24..]));

    public int EncodedSize(in Framing framing) => Size;

    public void Encode(Span<byte> destination, in Framing framing)
    {
        Data.Encode(destination, framing);
        BinaryPrimitives.WriteInt32BigEndian(destination[24..], ByteCount);
    }
}

/// <summary>P_WSAME: an area to fill with the one logical block that follows (after its digest).</summary>
public readonly record struct WriteSameHeader(DataHeader Data, int ByteCount) : IPacketBody
{
    public const int Size = 28;

    public static WriteSameHeader Decode(ReadOnlySpan<byte> body, in Framing framing) =>
        new(DataHeader.Decode(body, framing), WireNumber.ReadSize(body[24..]));

    public int EncodedSize(in Framing framing) => Size;

    public void Encode(Span<byte> destination, in Framing framing)
    {
        Data.Encode(destination, framing);
        BinaryPrimitives.WriteInt32BigEndian(destination[24..], ByteCount);
    }
}
