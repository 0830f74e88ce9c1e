using System.Net;
using System.Net.Sockets;
using BlockRepl.Platform.Native;

namespace BlockRepl.Platform.Net;

/// <summary>Between end points and the kernel's socket addresses.</summary>
internal static unsafe class SocketAddresses
{
    public const int MaxBytes = 128;

    /// <summary>Own or peer's address of a socket; null when it has none worth naming.</summary>
    public static EndPoint? Get(int descriptor, bool peer)
    {
        var buffer = stackalloc byte[MaxBytes];
        uint length = MaxBytes;
        if (NativeMethods.SocketName(descriptor, peer ? 1u : 0u, buffer, &length) < 0)
        {
            return null;
        }

        var family = *(ushort*)buffer;
        var form = family switch
        {
            2 => new IPEndPoint(IPAddress.Any, 0),
            10 => new IPEndPoint(IPAddress.IPv6Any, 0),
            _ => null,
        };
        if (form is null)
        {
            return null;
        }

        var address = new SocketAddress(form.AddressFamily);
        new Span<byte>(buffer, Math.Min((int)length, address.Size)).CopyTo(address.Buffer.Span);
        return form.Create(address);
    }

    /// <summary>Fills the kernel's form of an end point; returns its length.</summary>
    public static int Write(EndPoint endPoint, Span<byte> buffer)
    {
        var address = endPoint.Serialize();
        address.Buffer.Span[..address.Size].CopyTo(buffer);
        return address.Size;
    }

    /// <summary>AF_UNIX, AF_INET or AF_INET6.</summary>
    public static int Family(EndPoint endPoint) => endPoint.AddressFamily switch
    {
        AddressFamily.Unix => 1,
        AddressFamily.InterNetwork => 2,
        AddressFamily.InterNetworkV6 => 10,
        _ => throw new ArgumentException($"{endPoint} is neither an IP nor a Unix address"),
    };

    public static NativeSocketOptions Options(StreamSocketOptions options) => new()
    {
        SendBuffer = options.SendBufferBytes,
        ReceiveBuffer = options.ReceiveBufferBytes,
        Flags = options.NoDelay ? NativeMethods.SocketNoDelay : 0,
        Backlog = 64,
    };
}
