using System.Buffers.Binary;
using System.Net.Sockets;
using System.Text;

namespace BlockRepl.Interop.Tests;

/// <summary>
/// A blocking NBD client with one request at a time. An error of the device is an <see cref="IOException"/>.
/// </summary>
internal sealed class NbdClient : IDisposable
{
    private const int OptionGo = 7;
    private const int ReplyAck = 1;
    private const int ReplyInfo = 3;
    private const ushort CommandRead = 0;
    private const ushort CommandWrite = 1;
    private const ushort CommandFlush = 3;
    private const ushort CommandTrim = 4;
    private const ushort CommandWriteZeroes = 6;
    private const ushort FlagForceUnitAccess = 1;
    private const ushort FlagNoHole = 2;

    private readonly Socket _socket = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
    private readonly byte[] _header = new byte[28];

    public NbdClient(string path, string export)
    {
        _socket.Connect(new UnixDomainSocketEndPoint(path));
        Receive(18);
        Send([0, 0, 0, 3]);
        byte[] name = Encoding.UTF8.GetBytes(export);
        byte[] option = new byte[16 + 4 + name.Length + 2];
        "IHAVEOPT"u8.CopyTo(option);
        BinaryPrimitives.WriteInt32BigEndian(option.AsSpan(8), OptionGo);
        BinaryPrimitives.WriteInt32BigEndian(option.AsSpan(12), option.Length - 16);
        BinaryPrimitives.WriteInt32BigEndian(option.AsSpan(16), name.Length);
        name.CopyTo(option, 20);
        Send(option);
        int type;
        do
        {
            byte[] reply = Receive(20);
            type = BinaryPrimitives.ReadInt32BigEndian(reply.AsSpan(12));
            byte[] data = Receive(BinaryPrimitives.ReadInt32BigEndian(reply.AsSpan(16)));
            if (type == ReplyInfo && BinaryPrimitives.ReadUInt16BigEndian(data) == 0)
            {
                ByteCount = BinaryPrimitives.ReadUInt64BigEndian(data.AsSpan(2));
            }
            else if (type < 0)
            {
                throw new IOException($"{export} is refused: {Encoding.UTF8.GetString(data)}");
            }
        }
        while (type != ReplyAck);
    }

    /// <summary>Size of the device.</summary>
    public ulong ByteCount { get; }

    public byte[] Read(long offset, int bytes)
    {
        Request(CommandRead, 0, offset, bytes, []);
        return Receive(bytes);
    }

    public void Write(long offset, ReadOnlySpan<byte> data, bool forceUnitAccess = false) =>
        Request(CommandWrite, forceUnitAccess ? FlagForceUnitAccess : (ushort)0, offset, data.Length, data);

    public void Flush() => Request(CommandFlush, 0, 0, 0, []);

    public void Trim(long offset, int bytes) => Request(CommandTrim, 0, offset, bytes, []);

    public void WriteZeroes(long offset, int bytes, bool mayUnmap) =>
        Request(CommandWriteZeroes, mayUnmap ? (ushort)0 : FlagNoHole, offset, bytes, []);

    public void Dispose() => _socket.Dispose();

    private void Request(ushort command, ushort flags, long offset, int bytes, ReadOnlySpan<byte> data)
    {
        BinaryPrimitives.WriteUInt32BigEndian(_header, 0x25609513);
        BinaryPrimitives.WriteUInt16BigEndian(_header.AsSpan(4), flags);
        BinaryPrimitives.WriteUInt16BigEndian(_header.AsSpan(6), command);
        BinaryPrimitives.WriteInt64BigEndian(_header.AsSpan(16), offset);
        BinaryPrimitives.WriteInt32BigEndian(_header.AsSpan(24), bytes);
        Send(_header);
        Send(data);
        byte[] reply = Receive(16);
        int error = BinaryPrimitives.ReadInt32BigEndian(reply.AsSpan(4));
        if (error != 0)
        {
            throw new IOException($"NBD error {error} for command {command} at {offset}, {bytes} bytes");
        }
    }

    private void Send(ReadOnlySpan<byte> bytes)
    {
        while (!bytes.IsEmpty)
        {
            bytes = bytes[_socket.Send(bytes)..];
        }
    }

    private byte[] Receive(int count)
    {
        byte[] bytes = new byte[count];
        for (int filled = 0; filled < count;)
        {
            int received = _socket.Receive(bytes, filled, count - filled, SocketFlags.None);
            filled += received > 0 ? received : throw new IOException("the NBD server closed the connection");
        }

        return bytes;
    }
}
