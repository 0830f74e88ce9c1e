using System.Buffers;
using System.Buffers.Binary;

namespace BlockRepl.Iscsi.Protocol.Pdus;

/// <summary>A PDU as it was cut from the stream; the data are valid only until the stream moves on.</summary>
internal readonly record struct IncomingPdu(Opcode Opcode, byte[] Header, ReadOnlySequence<byte> Data);

/// <summary>Cuts PDUs from a stream. The header alone decides whether anything behind it is waited for.</summary>
internal static class PduReader
{
    /// <summary>Takes one whole PDU off the front of the buffer; false if it is not complete yet.</summary>
    /// <param name="maxData">Longest data segment that the target may send now.</param>
    /// <exception cref="IscsiException">A header that is none, a data segment that is too long, a digest that does
    /// not fit.</exception>
    public static bool TryRead(ref ReadOnlySequence<byte> buffer, Digests digests, int maxData, out IncomingPdu pdu)
    {
        pdu = default;
        int headerSize = HeaderLayout.Size + (digests.Header ? Crc32C.Size : 0);
        if (buffer.Length < headerSize)
        {
            return false;
        }

        Span<byte> head = stackalloc byte[HeaderLayout.Size + Crc32C.Size];
        buffer.Slice(0, headerSize).CopyTo(head);
        byte[] header = head[..HeaderLayout.Size].ToArray();
        if (digests.Header)
        {
            RequireDigest(Crc32C.Of(header), head[HeaderLayout.Size..], "header");
        }

        int dataSize = CheckHeader(header, maxData);
        int paddedSize = (dataSize + 3) & ~3;
        int digestSize = digests.Data && dataSize > 0 ? Crc32C.Size : 0;
        if (buffer.Length < headerSize + paddedSize + digestSize)
        {
            return false;
        }

        ReadOnlySequence<byte> padded = buffer.Slice(headerSize, paddedSize);
        if (digestSize > 0)
        {
            Span<byte> digest = stackalloc byte[Crc32C.Size];
            buffer.Slice(headerSize + paddedSize, Crc32C.Size).CopyTo(digest);
            RequireDigest(Crc32C.Of(padded), digest, "data");
        }

        pdu = new IncomingPdu((Opcode)(header[0] & 0x3f), header, padded.Slice(0, dataSize));
        buffer = buffer.Slice(headerSize + paddedSize + digestSize);
        return true;
    }

    /// <summary>The size of the data segment that follows.</summary>
    private static int CheckHeader(byte[] header, int maxData)
    {
        var opcode = (Opcode)(header[0] & 0x3f);
        if (opcode is not (Opcode.NopIn or Opcode.ScsiResponse or Opcode.LoginResponse or Opcode.DataIn
            or Opcode.LogoutResponse or Opcode.ReadyToTransfer or Opcode.AsyncMessage or Opcode.Reject))
        {
            throw IscsiException.Violation($"a PDU with opcode 0x{header[0]:x2}");
        }

        if (header[HeaderLayout.AhsWords] != 0)
        {
            throw IscsiException.Violation($"an additional header in a {opcode} PDU");
        }

        int dataSize = (int)(BinaryPrimitives.ReadUInt32BigEndian(header.AsSpan(HeaderLayout.DataLength)) & 0xffffff);
        return dataSize <= maxData
            ? dataSize
            : throw IscsiException.Violation($"a {opcode} PDU with {dataSize} bytes, at most {maxData} are allowed");
    }

    private static void RequireDigest(uint expected, ReadOnlySpan<byte> digest, string part)
    {
        if (BinaryPrimitives.ReadUInt32LittleEndian(digest) != expected)
        {
            throw IscsiException.Violation($"the digest of a PDU's {part} does not fit: the network changed bits");
        }
    }
}
