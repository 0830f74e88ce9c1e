using System.Buffers.Binary;

namespace BlockRepl.Core.Protocol;

// barrier (8): number (4, opaque) | zero (4)

/// <summary>P_BARRIER: ends an epoch.</summary>
/// <param name="Number">Opaque to the receiver. Read and written little endian, as x86 and ARM kernels count.</param>
public readonly record struct BarrierPacket(uint Number) : IPacketBody
{
    public const int Size = 8;

    public static BarrierPacket Decode(ReadOnlySpan<byte> body, in Framing framing) =>
        new(BinaryPrimitives.ReadUInt32LittleEndian(body));

    public int EncodedSize(in Framing framing) => Size;

    public void Encode(Span<byte> destination, in Framing framing)
    {
        BinaryPrimitives.WriteUInt32LittleEndian(destination, Number);
        BinaryPrimitives.WriteUInt32BigEndian(destination[4..], 0);
    }
}

// barrier ack (8): number (4, as it came) | writes in the epoch (4, big endian)

/// <summary>P_BARRIER_ACK: every write of the epoch has been acknowledged and is durable.</summary>
public readonly record struct BarrierAckPacket(uint Number, uint SetSize) : IPacketBody
{
    public const int Size = 8;

    public static BarrierAckPacket Decode(ReadOnlySpan<byte> body, in Framing framing) =>
        new(BinaryPrimitives.ReadUInt32LittleEndian(body), BinaryPrimitives.ReadUInt32BigEndian(body[4..]));

    public int EncodedSize(in Framing framing) => Size;

    public void Encode(Span<byte> destination, in Framing framing)
    {
        BinaryPrimitives.WriteUInt32LittleEndian(destination, Number);
        BinaryPrimitives.WriteUInt32BigEndian(destination[4..], SetSize);
    }
}

// delay probe (8): sequence (4) | offset (4)

/// <summary>P_DELAY_PROBE: of historic versions, ignored on both streams.</summary>
public readonly record struct DelayProbePacket(uint Sequence, uint Offset) : IPacketBody
{
    public const int Size = 8;

    public static DelayProbePacket Decode(ReadOnlySpan<byte> body, in Framing framing) =>
        new(BinaryPrimitives.ReadUInt32BigEndian(body), BinaryPrimitives.ReadUInt32BigEndian(body[4..]));

    public int EncodedSize(in Framing framing) => Size;

    public void Encode(Span<byte> destination, in Framing framing)
    {
        BinaryPrimitives.WriteUInt32BigEndian(destination, Sequence);
        BinaryPrimitives.WriteUInt32BigEndian(destination[4..], Offset);
    }
}
