using System.Net.Sockets;
using BlockRepl.Core;
using BlockRepl.FrontEnd.Nbd;
using Microsoft.Extensions.Logging.Abstractions;

namespace BlockRepl.Engine.Tests.Nbd;

public sealed class NbdSessionTests : IDisposable
{
    private const ushort Read = 0;
    private const ushort Write = 1;
    private const ushort Disconnect = 2;
    private const ushort Flush = 3;
    private const ushort Trim = 4;
    private const ushort Zeroes = 6;
    private const ushort Fua = 1;
    private const int Size = 48 << 20;

    private readonly string _path =
        Path.Combine(Path.GetTempPath(), $"brn-{Environment.ProcessId}-{Guid.NewGuid():N}.sock");
    private readonly MemoryVolume _volume = new(Size);
    private readonly NbdServer _server;

    public NbdSessionTests() =>
        _server = NbdServer.Start(new NbdServerOptions { UnixSocketPath = _path }, _volume, NullLogger.Instance);

    public void Dispose()
    {
        _server.Dispose();
        _volume.Eventually(() => _volume.OpenCount == 0, "every session gives its open back");
        Assert.Equal(0, _volume.OnLoop(() => _volume.Buffers.RentedCount));
        Assert.Equal(0, _volume.OnLoop(() => _volume.Arriving));
        _volume.Dispose();
    }

    [Theory]
    [InlineData(512)]
    [InlineData(4096)]
    [InlineData(128 << 10)]
    [InlineData(1 << 20)]
    [InlineData((1 << 20) + 512)]
    [InlineData(32 << 20)]
    public void What_is_written_is_read_back(int bytes)
    {
        using var client = NbdTestClient.Open(_path);
        var data = new byte[bytes];
        new Random(bytes).NextBytes(data);

        client.Send(NbdBytes.Request(Write, 1, 8192, (uint)bytes));
        client.Send(data);
        Assert.Equal((1UL, 0u), client.ReceiveReply());
        client.Send(NbdBytes.Request(Read, 2, 8192, (uint)bytes));
        Assert.Equal((2UL, 0u), client.ReceiveReply());

        Assert.True(data.AsSpan().SequenceEqual(client.Receive(bytes)));
        Assert.All(_volume.Requests, r => Assert.True(r.ByteCount <= CoreLimits.MaxPayloadBytes));
    }

    [Fact]
    public void A_refused_write_is_drained_and_the_stream_stays_in_step()
    {
        using var client = NbdTestClient.Open(_path);

        client.Send(NbdBytes.Request(Write, 1, 100, 3000));
        client.Send(new byte[3000]);
        client.Send(NbdBytes.Request(Write, 2, Size, 1 << 20));
        client.Send(new byte[1 << 20]);
        client.Send(NbdBytes.Request(Flush, 3, 0, 0));

        Assert.Equal((1UL, 22u), client.ReceiveReply());
        Assert.Equal((2UL, 28u), client.ReceiveReply());
        Assert.Equal((3UL, 0u), client.ReceiveReply());
        Assert.Equal(RequestKind.Flush, Assert.Single(_volume.Requests).Kind);
    }

    [Fact]
    public void Zeroes_with_fua_end_with_a_flush_and_large_ones_come_in_parts()
    {
        using var volume = new MemoryVolume(300 << 20);
        var path = _path + "2";
        using var server = NbdServer.Start(new NbdServerOptions { UnixSocketPath = path }, volume, NullLogger.Instance);
        using (var client = NbdTestClient.Open(path))
        {
            client.Send(NbdBytes.Request(Zeroes, 1, 0, 300 << 20, Fua));
            Assert.Equal((1UL, 0u), client.ReceiveReply());
            client.Send(NbdBytes.Request(Trim, 2, 0, 4096));
            Assert.Equal((2UL, 0u), client.ReceiveReply());
        }

        Assert.Equal(
            [RequestKind.WriteZeroesMayUnmap, RequestKind.WriteZeroesMayUnmap, RequestKind.WriteZeroesMayUnmap,
                RequestKind.Flush, RequestKind.Discard],
            volume.Requests.Select(r => r.Kind));
        Assert.Equal(300 << 20, volume.Requests.Take(3).Sum(r => r.ByteCount));
        volume.Eventually(() => volume.OpenCount == 0, "the session ends");
    }

