using System.Buffers;
using System.Buffers.Binary;

namespace BlockRepl.Iscsi.Protocol.Pdus;

/// <summary>Writes a PDU: header, padded data segment, and their digests.</summary>
internal static class PduWriter
{
    /// <param name="header">48 bytes; the length of the data segment is filled in.</param>
    public static void Write(
        IBufferWriter<byte> output, Span<byte> header, ReadOnlySpan<byte> data, Digests digests)
    {
        BinaryPrimitives.WriteUInt32BigEndian(header[HeaderLayout.DataLength..], (uint)data.Length);
        output.Write(header);
        if (digests.Header)
        {
            WriteDigest(output, Crc32C.Of(header));
        }

        if (data.Length == 0)
        {
            return;
        }

        ReadOnlySpan<byte> padding = stackalloc byte[3];
        padding = padding[..(-data.Length & 3)];
        output.Write(data);
        output.Write(padding);
        if (digests.Data)
        {
            WriteDigest(output, ~Crc32C.Append(Crc32C.Append(Crc32C.Start, data), padding));
        }
    }

    private static void WriteDigest(IBufferWriter<byte> output, uint digest)
    {
        BinaryPrimitives.WriteUInt32LittleEndian(output.GetSpan(Crc32C.Size), digest);
        output.Advance(Crc32C.Size);
    }
}
