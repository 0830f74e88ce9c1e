using System.Net;
using System.Net.Sockets;
using BlockRepl.Nodes;
using Xunit;

namespace BlockRepl.EndToEnd.Tests;

/// <summary>Strangers on the ports of a running pair.</summary>
public sealed class HostileInputTests
{
    private const int Strangers = 40;

    [Fact]
    public void Random_bytes_on_the_replication_port_do_not_disturb_a_connection()
    {
        using TwoNodes nodes = TwoNodes.Connected(new TwoNodesOptions());
        for (int seed = 0; seed < Strangers; seed++)
        {
            SendRandomBytes(new IPEndPoint(IPAddress.Loopback, nodes.Left.Port), seed);
        }

        AssertStillWorking(nodes);
    }

    [Fact]
    public void Random_bytes_on_the_nbd_socket_do_not_disturb_other_clients()
    {
        using TwoNodes nodes = TwoNodes.Connected(new TwoNodesOptions());
        for (int seed = 0; seed < Strangers; seed++)
        {
            SendRandomBytes(new UnixDomainSocketEndPoint(nodes.Left.NbdSocket), seed);
        }

        AssertStillWorking(nodes);
    }

    private static void AssertStillWorking(TwoNodes nodes)
    {
        Assert.False(nodes.Left.DaemonHasExited, nodes.Left.LogTail());
        nodes.WaitInSync();
        Need.Program("nbdcopy", "libnbd-bin");
        string file = Clients.RandomFile(nodes.Folder, "content", 1 << 20, seed: 81);
        Clients.CopyIn(file, nodes.Left);
        Assert.Equal(Clients.HashOfFile(file), Clients.HashOfDevice(nodes.Left, 1 << 20));
        Assert.True(nodes.DisksAreEqual(nodes.Down(nodes.Left, nodes.Right)));
    }

    /// <summary>Sends up to 4 KiB and closes; a refusal by reset is as good as one by silence.</summary>
    private static void SendRandomBytes(EndPoint address, int seed)
    {
        var random = new Random(seed);
        byte[] bytes = new byte[random.Next(1, 4096)];
        random.NextBytes(bytes);
        using var socket = new Socket(address.AddressFamily, SocketType.Stream, ProtocolType.Unspecified);
        try
        {
            socket.Connect(address);
            socket.Send(bytes);
        }
        catch (SocketException)
        {
        }
    }
}