    [Fact]
    public void Requests_are_cut_to_what_the_volume_takes_at_one_time()
    {
        _volume.Facts = _volume.Facts with { MaxPartBytes = 32 << 10, MaxZeroBytes = 64 << 10 };
        using var client = NbdTestClient.Open(_path);
        var data = new byte[100 << 10];
        new Random(1).NextBytes(data);

        client.Send(NbdBytes.Request(Write, 1, 0, (uint)data.Length));
        client.Send(data);
        Assert.Equal((1UL, 0u), client.ReceiveReply());
        client.Send(NbdBytes.Request(Read, 2, 0, (uint)data.Length));
        Assert.Equal((2UL, 0u), client.ReceiveReply());
        Assert.True(data.AsSpan().SequenceEqual(client.Receive(data.Length)));
        client.Send(NbdBytes.Request(Zeroes, 3, 0, 100 << 10));
        Assert.Equal((3UL, 0u), client.ReceiveReply());

        Assert.Equal([4, 4, 2], _volume.Requests.GroupBy(r => r.Kind).Select(g => g.Count()));
        Assert.All(_volume.Requests, r => Assert.True(r.ByteCount <= 64 << 10));
    }

    [Fact]
    public void A_write_with_fua_carries_it_to_the_volume()
    {
        using var client = NbdTestClient.Open(_path);

        client.Send(NbdBytes.Request(Write, 1, 0, 512, Fua));
        client.Send(new byte[512]);

        Assert.Equal((1UL, 0u), client.ReceiveReply());
        Assert.True(Assert.Single(_volume.Requests).ForceUnitAccess);
    }

    [Fact]
    public void An_error_of_the_disk_is_told_and_of_a_large_write_only_once()
    {
        _volume.BadByte = 3 << 20;
        using var client = NbdTestClient.Open(_path);

        client.Send(NbdBytes.Request(Write, 1, 0, 8 << 20));
        client.Send(new byte[8 << 20]);
        client.Send(NbdBytes.Request(Read, 2, 3 << 20, 4096));
        client.Send(NbdBytes.Request(Read, 3, 3 << 20, 2 << 20));
        client.Send(NbdBytes.Request(Flush, 4, 0, 0));

        var replies = Enumerable.Range(0, 4).Select(_ => client.ReceiveReply()).OrderBy(r => r.Cookie);
        Assert.Equal([(1UL, 5u), (2UL, 5u), (3UL, 5u), (4UL, 0u)], replies);
    }

    [Fact]
    public void A_large_read_that_fails_after_its_reply_began_ends_the_connection()
    {
        _volume.BadByte = 20 << 20;
        using var client = NbdTestClient.Open(_path);

        client.Send(NbdBytes.Request(Read, 1, 0, 32 << 20));

        Assert.Equal((1UL, 0u), client.ReceiveReply());
        Assert.True(client.ServerCloses());
    }

    [Fact]
    public void A_client_that_vanishes_with_requests_under_way_keeps_the_device_open_until_they_end()
    {
        _volume.OnLoop(() => _volume.Hold = true);
        using (var client = NbdTestClient.Open(_path))
        {
            for (var i = 0; i < 20; i++)
            {
                client.Send(NbdBytes.Request(i % 2 == 0 ? Read : Write, (ulong)i, (ulong)i * 4096, 4096));
                if (i % 2 != 0)
                {
                    client.Send(new byte[4096]);
                }
            }

            client.Send(NbdBytes.Request(Write, 99, 0, 1 << 20));
            client.Send(new byte[1000]);
            _volume.Eventually(() => _volume.Pending == 20, "all are under way");
        }

        Assert.Equal(1, _volume.OnLoop(() => _volume.OpenCount));
        _volume.OnLoop(() => _volume.Hold = false);
        _volume.Eventually(() => _volume.OpenCount == 0, "the open ends with the last request");
    }

    [Fact]
    public void A_disconnect_is_carried_out_after_what_was_asked_before()
    {
        _volume.OnLoop(() => _volume.Hold = true);
        using var client = NbdTestClient.Open(_path);
        client.Send(NbdBytes.Request(Write, 1, 0, 4096));
        client.Send(new byte[4096]);
        client.Send(NbdBytes.Request(Disconnect, 2, 0, 0));
        _volume.Eventually(() => _volume.Pending == 1, "the write is under way");

        _volume.OnLoop(() => _volume.Hold = false);

        Assert.Equal((1UL, 0u), client.ReceiveReply());
        Assert.True(client.ServerCloses());
    }

