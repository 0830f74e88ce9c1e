using System.Buffers.Binary;

namespace BlockRepl.Iscsi.Tests.Simulated;

/// <summary>A PDU as the simulated target reads and writes it, independent of the initiator's codec.</summary>
internal sealed class TargetPdu(byte opcode)
{
    public byte[] Header { get; init; } = [opcode, 0x80, .. new byte[46]];

    public byte[] Data { get; set; } = [];

    public byte Opcode => (byte)(Header[0] & 0x3f);

    public uint this[int offset]
    {
        get => BinaryPrimitives.ReadUInt32BigEndian(Header.AsSpan(offset));
        set => BinaryPrimitives.WriteUInt32BigEndian(Header.AsSpan(offset), value);
    }

    /// <summary>Takes a PDU off the front of the bytes; null if it is not whole yet.</summary>
    public static TargetPdu? TakeFrom(List<byte> bytes, bool digests)
    {
        int headerSize = digests ? 52 : 48;
        if (bytes.Count < headerSize)
        {
            return null;
        }

        int size = bytes[5] << 16 | bytes[6] << 8 | bytes[7];
        int dataSize = (size + 3) / 4 * 4 + (digests && size > 0 ? 4 : 0);
        if (bytes.Count < headerSize + dataSize)
        {
            return null;
        }

        byte[] all = [.. bytes[..(headerSize + dataSize)]];
        bytes.RemoveRange(0, all.Length);
        if (digests && (!HasDigest(all.AsSpan(0, 52)) || (size > 0 && !HasDigest(all.AsSpan(52)))))
        {
            throw new InvalidOperationException("the initiator's digest does not fit");
        }

        return new TargetPdu(0) { Header = all[..48], Data = all[headerSize..(headerSize + size)] };
    }

    public byte[] ToBytes(bool digests)
    {
        Header[5] = (byte)(Data.Length >> 16);
        Header[6] = (byte)(Data.Length >> 8);
        Header[7] = (byte)Data.Length;
        byte[] padded = [.. Data, .. new byte[-Data.Length & 3]];
        return digests
            ? [.. Header, .. Crc(Header), .. padded, .. padded.Length > 0 ? Crc(padded) : []]
            : [.. Header, .. padded];
    }

    /// <summary>CRC32C bit by bit, as RFC 3385 describes it.</summary>
    public static byte[] Crc(ReadOnlySpan<byte> bytes)
    {
        uint crc = uint.MaxValue;
        foreach (byte value in bytes)
        {
            crc ^= value;
            for (int bit = 0; bit < 8; bit++)
            {
                crc = (crc & 1) != 0 ? crc >> 1 ^ 0x82f63b78 : crc >> 1;
            }
        }

        return BitConverter.GetBytes(~crc);
    }

    private static bool HasDigest(ReadOnlySpan<byte> bytes) => Crc(bytes[..^4]).AsSpan().SequenceEqual(bytes[^4..]);
}
