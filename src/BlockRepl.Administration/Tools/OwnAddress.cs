using System.Net;
using System.Net.Sockets;
using BlockRepl.Configuration;

namespace BlockRepl.Administration.Tools;

/// <summary>
/// Whether an address is this machine's: if a resource's own is not, no peer would ever reach it, and nobody would know
/// why.
/// </summary>
public static class OwnAddress
{
    public static bool Has(string text)
    {
        if (!IPAddress.TryParse(text, out IPAddress? address))
        {
            return false;
        }

        // The kernel knows best: it lets a socket have an address only if the address is ours.
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

    /// <summary>What is wrong with a resource's own address; null: nothing, or nobody wants to know.</summary>
    public static ConfigurationException? Problem(ResourceConfiguration resource, GlobalSettings global) =>
        global.DisableIpVerification || Has(resource.Own.Address)
            ? null
            : ConfigurationException.AddressIsNotHere(
                resource.Own.Position, resource.Name, resource.Own.Name, resource.Own.Address);

    /// <summary>An endpoint as drbdsetup writes it: <c>ipv4:192.0.2.1:7788</c>.</summary>
    public static string ToAddressWord(this HostEndpoint endpoint) => endpoint.IsIpv6
        ? $"ipv6:[{endpoint.Address}]:{endpoint.Port}"
        : $"ipv4:{endpoint.Address}:{endpoint.Port}";
}
