using System.Buffers;
using System.Buffers.Binary;
using System.Numerics;

namespace BlockRepl.Iscsi.Protocol.Pdus;

/// <summary>The digest of iSCSI: CRC32C, on the wire with its least significant byte first.</summary>
internal static class Crc32C
{
    public const int Size = 4;
    public const uint Start = 0xffffffff;

    public static uint Append(uint crc, ReadOnlySpan<byte> bytes)
    {
        for (; bytes.Length >= 8; bytes = bytes[8..])
        {
            crc = BitOperations.Crc32C(crc, BinaryPrimitives.ReadUInt64LittleEndian(bytes));
        }

        foreach (byte value in bytes)
        {
            crc = BitOperations.Crc32C(crc, value);
        }

        return crc;
    }

    public static uint Of(ReadOnlySpan<byte> bytes) => ~Append(Start, bytes);

    public static uint Of(in ReadOnlySequence<byte> bytes)
    {
        uint crc = Start;
        foreach (ReadOnlyMemory<byte> segment in bytes)
        {
            crc = Append(crc, segment.Span);
        }

        return ~crc;
    }
}
