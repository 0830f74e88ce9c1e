using System.Runtime.InteropServices;

namespace BlockRepl.FrontEnd.Fuse;

/// <summary>Puts replies together; each gives its bytes, whose length is part of the head.</summary>
internal static class FuseReply
{
    /// <summary>The head alone, or of a reply with a payload that is sent from another place.</summary>
    public static Span<byte> Plain(Span<byte> room, ulong unique, FuseError error, int payloadBytes = 0) =>
        Head(room, unique, error, FuseProtocol.ReplyHeadBytes, payloadBytes);

    public static Span<byte> Init(
        Span<byte> room, ulong unique, in FuseInit init, int maxTransferBytes, int maxRequests)
    {
        const FuseCapabilities wanted = FuseCapabilities.AsyncRead | FuseCapabilities.BigWrites
            | FuseCapabilities.AsyncDirectIo | FuseCapabilities.MaxPages;

        // One page more than the bytes need: the kernel's memory for them may begin in the middle of a page, and a
        // request that was cut there would no longer consist of whole blocks.
        var pages = (maxTransferBytes / 4096) + 1;
        var reply = Head(room, unique, FuseError.None, FuseProtocol.InitReplyBytes, 0);
        Put32(reply, 16, FuseProtocol.Major);
        Put32(reply, 20, FuseProtocol.Minor);
        Put32(reply, 28, (uint)(init.Capabilities & wanted));
        Put16(reply, 32, maxRequests);
        Put16(reply, 34, maxRequests);
        Put32(reply, 36, (uint)maxTransferBytes);
        Put32(reply, 40, 1); // granularity of times: a nanosecond
        Put16(reply, 44, pages);
        return reply;
    }

    /// <summary>Not to be kept by the kernel: the size may change.</summary>
    public static Span<byte> Attributes(Span<byte> room, ulong unique, in VolumeFacts facts)
    {
        var reply = Head(room, unique, FuseError.None, FuseProtocol.AttributeReplyBytes, 0);
        Put64(reply, 32, FuseProtocol.RootNode);
        Put64(reply, 40, (ulong)facts.SizeBytes);
        Put64(reply, 48, (ulong)facts.SizeBytes >> 9);
        Put32(reply, 92, FuseProtocol.FileMode);
        Put32(reply, 96, 1); // links
        Put32(reply, 112, 4096);
        return reply;
    }

    public static Span<byte> Open(Span<byte> room, ulong unique)
    {
        var reply = Head(room, unique, FuseError.None, FuseProtocol.OpenReplyBytes, 0);
        Put32(reply, 24, (uint)(FuseOpenFlags.DirectIo | FuseOpenFlags.ParallelDirectWrites));
        return reply;
    }

    public static Span<byte> Written(Span<byte> room, ulong unique, uint bytes)
    {
        var reply = Head(room, unique, FuseError.None, FuseProtocol.WriteReplyBytes, 0);
        Put32(reply, 16, bytes);
        return reply;
    }

    /// <summary>The block size becomes the granularity of the loop device's discards.</summary>
    public static Span<byte> StatFs(Span<byte> room, ulong unique, in VolumeFacts facts)
    {
        var reply = Head(room, unique, FuseError.None, FuseProtocol.StatFsReplyBytes, 0);
        Put64(reply, 16, (ulong)facts.SizeBytes >> 12);
        Put64(reply, 40, 1); // files
        Put32(reply, 56, 4096);
        Put32(reply, 60, 255); // longest name
        Put32(reply, 64, 4096);
        return reply;
    }

    /// <summary>Asks the kernel for what a predecessor took and did not answer.</summary>
    public static Span<byte> Resend(Span<byte> room)
    {
        var notice = Head(room, 0, FuseError.None, FuseProtocol.ReplyHeadBytes, 0);
        Put32(notice, 4, FuseProtocol.ResendNotice);
        return notice;
    }

    private static Span<byte> Head(Span<byte> room, ulong unique, FuseError error, int headBytes, int payloadBytes)
    {
        var reply = room[..headBytes];
        reply.Clear();
        Put32(reply, 0, (uint)(headBytes + payloadBytes));
        Put32(reply, 4, (uint)-(int)error);
        Put64(reply, 8, unique);
        return reply;
    }

    private static void Put16(Span<byte> bytes, int offset, int value) =>
        MemoryMarshal.Write(bytes[offset..], (ushort)value);

    private static void Put32(Span<byte> bytes, int offset, uint value) => MemoryMarshal.Write(bytes[offset..], value);

    private static void Put64(Span<byte> bytes, int offset, ulong value) =>
        MemoryMarshal.Write(bytes[offset..], value);
}
