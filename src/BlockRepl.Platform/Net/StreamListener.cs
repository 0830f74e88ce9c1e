using System.Net;
using System.Net.Sockets;
using BlockRepl.Platform.Loop;
using BlockRepl.Platform.Native;

namespace BlockRepl.Platform.Net;

/// <summary>Receives accepted connections on the loop's thread.</summary>
public interface IListenerHandler
{
    /// <summary>
    /// A connection was accepted: hand the descriptor to <see cref="StreamSocket.Adopt"/> or call
    /// <see cref="StreamListener.Refuse"/>.
    /// </summary>
    void OnAccepted(StreamListener listener, int descriptor, EndPoint? remote);
}

/// <summary>A listening socket could not be set up; the message says which address and why.</summary>
public sealed class ListenException(string message, int errno) : IOException(message)
{
    public int Errno => errno;
}

/// <summary>Accepts TCP (IPv4, IPv6) or Unix stream connections on a loop. Belongs to the loop's thread.</summary>
public sealed unsafe class StreamListener : ICompletionHandler, ILoopTimerHandler
{
    /// <summary>Pause after a failed accept, for instance for want of descriptors.</summary>
    private const long RetryNs = 100_000_000;

    private readonly EventLoop _loop;
    private readonly IListenerHandler _handler;
    private readonly LoopTimer _retry;
    private readonly int _descriptor;
    private readonly string? _unixPath;
    private ulong _operation;
    private bool _accepting;
    private bool _closed;

    private StreamListener(EventLoop loop, IListenerHandler handler, EndPoint address, int descriptor)
    {
        _loop = loop;
        _handler = handler;
        _descriptor = descriptor;
        _unixPath = (address as UnixDomainSocketEndPoint)?.ToString();
        _retry = loop.CreateTimer(this);
        LocalEndPoint = SocketAddresses.Get(descriptor, peer: false) ?? address;
    }

    /// <summary>The bound address, with the port the kernel chose if it was 0.</summary>
    public EndPoint LocalEndPoint { get; }

    /// <summary>
    /// Binds and listens. A stale Unix socket path is replaced. Buffer sizes of the options are set before the listen.
    /// </summary>
    /// <exception cref="ListenException">The address is in use, not ours, or not permitted.</exception>
    public static StreamListener Listen(
        EventLoop loop,
        EndPoint address,
        StreamSocketOptions options,
        IListenerHandler handler)
    {
        if (address is UnixDomainSocketEndPoint unix)
        {
            RemoveStale(unix);
        }

        Span<byte> buffer = stackalloc byte[SocketAddresses.MaxBytes];
        var length = SocketAddresses.Write(address, buffer);
        var native = SocketAddresses.Options(options);
        int descriptor;
        fixed (byte* pointer = buffer)
        {
            descriptor = NativeMethods.SocketListen(pointer, (uint)length, &native);
        }

        if (descriptor >= 0 && loop.AdoptSocket(descriptor) is var error and < 0)
        {
            _ = NativeMethods.Close(descriptor);
            descriptor = error;
        }

        if (descriptor < 0)
        {
            throw Failed(address, -descriptor);
        }

        var listener = new StreamListener(loop, handler, address, descriptor);
        listener.Accept();
        return listener;
    }

    /// <summary>Resets a connection that nobody wants.</summary>
    public static void Refuse(int descriptor)
    {
        _ = NativeMethods.SocketResetOnClose(descriptor);
        _ = NativeMethods.Close(descriptor);
    }

    /// <summary>Stops listening; connection attempts are refused from now on.</summary>
    public void Close()
    {
        if (_closed)
        {
            return;
        }

        _closed = true;
        _retry.Dispose();
        if (_unixPath is not null)
        {
            File.Delete(_unixPath);
        }

        _ = NativeMethods.SocketShutdown(_descriptor, 1);
        if (_accepting)
        {
            _loop.Cancel(_operation);
        }
        else
        {
            _ = NativeMethods.Close(_descriptor);
        }
    }

    /// <summary>An accept ended.</summary>
    void ICompletionHandler.OnCompleted(ulong token, int result)
    {
        _accepting = false;
        if (_closed)
        {
            if (result >= 0)
            {
                Refuse(result);
            }

            _ = NativeMethods.Close(_descriptor);
            return;
        }

        if (result >= 0)
        {
            _handler.OnAccepted(this, result, SocketAddresses.Get(result, peer: true));
        }

        if (_closed)
        {
            return; // closed by the handler, at once because nothing was in flight
        }

        if (result >= 0)
        {
            Accept();
        }
        else
        {
            _retry.DeadlineNs = _loop.NowNs + RetryNs;
        }
    }

    void ILoopTimerHandler.OnTimer(long nowNs) => Accept();

    private void Accept()
    {
        if (_loop.IsStopping)
        {
            return;
        }

        _accepting = true;
        _operation = _loop.Submit(
            new NativeOp { Kind = NativeOpKind.Accept, Descriptor = _descriptor }, this, 0);
    }

    private static ListenException Failed(EndPoint address, int errno)
    {
        var why = errno switch
        {
            NativeError.AddressInUse => "another program listens there",
            NativeError.AddressNotAvailable => "this machine does not have that address",
            NativeError.Access => "permission denied",
            _ => NativeError.Message(errno),
        };
        return new ListenException($"cannot listen on {address}: {why}", errno);
    }

    /// <summary>A socket file that nobody answers on was left by a program that died.</summary>
    private static void RemoveStale(UnixDomainSocketEndPoint address)
    {
        var path = address.ToString();
        if (!File.Exists(path))
        {
            return;
        }

        using var probe = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        try
        {
            probe.Connect(address);
        }
        catch (SocketException exception) when (exception.SocketErrorCode == SocketError.ConnectionRefused)
        {
            File.Delete(path);
        }
        catch (SocketException)
        {
            // Not a socket, or not ours to touch: the bind will say so.
        }
    }
}
