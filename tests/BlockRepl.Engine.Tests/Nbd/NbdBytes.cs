using System.Buffers.Binary;
using System.Text;

namespace BlockRepl.Engine.Tests.Nbd;

/// <summary>A client's side of the NBD protocol, byte by byte, for tests.</summary>
internal static class NbdBytes
{
    public const uint Go = 7;
    public const uint Info = 6;
    public const uint List = 3;
    public const uint ExportName = 1;

    public static byte[] ClientFlags(uint flags)
    {
        var bytes = new byte[4];
        BinaryPrimitives.WriteUInt32BigEndian(bytes, flags);
        return bytes;
    }

    public static byte[] Option(uint option, ReadOnlySpan<byte> data)
    {
        var bytes = new byte[16 + data.Length];
        BinaryPrimitives.WriteUInt64BigEndian(bytes, 0x49484156454F5054);
        BinaryPrimitives.WriteUInt32BigEndian(bytes.AsSpan(8), option);
        BinaryPrimitives.WriteUInt32BigEndian(bytes.AsSpan(12), (uint)data.Length);
        data.CopyTo(bytes.AsSpan(16));
        return bytes;
    }

    public static byte[] InfoData(string name, params ushort[] requests)
    {
        var text = Encoding.UTF8.GetBytes(name);
        var bytes = new byte[4 + text.Length + 2 + (2 * requests.Length)];
        BinaryPrimitives.WriteUInt32BigEndian(bytes, (uint)text.Length);
        text.CopyTo(bytes, 4);
        BinaryPrimitives.WriteUInt16BigEndian(bytes.AsSpan(4 + text.Length), (ushort)requests.Length);
        for (var i = 0; i < requests.Length; i++)
        {
            BinaryPrimitives.WriteUInt16BigEndian(bytes.AsSpan(6 + text.Length + (2 * i)), requests[i]);
        }

        return bytes;
    }

    public static byte[] Request(ushort command, ulong cookie, ulong offset, uint length, ushort flags = 0)
    {
        var bytes = new byte[28];
        BinaryPrimitives.WriteUInt32BigEndian(bytes, 0x25609513);
        BinaryPrimitives.WriteUInt16BigEndian(bytes.AsSpan(4), flags);
        BinaryPrimitives.WriteUInt16BigEndian(bytes.AsSpan(6), command);
        BinaryPrimitives.WriteUInt64BigEndian(bytes.AsSpan(8), cookie);
        BinaryPrimitives.WriteUInt64BigEndian(bytes.AsSpan(16), offset);
        BinaryPrimitives.WriteUInt32BigEndian(bytes.AsSpan(24), length);
        return bytes;
    }

    /// <summary>Option replies in a server's output: option, type, data.</summary>
    public static List<(uint Option, uint Type, byte[] Data)> ParseReplies(ReadOnlySpan<byte> bytes)
    {
        var replies = new List<(uint, uint, byte[])>();
        while (!bytes.IsEmpty)
        {
            Assert.Equal(0x3e889045565a9u, BinaryPrimitives.ReadUInt64BigEndian(bytes));
            var length = (int)BinaryPrimitives.ReadUInt32BigEndian(bytes[16..]);
            replies.Add((
                BinaryPrimitives.ReadUInt32BigEndian(bytes[8..]),
                BinaryPrimitives.ReadUInt32BigEndian(bytes[12..]),
                bytes.Slice(20, length).ToArray()));
            bytes = bytes[(20 + length)..];
        }

        return replies;
    }
}
