using BlockRepl.Core.Handshake;
using BlockRepl.Core.Options;
using BlockRepl.Core.Protocol;
using Xunit;

namespace BlockRepl.Core.Tests.Handshake;

public sealed class ConnectLoopTests
{
    private const long Second = TestNetwork.Second;

    private static readonly NetOptions Net = new() { ConnectIntervalSeconds = 10, PingTimeoutDeciseconds = 5 };

    // ---- one loop, step by step ----

    [Fact]
    public void The_first_own_connect_is_data_the_second_meta()
    {
        RecordingHost host = new();
        ConnectLoop loop = new(Net);
        loop.Start(0, host);
        loop.OnOpened(1, new StreamId(1));

        Assert.Equal(["listen True", "open 1", "initial data 1"], host.Calls);
        Assert.Equal(new StreamId(1), loop.DataStream);
        Assert.InRange(loop.NextDeadlineNs, 8 * Second, 12 * Second);

        loop.OnTimer(loop.NextDeadlineNs);
        loop.OnOpened(12 * Second, new StreamId(2));

        Assert.Equal(["open 2", "initial meta 2"], host.Calls[3..]);
        Assert.False(loop.Done);
        Assert.Equal((12 * Second) + (Second / 2), loop.NextDeadlineNs);

        loop.OnTimer(loop.NextDeadlineNs);

        Assert.True(loop.Done);
        Assert.False(loop.ResolveConflicts);
        Assert.Equal("listen False", host.Calls[^1]);
        Assert.Equal(long.MaxValue, loop.NextDeadlineNs);
    }

    [Fact]
    public void After_the_peers_data_stream_it_connects_back_at_once()
    {
        RecordingHost host = new();
        ConnectLoop loop = new(Net);
        loop.Start(0, host);
        loop.OnClosed(1, new StreamId(1));
        loop.OnAccepted(2 * Second, new StreamId(50));
        Assert.True(loop.WantsPacket(new StreamId(50)));
        loop.OnFirstPacket(2 * Second, new StreamId(50), Command.InitialData);

        Assert.False(loop.WantsPacket(new StreamId(50)));
        Assert.Equal("open 2", host.Calls[^1]);
    }

    [Fact]
    public void The_accepted_meta_stream_sets_resolve_conflicts()
    {
        RecordingHost host = new();
        ConnectLoop loop = new(Net);
        loop.Start(0, host);
        loop.OnOpened(1, new StreamId(1));
        loop.OnAccepted(2, new StreamId(50));
        loop.OnFirstPacket(3, new StreamId(50), Command.InitialMeta);
        loop.OnTimer(3 + (Second / 2));

        Assert.True(loop.Done);
        Assert.True(loop.ResolveConflicts);
        Assert.Equal((new StreamId(1), new StreamId(50)), (loop.DataStream, loop.MetaStream));
    }

    [Fact]
    public void The_socket_check_timeout_replaces_the_ping_timeout()
    {
        RecordingHost host = new();
        ConnectLoop loop = new(Net with { SocketCheckTimeoutDeciseconds = 20 });
        loop.Start(0, host);
        loop.OnOpened(0, new StreamId(1));
        loop.OnAccepted(0, new StreamId(50));
        loop.OnFirstPacket(0, new StreamId(50), Command.InitialMeta);

        Assert.Equal(2 * Second, loop.NextDeadlineNs);
    }

    [Fact]
    public void A_crossed_stream_replaces_the_own_one()
    {
        RecordingHost host = new();
        ConnectLoop loop = new(Net);
        loop.Start(0, host);
        loop.OnOpened(1, new StreamId(1));
        loop.OnAccepted(2, new StreamId(50));
        loop.OnFirstPacket(3, new StreamId(50), Command.InitialData);

        Assert.Equal("close 1", host.Calls[^1]);
        Assert.Equal(new StreamId(50), loop.DataStream);
        Assert.InRange(loop.NextDeadlineNs, 3, 3 + (2 * Second));
    }

    [Fact]
    public void A_stream_that_ends_while_settling_starts_over_with_the_other_one()
    {
        RecordingHost host = new();
        ConnectLoop loop = new(Net);
        loop.Start(0, host);
        loop.OnOpened(1, new StreamId(1));
        loop.OnAccepted(2, new StreamId(50));
        loop.OnFirstPacket(3, new StreamId(50), Command.InitialMeta);
        loop.OnClosed(4, new StreamId(1));

        Assert.Equal(StreamId.None, loop.DataStream);
        Assert.InRange(loop.NextDeadlineNs, Second / 2, 3 * Second);

        loop.OnTimer(loop.NextDeadlineNs);
        loop.OnOpened(5 * Second, new StreamId(2));

        Assert.Equal("initial data 2", host.Calls[^1]);
        loop.OnTimer(loop.NextDeadlineNs);
        Assert.True(loop.Done);
        Assert.True(loop.ResolveConflicts);
    }

