using System.Buffers.Binary;

namespace BlockRepl.Core.Protocol;

/// <summary>
/// The three forms of a packet header. All numbers are big endian; the length does not count the header.
/// <code>
/// header80  (8):  magic 0x83740267 (4) | command (2) | length (2)
/// header95  (8):  magic 0x835a (2)     | command (2) | length (4)
/// header100 (16): magic 0x8620ec20 (4) | volume (2)  | command (2) | length (4) | zero (4)
/// </code>
/// </summary>
public static class HeaderCodec
{
    /// <summary>Bytes of the largest header.</summary>
    public const int MaxSize = 16;

    private const uint Magic80 = 0x83740267;
    private const ushort Magic95 = 0x835a;
    private const uint Magic100 = 0x8620ec20;

    /// <summary>Longest length that still travels with header80 once header95 exists.</summary>
    private const int MaxLength80 = 32768;

    /// <summary>Bytes of a header: 16 from version 100 on, else 8.</summary>
    public static int Size(int agreedVersion) => agreedVersion >= 100 ? 16 : 8;

    /// <summary>Writes the header in the form that the version and the length demand; returns its size.</summary>
    /// <remarks>Below version 100 the volume is not sent: there is only volume 0.</remarks>
    public static int Write(Span<byte> destination, int agreedVersion, in PacketHeader header)
    {
        if (agreedVersion >= 100)
        {
            BinaryPrimitives.WriteUInt32BigEndian(destination, Magic100);
            BinaryPrimitives.WriteUInt16BigEndian(destination[4..], header.Volume);
            BinaryPrimitives.WriteUInt16BigEndian(destination[6..], (ushort)header.Command);
            BinaryPrimitives.WriteInt32BigEndian(destination[8..], header.Length);
            BinaryPrimitives.WriteUInt32BigEndian(destination[12..], 0);
            return 16;
        }

        Invariant.Require(header.Volume == 0, "a volume number needs protocol version 100");
        if (agreedVersion >= 95 && header.Length > MaxLength80)
        {
            BinaryPrimitives.WriteUInt16BigEndian(destination, Magic95);
            BinaryPrimitives.WriteUInt16BigEndian(destination[2..], (ushort)header.Command);
            BinaryPrimitives.WriteInt32BigEndian(destination[4..], header.Length);
            return 8;
        }

        Invariant.Require(header.Length <= ushort.MaxValue, "the length fits the 16 bits of a header80");
        BinaryPrimitives.WriteUInt32BigEndian(destination, Magic80);
        BinaryPrimitives.WriteUInt16BigEndian(destination[4..], (ushort)header.Command);
        BinaryPrimitives.WriteUInt16BigEndian(destination[6..], (ushort)header.Length);
        return 8;
    }

    /// <summary>
    /// Reads a header from at least <see cref="Size"/> bytes. The command may be one that does not exist.
    /// </summary>
    /// <returns>None, BadMagic, NonZeroPad, or BadLength for lengths from 2^31 on.</returns>
    public static ProtocolViolation Read(ReadOnlySpan<byte> source, int agreedVersion, out PacketHeader header)
    {
        header = default;
        if (agreedVersion >= 100)
        {
            if (BinaryPrimitives.ReadUInt32BigEndian(source) != Magic100)
            {
                return ProtocolViolation.BadMagic;
            }

            if (BinaryPrimitives.ReadUInt32BigEndian(source[12..]) != 0)
            {
                return ProtocolViolation.NonZeroPad;
            }

            ushort volume = BinaryPrimitives.ReadUInt16BigEndian(source[4..]);
            return Finish(source[6..], volume, BinaryPrimitives.ReadUInt32BigEndian(source[8..]), out header);
        }

        if (BinaryPrimitives.ReadUInt16BigEndian(source) == Magic95)
        {
            return Finish(source[2..], 0, BinaryPrimitives.ReadUInt32BigEndian(source[4..]), out header);
        }

        return BinaryPrimitives.ReadUInt32BigEndian(source) == Magic80
            ? Finish(source[4..], 0, BinaryPrimitives.ReadUInt16BigEndian(source[6..]), out header)
            : ProtocolViolation.BadMagic;
    }

    private static ProtocolViolation Finish(
        ReadOnlySpan<byte> command, ushort volume, uint length, out PacketHeader header)
    {
        bool fits = length <= int.MaxValue;
        header = new((Command)BinaryPrimitives.ReadUInt16BigEndian(command), volume, fits ? (int)length : 0);
        return fits ? ProtocolViolation.None : ProtocolViolation.BadLength;
    }
}
