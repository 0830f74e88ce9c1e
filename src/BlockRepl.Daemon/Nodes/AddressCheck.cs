using System.Net;
using System.Net.Sockets;
using BlockRepl.Configuration;

namespace BlockRepl.Daemon.Nodes;

/// <summary>
/// Whether a resource's own address is this machine's: if not, no peer would ever reach it, and nobody would know why.
/// </summary>
internal static class AddressCheck
{
    public static bool IsLocal(HostEndpoint own)
    {
        // The kernel knows best: it lets a socket have an address only if the address is ours.
        var address = IPAddress.Parse(own.Address);
        try
        {
            using var socket = new Socket(address.AddressFamily, SocketType.Dgram, ProtocolType.Udp);
            socket.Bind(new IPEndPoint(address, 0));
            return true;
        }
        catch (SocketException error)
        {
            return error.SocketErrorCode is not (
                SocketError.AddressNotAvailable or SocketError.AddressFamilyNotSupported);
        }
    }

    public static string Describe(ResourceConfiguration resource) =>
        $"{resource.Own.Position}: in resource {resource.Name}, on {resource.Own.Name}: the address "
        + $"{resource.Own.Address} is on no interface of this machine. Correct it, bring the interface up, "
        + "or set disable-ip-verification in global { }.";
}
