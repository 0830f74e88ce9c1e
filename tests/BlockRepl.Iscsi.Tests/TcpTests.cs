using System.Net;
using System.Net.Sockets;
using BlockRepl.Iscsi.Net;
using BlockRepl.Iscsi.Protocol;
using BlockRepl.Iscsi.Protocol.Login;
using Xunit;

namespace BlockRepl.Iscsi.Tests;

/// <summary>Real sockets on the loopback interface: every wait ends at its deadline.</summary>
public sealed class TcpTests
{
    // How much later than its deadline a wait may end on a busy machine.
    private const long LateMs = 30000;

    private readonly TcpNetwork _network = new();

    [Theory]
    [InlineData("127.0.0.1")]
    [InlineData("::1")]
    [InlineData("localhost")]
    public void Bytes_go_both_ways(string host)
    {
        using TcpListener listener = Listen(host == "localhost" ? "127.0.0.1" : host);
        using ITargetStream stream = _network.Connect(PortalOf(listener, host), _network.NowMs + 10000);
        using Socket peer = listener.AcceptSocket();
        stream.Send("hello"u8, _network.NowMs + 10000);
        byte[] buffer = new byte[100];
        Assert.Equal(5, peer.Receive(buffer));
        peer.Send("answer"u8);
        Assert.Equal(6, stream.Receive(buffer, _network.NowMs + 10000));
        peer.Shutdown(SocketShutdown.Both);
        Assert.Equal(0, stream.Receive(buffer, _network.NowMs + 10000));
    }

    [Fact]
    public void A_peer_that_says_nothing_is_not_waited_for_beyond_the_deadline()
    {
        using TcpListener listener = Listen("127.0.0.1");
        using ITargetStream stream = _network.Connect(PortalOf(listener), _network.NowMs + 10000);
        long deadline = _network.NowMs + 200;
        Assert.Null(stream.Receive(new byte[1], deadline));
        Assert.InRange(_network.NowMs, deadline, deadline + LateMs);
        Assert.Null(stream.Receive(new byte[1], _network.NowMs - 1));
    }

    [Fact]
    public void A_peer_that_reads_nothing_is_not_waited_for_beyond_the_deadline()
    {
        using TcpListener listener = Listen("127.0.0.1");
        using ITargetStream stream = _network.Connect(PortalOf(listener), _network.NowMs + 10000);
        using Socket peer = listener.AcceptSocket();
        long deadline = _network.NowMs + 300;
        IscsiException failure = Assert.Throws<IscsiException>(() => stream.Send(new byte[64 << 20], deadline));
        Assert.Equal(IscsiError.TimedOut, failure.Error);
        Assert.InRange(_network.NowMs, deadline, deadline + LateMs);
    }

    /// <summary>A write that was given up must not reach the disk minutes later.</summary>
    [Fact]
    public void What_is_not_sent_when_the_connection_is_closed_never_is()
    {
        using TcpListener listener = Listen("127.0.0.1");
        using Socket peer = FillAndClose(listener);
        byte[] buffer = new byte[1 << 20];
        SocketError error;
        int received;
        do
        {
            received = peer.Receive(buffer, SocketFlags.None, out error);
        }
        while (error == SocketError.Success && received > 0);

        Assert.Equal(SocketError.ConnectionReset, error);
    }

    [Fact]
    public void A_connection_that_is_reset_is_lost()
    {
        using TcpListener listener = Listen("127.0.0.1");
        using ITargetStream stream = _network.Connect(PortalOf(listener), _network.NowMs + 10000);
        using (Socket peer = listener.AcceptSocket())
        {
            peer.LingerState = new LingerOption(true, 0);
        }

        IscsiException failure = Assert.Throws<IscsiException>(() =>
            stream.Receive(new byte[1], _network.NowMs + 10000));
        Assert.Equal(IscsiError.ConnectionLost, failure.Error);
    }

    [Fact]
    public void A_refused_connection_and_an_unknown_host_are_named()
    {
        TcpListener listener = Listen("127.0.0.1");
        Portal portal = PortalOf(listener);
        listener.Dispose();
        Fails(portal, portal.ToString());
        Fails(new Portal("no-such-host.invalid", 3260), "no-such-host.invalid");
    }

    /// <summary>A listener whose queue is full answers no more SYNs: the kernel would try for two minutes.</summary>
    [Fact]
    public void A_host_that_does_not_answer_is_not_waited_for_beyond_the_deadline()
    {
        using TcpListener listener = Listen("127.0.0.1", backlog: 0);
        var waiting = new List<ITargetStream>();
        try
        {
            long deadline = 0;
            IscsiException failure = Assert.Throws<IscsiException>(() =>
            {
                for (int i = 0; i < 100; i++)
                {
                    deadline = _network.NowMs + 300;
                    waiting.Add(_network.Connect(PortalOf(listener), deadline));
                }
            });
            Assert.Equal(IscsiError.TimedOut, failure.Error);
            Assert.InRange(_network.NowMs, deadline, deadline + LateMs);
        }
        finally
        {
            waiting.ForEach(stream => stream.Dispose());
        }
    }

    private Socket FillAndClose(TcpListener listener)
    {
        using ITargetStream stream = _network.Connect(PortalOf(listener), _network.NowMs + 10000);
        Socket peer = listener.AcceptSocket();
        Assert.Throws<IscsiException>(() => stream.Send(new byte[64 << 20], _network.NowMs + 100));
        return peer;
    }

    private void Fails(Portal portal, string words)
    {
        IscsiException failure = Assert.Throws<IscsiException>(() =>
            _network.Connect(portal, _network.NowMs + 10000));
        Assert.Contains(words, failure.Message, StringComparison.Ordinal);
        Assert.True(failure.Error is IscsiError.Unreachable or IscsiError.TimedOut);
    }

    private static TcpListener Listen(string address, int backlog = 10)
    {
        var listener = new TcpListener(IPAddress.Parse(address), 0);
        listener.Start(backlog);
        return listener;
    }

    private static Portal PortalOf(TcpListener listener, string? host = null)
    {
        var address = (IPEndPoint)listener.LocalEndpoint;
        return new Portal(host ?? address.Address.ToString(), address.Port);
    }
}