    [Fact]
    public void Streams_without_a_proper_first_packet_are_ignored()
    {
        RecordingHost host = new();
        ConnectLoop loop = new(Net);
        loop.Start(0, host);
        loop.OnClosed(0, new StreamId(1));
        long deadline = loop.NextDeadlineNs;
        loop.OnAccepted(0, new StreamId(50));
        loop.OnAccepted(0, new StreamId(51));
        loop.OnAccepted(0, new StreamId(52));

        loop.OnFirstPacket(1, new StreamId(50), Command.Ping);
        loop.OnClosed(2, new StreamId(51));
        Assert.Equal(2 * Second, loop.NextDeadlineNs);
        loop.OnTimer(2 * Second);

        Assert.Equal(["close 50", "close 52"], host.Calls[^2..]);
        Assert.Equal(deadline, loop.NextDeadlineNs);
    }

    [Fact]
    public void Many_silent_streams_do_not_pile_up()
    {
        RecordingHost host = new();
        ConnectLoop loop = new(Net);
        loop.Start(0, host);
        for (int i = 0; i < 1000; i++)
        {
            loop.OnAccepted(i, new StreamId(100 + i));
        }

        Assert.Equal(992, host.Calls.Count(c => c.StartsWith("close", StringComparison.Ordinal)));
        loop.OnFirstPacket(1001, new StreamId(1099), Command.InitialData);
        Assert.Equal(new StreamId(1099), loop.DataStream);
    }

    [Fact]
    public void A_connect_that_is_not_answered_is_given_up_and_may_not_come_late()
    {
        RecordingHost host = new();
        ConnectLoop loop = new(Net);
        loop.Start(0, host);
        loop.OnTimer(10 * Second);

        Assert.Equal("close 1", host.Calls[^1]);
        loop.OnOpened(10 * Second, new StreamId(1));
        Assert.Equal(StreamId.None, loop.DataStream);
    }

    [Fact]
    public void A_pending_connect_is_dropped_when_the_peers_streams_suffice()
    {
        RecordingHost host = new();
        ConnectLoop loop = new(Net);
        loop.Start(0, host);
        loop.OnAccepted(1, new StreamId(50));
        loop.OnAccepted(1, new StreamId(51));
        loop.OnFirstPacket(2, new StreamId(50), Command.InitialData);
        loop.OnFirstPacket(2, new StreamId(51), Command.InitialMeta);

        Assert.Equal("close 1", host.Calls[^1]);
        loop.OnTimer(2 + (Second / 2));
        Assert.True(loop.Done);
    }

    [Fact]
    public void Stop_closes_everything_but_what_it_handed_over()
    {
        RecordingHost host = new();
        ConnectLoop loop = new(Net);
        loop.Start(0, host);
        loop.OnOpened(1, new StreamId(1));
        loop.OnAccepted(2, new StreamId(50));
        loop.Stop(host);
        Assert.Equal(["close 1", "close 50", "listen False"], host.Calls[^3..]);
        Assert.Equal(long.MaxValue, loop.NextDeadlineNs);

        loop.Start(10, host);
        loop.OnOpened(11, new StreamId(2));
        loop.OnAccepted(12, new StreamId(60));
        loop.OnFirstPacket(13, new StreamId(60), Command.InitialMeta);
        loop.OnTimer(13 + Second);
        Assert.True(loop.Done);
        int calls = host.Calls.Count;
        loop.Stop(host);
        Assert.Equal(calls, host.Calls.Count);
        Assert.False(loop.Done);
    }

    // ---- two nodes over a network ----

    [Fact]
    public void Two_loops_that_start_at_the_same_moment_soon_agree()
    {
        long slowest = 0;
        Seeded.Run(1, 10_000, random =>
        {
            TestNetwork network = new(random);
            TestNode a = new LoopNode(network, 0, Net);
            TestNode b = new LoopNode(network, 1, Net);
            Place(network, a, b);
            network.At(0, a.Start);
            network.At(random.Next(3) == 0 ? 0 : random.Next(3_000_000), b.Start);
            network.RunUntil(60 * Second);
            RequireAgreement(a, b);
            slowest = Math.Max(slowest, Math.Max(a.EstablishedAtNs, b.EstablishedAtNs));
        });
        Assert.InRange(slowest, Second / 2, 30 * Second);
    }

