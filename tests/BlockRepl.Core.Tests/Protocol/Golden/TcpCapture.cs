using System.Buffers.Binary;

namespace BlockRepl.Core.Tests.Protocol.Golden;

/// <summary>One direction of a TCP stream, by addresses (the last byte of the IPv4 address) and ports.</summary>
internal readonly record struct TcpDirection(int FromHost, int FromPort, int ToHost, int ToPort)
{
    public TcpDirection Reversed() => new(ToHost, ToPort, FromHost, FromPort);
}

/// <summary>New bytes of a direction, in stream order.</summary>
internal readonly record struct TcpChunk(TcpDirection Direction, ReadOnlyMemory<byte> Bytes);

/// <summary>
/// Takes the TCP payloads out of a pcap file (Ethernet, microseconds, little endian) in the order of recording; bytes
/// that were recorded before are dropped.
/// </summary>
internal static class TcpCapture
{
    private const byte Syn = 2;

    public static IEnumerable<TcpChunk> Read(ReadOnlyMemory<byte> pcap)
    {
        if (BinaryPrimitives.ReadUInt32LittleEndian(pcap.Span) != 0xa1b2c3d4)
        {
            throw new InvalidDataException("not a pcap file with microseconds");
        }

        Dictionary<TcpDirection, uint> expected = [];
        int offset = 24;
        while (offset < pcap.Length)
        {
            int captured = BinaryPrimitives.ReadInt32LittleEndian(pcap.Span[(offset + 8)..]);
            ReadOnlyMemory<byte> frame = pcap.Slice(offset + 16, captured);
            offset += 16 + captured;
            if (TryTake(frame, expected, out TcpChunk chunk))
            {
                yield return chunk;
            }
        }
    }

    private static bool TryTake(
        ReadOnlyMemory<byte> frame, Dictionary<TcpDirection, uint> expected, out TcpChunk chunk)
    {
        chunk = default;
        ReadOnlySpan<byte> bytes = frame.Span;
        const int ipStart = 14;
        if (BinaryPrimitives.ReadUInt16BigEndian(bytes[12..]) != 0x0800 || bytes[ipStart + 9] != 6)
        {
            return false;
        }

        int tcpStart = ipStart + ((bytes[ipStart] & 15) * 4);
        int end = ipStart + BinaryPrimitives.ReadUInt16BigEndian(bytes[(ipStart + 2)..]);
        int dataStart = tcpStart + ((bytes[tcpStart + 12] >> 4) * 4);
        TcpDirection direction = new(
            bytes[ipStart + 15],
            BinaryPrimitives.ReadUInt16BigEndian(bytes[tcpStart..]),
            bytes[ipStart + 19],
            BinaryPrimitives.ReadUInt16BigEndian(bytes[(tcpStart + 2)..]));
        uint sequence = BinaryPrimitives.ReadUInt32BigEndian(bytes[(tcpStart + 4)..]);
        if ((bytes[tcpStart + 13] & Syn) != 0)
        {
            expected[direction] = sequence + 1;
            return false;
        }

        uint next = expected.TryGetValue(direction, out uint known) ? known : sequence;
        int repeated = unchecked((int)(next - sequence));
        int length = end - dataStart;
        if (length == 0 || repeated >= length)
        {
            return false;
        }

        if (repeated < 0)
        {
            throw new InvalidDataException($"a hole in {direction}");
        }

        expected[direction] = unchecked(sequence + (uint)length);
        chunk = new(direction, frame[(dataStart + repeated)..end]);
        return true;
    }
}
