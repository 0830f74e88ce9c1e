using System.Buffers.Binary;
using System.Net.Sockets;
using System.Text;

namespace BlockRepl.Engine.Tests.Nbd;

/// <summary>A blocking NBD client that can send whatever it likes in whatever pieces.</summary>
internal sealed class NbdTestClient : IDisposable
{
    private readonly Socket _socket;

    public NbdTestClient(string path)
        : this(new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified)) =>
        _socket.Connect(new UnixDomainSocketEndPoint(path));

    public NbdTestClient(Socket socket)
    {
        _socket = socket;
        _socket.ReceiveTimeout = 20_000;
    }

    /// <summary>Negotiates with NBD_OPT_GO; returns the size.</summary>
    public static NbdTestClient Open(string path, string export = "r0/0")
    {
        var client = new NbdTestClient(path);
        client.Receive(18);
        client.Send(NbdBytes.ClientFlags(3));
        client.Send(NbdBytes.Option(NbdBytes.Go, NbdBytes.InfoData(export)));
        var (type, text) = (0u, "");
        do
        {
            var header = client.Receive(20);
            var length = (int)BinaryPrimitives.ReadUInt32BigEndian(header.AsSpan(16));
            type = BinaryPrimitives.ReadUInt32BigEndian(header.AsSpan(12));
            text = Encoding.UTF8.GetString(client.Receive(length));
        }
        while (type == 3);
        Assert.True(type == 1, $"refused: {text}");
        return client;
    }

    public void Send(ReadOnlySpan<byte> bytes)
    {
        while (!bytes.IsEmpty)
        {
            bytes = bytes[_socket.Send(bytes)..];
        }
    }

    /// <summary>Sends in pieces of the sizes drawn; one byte at a time is a size like any other.</summary>
    public void SendInPieces(ReadOnlySpan<byte> bytes, Random random, int largest)
    {
        while (!bytes.IsEmpty)
        {
            var piece = Math.Min(bytes.Length, random.Next(4) == 0 ? 1 : random.Next(1, largest));
            Send(bytes[..piece]);
            bytes = bytes[piece..];
        }
    }

    public byte[] Receive(int count)
    {
        var bytes = new byte[count];
        for (var filled = 0; filled < count;)
        {
            var received = _socket.Receive(bytes, filled, count - filled, SocketFlags.None);
            Assert.True(received > 0, "the server closed the connection");
            filled += received;
        }

        return bytes;
    }

    public (ulong Cookie, uint Error) ReceiveReply()
    {
        var head = Receive(16);
        Assert.Equal(0x67446698u, BinaryPrimitives.ReadUInt32BigEndian(head));
        return (
            BinaryPrimitives.ReadUInt64BigEndian(head.AsSpan(8)), BinaryPrimitives.ReadUInt32BigEndian(head.AsSpan(4)));
    }

    /// <summary>True when the server ends the connection, whatever it sends before.</summary>
    public bool ServerCloses()
    {
        var buffer = new byte[65536];
        try
        {
            while (_socket.Receive(buffer) > 0)
            {
            }

            return true;
        }
        catch (SocketException e)
        {
            return e.SocketErrorCode is SocketError.ConnectionReset or SocketError.Shutdown;
        }
    }

    public void Shutdown() => _socket.Shutdown(SocketShutdown.Send);

    public void Dispose() => _socket.Dispose();
}
