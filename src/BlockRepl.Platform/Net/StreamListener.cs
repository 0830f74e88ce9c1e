using System.Net;
using BlockRepl.Platform.Loop;

namespace BlockRepl.Platform.Net;

/// <summary>Receives accepted connections on the loop's thread.</summary>
public interface IListenerHandler
{
    /// <summary>A connection was accepted: hand the descriptor to <see cref="StreamSocket.Adopt"/> or call <see cref="StreamListener.Refuse"/>.</summary>
    void OnAccepted(StreamListener listener, int descriptor, EndPoint? remote);
}

/// <summary>A listening socket could not be set up; the message says which address and why.</summary>
public sealed class ListenException(string message, int errno) : IOException(message)
{
    public int Errno => errno;
}

/// <summary>Accepts TCP (IPv4, IPv6) or Unix stream connections on a loop. Belongs to the loop's thread.</summary>
public sealed class StreamListener
{
    /// <summary>Binds and listens. A stale Unix socket path is replaced. Buffer sizes of the options are set before the listen.</summary>
    /// <exception cref="ListenException">The address is in use, not ours, or not permitted.</exception>
    public static StreamListener Listen(
        EventLoop loop,
        EndPoint address,
        StreamSocketOptions options,
        IListenerHandler handler) => throw new NotImplementedException();

    /// <summary>The bound address, with the port the kernel chose if it was 0.</summary>
    public EndPoint LocalEndPoint => throw new NotImplementedException();

    /// <summary>Resets a connection that nobody wants.</summary>
    public static void Refuse(int descriptor) => throw new NotImplementedException();

    /// <summary>Stops listening; connection attempts are refused from now on.</summary>
    public void Close() => throw new NotImplementedException();
}