    [Fact]
    public void More_requests_than_slots_and_more_bytes_than_the_connection_may_hold_all_get_their_answer()
    {
        using var client = NbdTestClient.Open(_path);
        const int count = 400;
        var sender = new Thread(() =>
        {
            for (var i = 0; i < count; i++)
            {
                client.Send(NbdBytes.Request(Write, (ulong)i, (ulong)(i % 40) << 20, 1 << 18));
                client.Send(new byte[1 << 18]);
            }
        });
        sender.Start();

        var seen = new HashSet<ulong>();
        for (var i = 0; i < count; i++)
        {
            var (cookie, error) = client.ReceiveReply();
            Assert.Equal(0u, error);
            Assert.True(seen.Add(cookie));
        }

        sender.Join();
    }

    [Fact]
    public void Two_clients_that_share_too_few_buffers_both_make_progress()
    {
        _volume.OnLoop(() => _volume.Budget = 1 << 20);
        using var first = NbdTestClient.Open(_path);
        using var second = NbdTestClient.Open(_path);
        NbdTestClient[] clients = [first, second];
        var threads = clients.Select(client => new Thread(() =>
        {
            for (var i = 0; i < 40; i++)
            {
                client.Send(NbdBytes.Request(Write, (ulong)i, (ulong)i << 20, 1 << 20));
                client.Send(new byte[1 << 20]);
            }
        })).ToList();
        threads.ForEach(t => t.Start());

        foreach (var client in clients)
        {
            for (var i = 0; i < 40; i++)
            {
                Assert.Equal(0u, client.ReceiveReply().Error);
            }
        }

        threads.ForEach(t => t.Join());
    }

    [Fact]
    public void Random_requests_in_random_pieces_leave_what_a_model_says()
    {
        for (var seed = 1; seed <= 12; seed++)
        {
            RunRandomRequests(seed, reverse: seed % 2 == 0);
        }
    }

    [Fact]
    public void Random_bytes_close_the_connection_and_leak_nothing()
    {
        for (var seed = 1; seed <= 60; seed++)
        {
            var random = new Random(seed);
            using var client = NbdTestClient.Open(_path);
            try
            {
                for (var step = 0; step < 10; step++)
                {
                    var request = NbdBytes.Request(
                        (ushort)random.Next(9), (ulong)step, (ulong)random.Next(Size),
                        (uint)random.Next(70_000) * (uint)random.Next(3));
                    request[random.Next(28)] ^= (byte)random.Next(256);
                    client.Send(request);
                    var noise = new byte[random.Next(5000)];
                    random.NextBytes(noise);
                    client.Send(noise);
                }

                client.Shutdown();
            }
            catch (SocketException)
            {
                // The server has closed already.
            }

            Assert.True(client.ServerCloses(), $"seed {seed}");
        }

        Assert.Null(_volume.Fault);
    }

    [Fact]
    public void Ten_thousand_writes_and_reads_allocate_nothing_on_the_loop()
    {
        _volume.OnLoop(() => _volume.Record = false);
        using var client = NbdTestClient.Open(_path);
        RunRounds(client, 500);
        var before = LoopAllocations.Of(_volume.Loop);

        RunRounds(client, 5000);

        Assert.Equal(0, LoopAllocations.Of(_volume.Loop) - before);
    }

    [Fact]
    public void A_secondary_is_refused_and_can_be_opened_once_it_is_primary()
    {
        _volume.Refusal = "r0/0 is Secondary on this node";
        Assert.Contains(
            "Secondary",
            Assert.ThrowsAny<Exception>(() => NbdTestClient.Open(_path)).Message,
            StringComparison.Ordinal);

        _volume.Refusal = "";
        using var client = NbdTestClient.Open(_path);
        Assert.Equal(1, _volume.OnLoop(() => _volume.OpenCount));
    }

