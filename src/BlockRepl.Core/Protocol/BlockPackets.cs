using System.Buffers.Binary;

namespace BlockRepl.Core.Protocol;

// block request (24): sector (8) | block_id (8) | size in bytes (4) | pad, garbage (4)

/// <summary>
/// P_DATA_REQUEST, P_RS_DATA_REQUEST, P_RS_THIN_REQ, P_OV_REQUEST; P_OV_REPLY and P_CSUM_RS_REQUEST with a digest
/// behind it.
/// </summary>
/// <param name="Sector">First sector of 512 bytes.</param>
/// <param name="BlockId">Opaque to the receiver, echoed in the answer; read and written in one fixed byte
/// order.</param>
/// <param name="ByteCount">Multiple of 512, above 0, at most 1 MiB: the reader refuses anything else.</param>
public readonly record struct BlockRequest(ulong Sector, ulong BlockId, int ByteCount) : IPacketBody
{
    public const int Size = 24;

    /// <summary>Kernels leave garbage here; carried only so that a packet can be written as it was read.</summary>
    public uint Pad { get; init; }

    public static BlockRequest Decode(ReadOnlySpan<byte> body, in Framing framing) => new(
        BinaryPrimitives.ReadUInt64BigEndian(body),
        BinaryPrimitives.ReadUInt64BigEndian(body[8..]),
        WireNumber.ReadSize(body[16..]))
    {
        Pad = BinaryPrimitives.ReadUInt32BigEndian(body[20..]),
    };

    public int EncodedSize(in Framing framing) => Size;

    public void Encode(Span<byte> destination, in Framing framing)
    {
        BinaryPrimitives.WriteUInt64BigEndian(destination, Sector);
        BinaryPrimitives.WriteUInt64BigEndian(destination[8..], BlockId);
        BinaryPrimitives.WriteInt32BigEndian(destination[16..], ByteCount);
        BinaryPrimitives.WriteUInt32BigEndian(destination[20..], Pad);
    }
}

// block ack (24): sector (8) | block_id (8) | size in bytes (4) | sequence number (4)

/// <summary>
/// P_RECV_ACK, P_WRITE_ACK, P_RS_WRITE_ACK, P_SUPERSEDED, P_RETRY_WRITE, P_NEG_ACK, P_NEG_DREPLY, P_NEG_RS_DREPLY,
/// P_RS_CANCEL, P_OV_RESULT, P_RS_IS_IN_SYNC.
/// </summary>
/// <param name="ByteCount">0..int.MaxValue and not checked: in P_NEG_ACK it may be meaningless.</param>
/// <param name="SequenceNumber">The sender's packet sequence number of the volume.</param>
public readonly record struct BlockAck(ulong Sector, ulong BlockId, int ByteCount, uint SequenceNumber) : IPacketBody
{
    public const int Size = 24;

    public static BlockAck Decode(ReadOnlySpan<byte> body, in Framing framing) => new(
        BinaryPrimitives.ReadUInt64BigEndian(body),
        BinaryPrimitives.ReadUInt64BigEndian(body[8..]),
        WireNumber.ReadSize(body[16..]),
        BinaryPrimitives.ReadUInt32BigEndian(body[20..]));

    public int EncodedSize(in Framing framing) => Size;

    public void Encode(Span<byte> destination, in Framing framing)
    {
        BinaryPrimitives.WriteUInt64BigEndian(destination, Sector);
        BinaryPrimitives.WriteUInt64BigEndian(destination[8..], BlockId);
        BinaryPrimitives.WriteInt32BigEndian(destination[16..], ByteCount);
        BinaryPrimitives.WriteUInt32BigEndian(destination[20..], SequenceNumber);
    }
}

// block description (16): sector (8) | size in bytes (4) | pad, garbage (4)

/// <summary>P_OUT_OF_SYNC and P_RS_DEALLOCATED: an area of at most 128 MiB, multiple of 512 bytes.</summary>
public readonly record struct BlockDescription(ulong Sector, int ByteCount) : IPacketBody
{
    public const int Size = 16;

    /// <summary>Kernels leave garbage here; carried only so that a packet can be written as it was read.</summary>
    public uint Pad { get; init; }

    public static BlockDescription Decode(ReadOnlySpan<byte> body, in Framing framing) => new(
        BinaryPrimitives.ReadUInt64BigEndian(body),
        WireNumber.ReadSize(body[8..]))
    {
        Pad = BinaryPrimitives.ReadUInt32BigEndian(body[12..]),
    };

    public int EncodedSize(in Framing framing) => Size;

    public void Encode(Span<byte> destination, in Framing framing)
    {
        BinaryPrimitives.WriteUInt64BigEndian(destination, Sector);
        BinaryPrimitives.WriteInt32BigEndian(destination[8..], ByteCount);
        BinaryPrimitives.WriteUInt32BigEndian(destination[12..], Pad);
    }
}
