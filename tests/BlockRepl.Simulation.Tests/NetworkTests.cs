using BlockRepl.Simulation.Net;
using Xunit;

namespace BlockRepl.Simulation.Tests;

public sealed class SimNetworkTests
{
    private readonly EventQueue _queue = new();
    private readonly Probe[] _probes = [new(), new()];

    [Fact]
    public void Bytes_arrive_whole_and_in_order_however_they_are_cut()
    {
        for (ulong seed = 0; seed < 20; seed++)
        {
            (SimSocket near, SimSocket far) = Connect(seed);
            byte[] sent = new byte[200_000];
            new Random((int)seed).NextBytes(sent);
            int taken = 0;
            while (taken < sent.Length)
            {
                taken += near.Write(sent.AsSpan(taken));
                Run(Duration.Millisecond);
            }

            Run(Duration.Second);
            Assert.Equal(sent, _probes[1].Received);
            Assert.False(far.IsClosed);
        }
    }

    [Fact]
    public void A_cut_delivers_exactly_so_many_bytes_and_ends_both_sides()
    {
        (SimSocket near, _) = Connect(3);
        near.CutAfterBytes = 1000;
        near.Write(new byte[5000]);
        Run(Duration.Second);
        Assert.Equal(1000, _probes[1].Received.Count);
        Assert.All(_probes, p => Assert.Equal(SocketEnd.Reset, p.End));
    }

    [Fact]
    public void A_silent_direction_holds_its_bytes_back_and_the_other_flows()
    {
        (SimSocket near, SimSocket far) = Connect(4);
        _network!.SetLink(0, up: false);
        near.Write([1, 2, 3]);
        far.Write([4, 5]);
        Run(5 * Duration.Second);
        Assert.Empty(_probes[1].Received);
        Assert.Equal([4, 5], _probes[0].Received);
        _network.SetLink(0, up: true);
        Run(Duration.Second);
        Assert.Equal([1, 2, 3], _probes[1].Received);
    }

    [Fact]
    public void Closing_delivers_what_was_sent_and_then_the_end()
    {
        (SimSocket near, _) = Connect(5);
        near.Write(new byte[3000]);
        near.Close();
        Run(Duration.Second);
        Assert.Equal(3000, _probes[1].Received.Count);
        Assert.Equal(SocketEnd.Finished, _probes[1].End);
    }

    [Fact]
    public void A_host_without_power_is_silent_and_resets_when_it_is_back()
    {
        (SimSocket near, _) = Connect(6);
        _network!.SetHostUp(1, false);
        near.Write([1]);
        Run(5 * Duration.Second);
        Assert.Null(_probes[0].End);
        _network.SetHostUp(1, true);
        Run(5 * Duration.Second);
        Assert.Equal(SocketEnd.Reset, _probes[0].End);
    }

    [Fact]
    public void Nobody_listening_refuses_at_once_and_no_host_after_the_timeout()
    {
        _network = new SimNetwork(_queue, new Rng(7), new NetworkSettings());
        _network.SetHostUp(1, true);
        _network.Connect(0, _probes[0], 3 * Duration.Second);
        Run(100 * Duration.Millisecond);
        Assert.Equal(1, _probes[0].Refused);
        _network.SetHostUp(1, false);
        _network.Connect(0, _probes[0], 3 * Duration.Second);
        Run(2 * Duration.Second);
        Assert.Equal(1, _probes[0].Refused);
        Run(2 * Duration.Second);
        Assert.Equal(2, _probes[0].Refused);
    }

    private SimNetwork? _network;

    private (SimSocket Near, SimSocket Far) Connect(ulong seed)
    {
        _network = new SimNetwork(_queue, new Rng(seed), new NetworkSettings { MaxChunkBytes = 3000 });
        _network.SetHostUp(0, true);
        _network.SetHostUp(1, true);
        _probes[1].Received.Clear();
        _network.Listen(1, _probes[1]);
        SimSocket near = _network.Connect(0, _probes[0], Duration.Second);
        Run(10 * Duration.Millisecond);
        Assert.NotNull(near.Peer);
        return (near, near.Peer);
    }

    private void Run(long time)
    {
        long until = _queue.NowNs + time;
        while (_queue.Step(until))
        {
        }
    }

    private sealed class Probe : ISocketOwner
    {
        public List<byte> Received { get; } = [];

        public SocketEnd? End { get; private set; }

        public int Refused { get; private set; }

        public void OnBytes(SimSocket socket)
        {
            Received.AddRange(socket.Input);
            socket.TakeInput(socket.Input.Length);
        }

        public void OnWritable(SimSocket socket)
        {
        }

        public void OnEnd(SimSocket socket, SocketEnd end) => End = end;

        public void OnConnected(SimSocket socket)
        {
        }

        public void OnConnectFailed(SimSocket socket) => Refused++;

        public void OnAccepted(SimSocket socket)
        {
        }
    }
}
