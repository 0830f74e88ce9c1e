using System.Buffers.Binary;

namespace BlockRepl.Core.Protocol;

/// <summary>
/// The limits that need a packet's fixed part: block sizes and sector numbers. Done by <see cref="PacketReader"/>
/// before a payload is waited for, so that the structs of delivered packets hold values within these limits.
/// </summary>
public static class BodyCheck
{
    /// <summary>No device reaches this sector (8 EiB), so a sector plus a packet's size never overflows.</summary>
    public const ulong SectorLimit = 1UL << 54;

    private const int MaxRequestBytes = CoreLimits.MaxPayloadBytes;
    private const int MaxAreaBytes = CoreLimits.MaxZeroBytes;

    /// <param name="body">The fixed part, of the size that the catalogue's shape tells.</param>
    /// <returns>None, BadPayloadSize or BadSector.</returns>
    public static ProtocolViolation Check(Command command, in PacketShape shape, ReadOnlySpan<byte> body)
    {
        switch (command)
        {
            case Command.DataRequest or Command.RsDataRequest or Command.RsThinRequest or Command.OvRequest
                or Command.OvReply or Command.CsumRsRequest:
                return CheckArea(body, body[16..], MaxRequestBytes);

            case Command.OutOfSync or Command.RsDeallocated:
                return CheckArea(body, body[8..], MaxAreaBytes);

            case Command.Trim or Command.Zeroes or Command.WriteSame:
                return CheckArea(body, body[24..], MaxAreaBytes);

            case Command.Data when shape.PayloadBytes == 0:
                // Only very old nodes send flushes as empty writes, and they say so.
                uint flags = BinaryPrimitives.ReadUInt32BigEndian(body[20..]);
                return (flags & (uint)DataFlags.Flush) != 0
                    ? ProtocolViolation.None
                    : ProtocolViolation.BadPayloadSize;

            case Command.Data or Command.DataReply or Command.RsDataReply:
                return CheckSector(body);

            default:
                return ProtocolViolation.None;
        }
    }

    private static ProtocolViolation CheckArea(ReadOnlySpan<byte> sector, ReadOnlySpan<byte> size, int maxBytes)
    {
        uint bytes = BinaryPrimitives.ReadUInt32BigEndian(size);
        return bytes == 0 || bytes % 512 != 0 || bytes > maxBytes
            ? ProtocolViolation.BadPayloadSize
            : CheckSector(sector);
    }

    private static ProtocolViolation CheckSector(ReadOnlySpan<byte> sector) =>
        BinaryPrimitives.ReadUInt64BigEndian(sector) < SectorLimit
            ? ProtocolViolation.None
            : ProtocolViolation.BadSector;
}
