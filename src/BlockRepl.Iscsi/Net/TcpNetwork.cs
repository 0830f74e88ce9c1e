using System.Net;
using System.Net.Sockets;
using BlockRepl.Iscsi.Protocol;
using BlockRepl.Iscsi.Protocol.Login;

namespace BlockRepl.Iscsi.Net;

/// <summary>
/// The real network. Sockets do not block, and each wait is a poll on the caller's own thread that ends at the
/// deadline: nothing here needs the thread pool, save the look-up of a host name.
/// </summary>
internal sealed class TcpNetwork : INetwork
{
    public long NowMs => Environment.TickCount64;

    public void Pause(long milliseconds) => Thread.Sleep((int)Math.Min(milliseconds, int.MaxValue));

    /// <summary>From the kernel: the base library's generator would bring OpenSSL into the process.</summary>
    public void FillRandom(Span<byte> bytes)
    {
        using var random = new FileStream("/dev/urandom", FileMode.Open, FileAccess.Read, FileShare.ReadWrite, 0);
        random.ReadExactly(bytes);
    }

    public ITargetStream Connect(Portal portal, long deadlineMs)
    {
        IPAddress[] addresses = Resolve(portal.Host, deadlineMs);
        IscsiException? failure = null;
        for (int i = 0; i < addresses.Length; i++)
        {
            long now = NowMs;
            long share = Math.Max(deadlineMs - now, 0) / (addresses.Length - i);
            try
            {
                return TcpTargetStream.Connect(this, new IPEndPoint(addresses[i], portal.Port), now + share);
            }
            catch (IscsiException e)
            {
                failure = e;
            }
        }

        throw failure ?? new IscsiException(IscsiError.Unreachable, $"the host name {portal.Host} has no address");
    }

    /// <summary>A look-up cannot be ended; one that takes too long is left alone.</summary>
    private IPAddress[] Resolve(string host, long deadlineMs)
    {
        if (IPAddress.TryParse(host, out IPAddress? literal))
        {
            return [literal];
        }

        try
        {
            Task<IPAddress[]> lookup = Dns.GetHostAddressesAsync(host);
            return lookup.Wait((int)Math.Clamp(deadlineMs - NowMs, 0, int.MaxValue))
                ? lookup.Result
                : throw new IscsiException(IscsiError.TimedOut, $"looking up the host name {host} takes too long");
        }
        catch (AggregateException e)
        {
            throw new IscsiException(
                IscsiError.Unreachable, $"the host name {host} cannot be looked up: {e.InnerException?.Message}", e);
        }
    }
}