    [Fact]
    public void Chance_separates_two_loops_that_do_everything_at_the_same_moments()
    {
        long sum = 0;
        Seeded.Run(1, 2_000, random =>
        {
            TestNetwork network = new(random, lockstep: true);
            TestNode a = new LoopNode(network, 0, Net);
            TestNode b = new LoopNode(network, 1, Net);
            Place(network, a, b);
            network.At(0, a.Start);
            network.At(0, b.Start);
            network.RunUntil(60 * Second);
            RequireAgreement(a, b);
            sum += a.EstablishedAtNs / 1_000_000;
        });
        Assert.InRange(sum / 2_000, 500, 3_000);
    }

    [Fact]
    public void Two_loops_agree_after_any_disturbance() => Seeded.Run(1, 10_000, random =>
    {
        TestNetwork network = new(random);
        TestNode a = new LoopNode(network, 0, Net);
        TestNode b = new LoopNode(network, 1, Net);
        Disturb(network, a, b);
        network.RunUntil(150 * Second);
        RequireAgreement(a, b);
    });

    [Fact]
    public void A_loop_and_a_kernel_agree_after_any_disturbance() => Seeded.Run(1, 10_000, random =>
    {
        TestNetwork network = new(random);
        TestNode a = new LoopNode(network, 0, Net);
        TestNode b = new KernelNode(network, 1, Net);
        Disturb(network, a, b);
        network.RunUntil(200 * Second);
        RequireAgreement(a, b);
    });

    [Theory]
    [InlineData(true, 15)]
    [InlineData(false, 40)]
    public void A_listening_peer_is_connected_to(bool connectsBack, int seconds) => Seeded.Run(1, 2_000, random =>
    {
        TestNetwork network = new(random);
        TestNode a = new LoopNode(network, 0, Net);
        TestNode b = new ListenOnlyNode(network, 1, connectsBack);
        Place(network, a, b);
        network.At(random.NextInt64(Second), a.Start);
        network.At(random.NextInt64(Second), b.Start);
        network.RunUntil(seconds * Second);
        RequireAgreement(a, b);
    });

    [Fact]
    public void A_peer_that_only_connects_is_accepted() => Seeded.Run(1, 2_000, random =>
    {
        TestNetwork network = new(random);
        TestNode a = new LoopNode(network, 0, Net);
        TestNode b = new ConnectOnlyNode(network, 1);
        Place(network, a, b);
        network.At(random.NextInt64(Second), a.Start);
        network.At(random.NextInt64(Second), b.Start);
        network.RunUntil(60 * Second);
        RequireAgreement(a, b);
    });

    private static void Place(TestNetwork network, TestNode a, TestNode b)
    {
        network.Nodes[0] = a;
        network.Nodes[1] = b;
    }

    /// <summary>
    /// For 30 s streams break, strangers connect, nodes restart and the link goes away; then all is quiet.
    /// </summary>
    private static void Disturb(TestNetwork network, TestNode a, TestNode b)
    {
        Random random = network.Random;
        Place(network, a, b);
        network.At(random.NextInt64(3 * Second), a.Start);
        network.At(random.NextInt64(3 * Second), b.Start);
        int disturbances = random.Next(12);
        for (int i = 0; i < disturbances; i++)
        {
            TestNode victim = random.Next(2) == 0 ? a : b;
            network.At((4 * Second) + random.NextInt64(26 * Second), random.Next(6) switch
            {
                0 => () => victim.Restart(random.NextInt64(4 * Second) + 1),
                1 => () => network.OpenStray(victim),
                2 => () => Outage(network),
                _ => network.BreakOne,
            });
        }
    }

    private static void Outage(TestNetwork network)
    {
        if (!network.LinkDown)
        {
            network.SetLink(down: true);
            network.At(network.Random.NextInt64(8 * Second), () => network.SetLink(down: false));
        }
    }

    private static void RequireAgreement(TestNode a, TestNode b)
    {
        Assert.NotNull(a.Established);
        Assert.NotNull(b.Established);
        Assert.Same(a.Established.Value.Data, b.Established.Value.Data);
        Assert.Same(a.Established.Value.Meta, b.Established.Value.Meta);
        Assert.NotEqual(a.Established.Value.ResolveConflicts, b.Established.Value.ResolveConflicts);
        bool acceptedAtA = a.Established.Value.Meta.Acceptor.Node == a;
        Assert.Equal(acceptedAtA, a.Established.Value.ResolveConflicts);
    }

    private sealed class RecordingHost : IConnectHost
    {
        private int _opened;

        public List<string> Calls { get; } = [];

        public StreamId OpenStream()
        {
            _opened++;
            Calls.Add($"open {_opened}");
            return new StreamId(_opened);
        }

        public void Listen(bool on) => Calls.Add($"listen {on}");

        public void CloseStream(StreamId stream) => Calls.Add($"close {stream.Value}");

        public void SendInitial(StreamId stream, bool data) =>
            Calls.Add($"initial {(data ? "data" : "meta")} {stream.Value}");

        public ulong NextRandom() => 12345;
    }
}
