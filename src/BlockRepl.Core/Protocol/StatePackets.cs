using System.Buffers.Binary;

namespace BlockRepl.Core.Protocol;

/// <summary>P_STATE (4 bytes): the sender's state as a state word.</summary>
public readonly record struct StatePacket(uint Word) : IPacketBody
{
    public const int Size = 4;

    public static StatePacket Decode(ReadOnlySpan<byte> body, in Framing framing) =>
        new(BinaryPrimitives.ReadUInt32BigEndian(body));

    public int EncodedSize(in Framing framing) => Size;

    public void Encode(Span<byte> destination, in Framing framing) =>
        BinaryPrimitives.WriteUInt32BigEndian(destination, Word);
}

// state change request (8): mask (4) | value (4), both laid out as a state word

/// <summary>P_STATE_CHG_REQ and P_CONN_ST_CHG_REQ: set the masked parts of the state word, on both nodes.</summary>
public readonly record struct StateChangeRequestPacket(uint Mask, uint Value) : IPacketBody
{
    public const int Size = 8;

    public static StateChangeRequestPacket Decode(ReadOnlySpan<byte> body, in Framing framing) =>
        new(BinaryPrimitives.ReadUInt32BigEndian(body), BinaryPrimitives.ReadUInt32BigEndian(body[4..]));

    public int EncodedSize(in Framing framing) => Size;

    public void Encode(Span<byte> destination, in Framing framing)
    {
        BinaryPrimitives.WriteUInt32BigEndian(destination, Mask);
        BinaryPrimitives.WriteUInt32BigEndian(destination[4..], Value);
    }
}

/// <summary>
/// P_STATE_CHG_REPLY and P_CONN_ST_CHG_REPLY (4 bytes): at least 1 = done, below = the reason of the refusal.
/// </summary>
public readonly record struct StateChangeReplyPacket(int Code) : IPacketBody
{
    public const int Size = 4;

    public static StateChangeReplyPacket Decode(ReadOnlySpan<byte> body, in Framing framing) =>
        new(BinaryPrimitives.ReadInt32BigEndian(body));

    public int EncodedSize(in Framing framing) => Size;

    public void Encode(Span<byte> destination, in Framing framing) =>
        BinaryPrimitives.WriteInt32BigEndian(destination, Code);
}
