using System.Net;
using System.Net.Sockets;

namespace BlockRepl.Iscsi.Tests;

/// <summary>
/// Forwards connections on the loopback interface and resets each after a number of bytes, in either direction, that a
/// seed tells.
/// </summary>
internal sealed class CuttingProxy : IDisposable
{
    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    private readonly Random _random;
    private readonly int _target;
    private readonly int _longestLife;
    private readonly Thread _acceptor;

    public CuttingProxy(int target, int seed, int longestLife)
    {
        _target = target;
        _random = new Random(seed);
        _longestLife = longestLife;
        _listener.Start();
        Port = ((IPEndPoint)_listener.LocalEndpoint).Port;
        _acceptor = new Thread(Accept) { IsBackground = true };
        _acceptor.Start();
    }

    public int Port { get; }

    public int Connections { get; private set; }

    public void Dispose()
    {
        _listener.Dispose();
        _acceptor.Join();
    }

    private void Accept()
    {
        try
        {
            while (true)
            {
                using Socket client = _listener.AcceptSocket();
                using var server = new Socket(SocketType.Stream, ProtocolType.Tcp);
                server.Connect(IPAddress.Loopback, _target);
                client.LingerState = server.LingerState = new LingerOption(true, 0);
                client.NoDelay = server.NoDelay = true;
                Connections++;
                Forward(client, server, _random.Next(_longestLife));
            }
        }
        catch (SocketException)
        {
            // The listener is closed, or the target is.
        }
        catch (ObjectDisposedException)
        {
            // The listener is closed.
        }
    }

    private static void Forward(Socket client, Socket server, int bytes)
    {
        byte[] buffer = new byte[8192];
        while (bytes > 0)
        {
            var ready = new List<Socket> { client, server };
            Socket.Select(ready, null, null, TimeSpan.FromSeconds(60));
            foreach (Socket from in ready)
            {
                int most = Math.Min(buffer.Length, bytes);
                int count = from.Receive(buffer, 0, most, SocketFlags.None, out SocketError error);
                if (count == 0 || error != SocketError.Success)
                {
                    return;
                }

                (from == client ? server : client).Send(buffer, 0, count, SocketFlags.None, out error);
                bytes -= count;
                if (error != SocketError.Success || bytes <= 0)
                {
                    return;
                }
            }

            if (ready.Count == 0)
            {
                return;
            }
        }
    }
}