    [Fact]
    public void A_socket_left_behind_is_replaced_but_a_file_or_a_live_server_is_not()
    {
        var path = _path + "3";
        File.WriteAllText(path, "precious");
        Assert.Contains("no socket", Assert.Throws<IOException>(() => Start(path)).Message, StringComparison.Ordinal);
        Assert.Equal("precious", File.ReadAllText(path));
        File.Delete(path);

        using (var left = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified))
        {
            left.Bind(new UnixDomainSocketEndPoint(path));
        }

        using (Start(path))
        {
            Assert.Contains(
                "another process", Assert.Throws<IOException>(() => Start(path)).Message, StringComparison.Ordinal);
        }

        Assert.Contains("too long", Assert.Throws<IOException>(() => Start("/tmp/" + new string('x', 120))).Message,
            StringComparison.Ordinal);
    }

    [Fact]
    public void A_client_that_says_nothing_is_cut_off_in_time_and_others_are_served_meanwhile()
    {
        var path = _path + "4";
        var options =
            new NbdServerOptions { UnixSocketPath = path, NegotiationTimeout = TimeSpan.FromMilliseconds(500) };
        using var server = NbdServer.Start(options, _volume, NullLogger.Instance);
        using var silent = new NbdTestClient(path);

        using (var client = NbdTestClient.Open(path))
        {
            client.Send(NbdBytes.Request(Flush, 1, 0, 0));
            Assert.Equal((1UL, 0u), client.ReceiveReply());
        }

        Assert.True(silent.ServerCloses());
    }

    private NbdServer Start(string path) =>
        NbdServer.Start(new NbdServerOptions { UnixSocketPath = path }, _volume, NullLogger.Instance);

    private static void RunRounds(NbdTestClient client, int rounds)
    {
        var write = NbdBytes.Request(Write, 1, 4096, 4096).Concat(new byte[4096]).ToArray();
        var both = write.Concat(NbdBytes.Request(Read, 2, 4096, 4096)).ToArray();
        for (var i = 0; i < rounds; i++)
        {
            client.Send(both);
            client.ReceiveReply();
            client.ReceiveReply();
            client.Receive(4096);
        }
    }

    private void RunRandomRequests(int seed, bool reverse)
    {
        _volume.OnLoop(() => _volume.Reverse = reverse);
        var random = new Random(seed);
        var model = _volume.OnLoop(() => _volume.Data.ToArray());
        using var client = NbdTestClient.Open(_path);
        for (var round = 0; round < 12; round++)
        {
            // Requests of one round do not overlap: each has its own 4 MiB.
            var batch = new MemoryStream();
            var expected = new Dictionary<ulong, (ushort Command, int Offset, int Length)>();
            for (var i = 0; i < 10; i++)
            {
                var command =
                    (ushort)(random.Next(5) switch { 0 => Read, 1 => Write, 2 => Zeroes, 3 => Flush, _ => Write });
                var length = random.Next(3) == 0 ? random.Next(1, 5000) * 512 : random.Next(1, 32) * 512;
                var offset = (i << 22) + (random.Next(1000) * 512);
                batch.Write(NbdBytes.Request(command, (ulong)i, (ulong)offset, (uint)length));
                expected.Add((ulong)i, (command, offset, length));
                if (command == Write)
                {
                    var data = new byte[length];
                    random.NextBytes(data);
                    batch.Write(data);
                    data.CopyTo(model, offset);
                }
                else if (command == Zeroes)
                {
                    model.AsSpan(offset, length).Clear();
                }
            }

            var pieces = new Random(seed * 1000 + round);
            var sender =
                new Thread(() => client.SendInPieces(batch.ToArray(), pieces, pieces.Next(2) == 0 ? 100 : 100_000));
            sender.Start();
            while (expected.Count > 0)
            {
                var (cookie, error) = client.ReceiveReply();
                Assert.True(error == 0, $"seed {seed}");
                Assert.True(expected.Remove(cookie, out var request), $"seed {seed}");
                if (request.Command == Read)
                {
                    var data = client.Receive(request.Length);
                    Assert.True(model.AsSpan(request.Offset, request.Length).SequenceEqual(data), $"seed {seed}");
                }
            }

            sender.Join();
        }

        Assert.True(_volume.OnLoop(() => model.AsSpan().SequenceEqual(_volume.Data)), $"seed {seed}");
    }
}
