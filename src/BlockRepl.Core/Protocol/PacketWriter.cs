namespace BlockRepl.Core.Protocol;

/// <summary>
/// Writes packets, header included, and returns the bytes written. Everything but bulk data fits in
/// <see cref="MaxPacketSize"/> bytes. The destination must be large enough.
/// </summary>
public static class PacketWriter
{
    /// <summary>Bytes that any packet needs at most, bulk payload aside.</summary>
    public const int MaxPacketSize = 4096;

    /// <summary>A packet that consists of its fixed part.</summary>
    public static int Write<T>(Span<byte> destination, in Framing framing, ushort volume, Command command, in T body)
        where T : struct, IPacketBody =>
        WriteHead(destination, framing, volume, command, body, 0);

    /// <summary>A packet without a body.</summary>
    public static int WriteEmpty(Span<byte> destination, in Framing framing, ushort volume, Command command) =>
        HeaderCodec.Write(destination, framing.AgreedVersion, new(command, volume, 0));

    /// <summary>A packet whose body is given as bytes: bitmaps, challenges, responses.</summary>
    public static int WriteRaw(
        Span<byte> destination, in Framing framing, ushort volume, Command command, ReadOnlySpan<byte> body)
    {
        int header = HeaderCodec.Write(destination, framing.AgreedVersion, new(command, volume, body.Length));
        body.CopyTo(destination[header..]);
        return header + body.Length;
    }

    /// <summary>
    /// Header and fixed part of a packet to which the host appends digest and payload; its length counts them.
    /// </summary>
    public static int WriteHead<T>(
        Span<byte> destination,
        in Framing framing,
        ushort volume,
        Command command,
        in T body,
        int payloadAndDigestBytes)
        where T : struct, IPacketBody
    {
        int size = body.EncodedSize(framing);
        PacketHeader header = new(command, volume, size + payloadAndDigestBytes);
        int headerSize = HeaderCodec.Write(destination, framing.AgreedVersion, header);
        body.Encode(destination[headerSize..], framing);
        return headerSize + size;
    }

    /// <summary>A packet with a digest behind its fixed part: P_OV_REPLY, P_CSUM_RS_REQUEST.</summary>
    public static int WriteWithTail<T>(
        Span<byte> destination,
        in Framing framing,
        ushort volume,
        Command command,
        in T body,
        ReadOnlySpan<byte> tail)
        where T : struct, IPacketBody
    {
        int head = WriteHead(destination, framing, volume, command, body, tail.Length);
        tail.CopyTo(destination[head..]);
        return head + tail.Length;
    }
}
