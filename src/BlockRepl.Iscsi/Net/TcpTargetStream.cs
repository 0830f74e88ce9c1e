using System.Net;
using System.Net.Sockets;
using BlockRepl.Iscsi.Protocol;

namespace BlockRepl.Iscsi.Net;

/// <summary>A TCP connection whose every wait ends at a deadline.</summary>
internal sealed class TcpTargetStream : ITargetStream
{
    private readonly TcpNetwork _network;
    private readonly Socket _socket;

    private TcpTargetStream(TcpNetwork network, Socket socket)
    {
        _network = network;
        _socket = socket;
        socket.Blocking = false;
        socket.NoDelay = true;

        // Closing throws away what is not sent yet. Otherwise the kernel would go on trying for minutes, and a write
        // that was given up long ago could still reach the disk when the network is back.
        socket.LingerState = new LingerOption(true, 0);
    }

    public static TcpTargetStream Connect(TcpNetwork network, IPEndPoint address, long deadlineMs)
    {
        TcpTargetStream? stream = null;
        try
        {
            stream = new TcpTargetStream(
                network, new Socket(address.AddressFamily, SocketType.Stream, ProtocolType.Tcp));
            stream.Connect(address, deadlineMs);
            return stream;
        }
        catch (Exception e) when (e is SocketException or IscsiException)
        {
            stream?.Dispose();
            throw e as IscsiException
                ?? new IscsiException(IscsiError.Unreachable, $"no connection to {address}: {e.Message}", e);
        }
    }

    public void Send(ReadOnlySpan<byte> bytes, long deadlineMs)
    {
        while (bytes.Length > 0)
        {
            int sent = _socket.Send(bytes, SocketFlags.None, out SocketError error);
            if (error == SocketError.Success)
            {
                bytes = bytes[sent..];
            }
            else if (error != SocketError.WouldBlock)
            {
                throw Lost(error);
            }
            else if (!Wait(SelectMode.SelectWrite, deadlineMs))
            {
                throw new IscsiException(IscsiError.TimedOut, "the target takes no more bytes");
            }
        }
    }

    public int? Receive(Span<byte> buffer, long deadlineMs)
    {
        while (true)
        {
            int received = _socket.Receive(buffer, SocketFlags.None, out SocketError error);
            if (error == SocketError.Success)
            {
                return received;
            }

            if (error != SocketError.WouldBlock)
            {
                throw Lost(error);
            }

            if (!Wait(SelectMode.SelectRead, deadlineMs))
            {
                return null;
            }
        }
    }

    public void Dispose() => _socket.Dispose();

    private void Connect(IPEndPoint address, long deadlineMs)
    {
        try
        {
            _socket.Connect(address);
            return;
        }
        catch (SocketException e) when (e.SocketErrorCode is SocketError.WouldBlock or SocketError.InProgress)
        {
            if (!Wait(SelectMode.SelectWrite, deadlineMs))
            {
                throw new IscsiException(IscsiError.TimedOut, $"{address} does not answer");
            }
        }

        int error = (int)_socket.GetSocketOption(SocketOptionLevel.Socket, SocketOptionName.Error)!;
        if (error != 0)
        {
            throw new SocketException(error);
        }
    }

    /// <summary>False if the deadline passed first.</summary>
    private bool Wait(SelectMode mode, long deadlineMs)
    {
        while (true)
        {
            long left = deadlineMs - _network.NowMs;
            if (left <= 0)
            {
                return false;
            }

            if (_socket.Poll((int)Math.Min(left * 1000, int.MaxValue), mode))
            {
                return true;
            }
        }
    }

    private static IscsiException Lost(SocketError error) =>
        new(IscsiError.ConnectionLost, $"the connection is lost: {new SocketException((int)error).Message}");
}
