using System.Buffers;
using System.Net;
using System.Net.Sockets;
using BlockRepl.Core;
using BlockRepl.Platform.Loop;
using BlockRepl.Platform.Net;
using Xunit;

namespace BlockRepl.Platform.Tests;

public sealed class StreamSocketTests
{
    private static readonly IPEndPoint AnyPort = new(IPAddress.Loopback, 0);

    public static TheoryData<RingBackend> Backends => new(RingBackend.IoUring, RingBackend.Epoll);

    [Theory]
    [MemberData(nameof(Backends))]
    public void Packets_and_payloads_arrive_in_order(RingBackend backend)
    {
        using var test = new LoopFixture(backend);
        using var pair = new StreamPair(test, AnyPort);
        var expected = new List<byte>();
        var random = new Random(3);
        const int Payloads = 200;
        test.Run(() =>
        {
            for (var i = 0; i < Payloads; i++)
            {
                var head = new byte[random.Next(1, 60)];
                random.NextBytes(head);
                Assert.True(test.Pool.TryRent(random.Next(1, 60000), out var buffer));
                var bytes = test.Pool.GetCapacity(buffer) - 3;
                random.NextBytes(test.Pool.GetSpan(buffer, bytes));
                Assert.True(pair.Client.Stream.SendPayload(head, 16, buffer, bytes, (ulong)buffer.Value, out var gap));
                unsafe
                {
                    new Span<byte>((void*)gap, 16).Fill((byte)i);
                }

                expected.AddRange(head);
                expected.AddRange(Enumerable.Repeat((byte)i, 16));
                expected.AddRange(test.Pool.GetSpan(buffer, bytes));
                pair.Client.Sent = (token, aborted) => test.Pool.Return(new BufferHandle((int)token));
            }
        });
        pair.Server.WaitForBytes(expected.Count);
        test.Run(() =>
        {
            Assert.Equal(expected.ToArray(), pair.Server.Bytes.ToArray());
            Assert.Equal(expected.Count, pair.Client.Stream.SentBytes);
            Assert.Equal(0, pair.Client.Stream.QueuedBytes);
            Assert.Equal(Payloads, pair.Client.SentTokens);
            Assert.Equal(0, test.Pool.RentedCount);
        });
    }

    [Theory]
    [MemberData(nameof(Backends))]
    public void Payload_goes_straight_to_its_buffer_whatever_the_pipe_holds_already(RingBackend backend)
    {
        using var test = new LoopFixture(backend);
        using var pair = new StreamPair(test, AnyPort);
        const int Rounds = 60;
        var random = new Random(9);
        var payloads = Enumerable.Range(0, Rounds).Select(_ => new byte[random.Next(0, 200_000)]).ToArray();
        Array.ForEach(payloads, random.NextBytes);
        var received = new List<byte[]>();
        using var done = new ManualResetEventSlim();
        test.Run(() => pair.Server.Parser = new LengthParser(test, received, Rounds, done));
        foreach (var payload in payloads)
        {
            test.Run(() =>
            {
                Assert.True(pair.Client.Stream.Send(BitConverter.GetBytes(payload.Length)));
                for (var at = 0; at < payload.Length; at += 7001)
                {
                    Assert.True(pair.Client.Stream.Send(payload.AsSpan(at, Math.Min(7001, payload.Length - at))));
                }
            });
        }

        test.Wait(done);
        Assert.Equal(payloads, received);
    }

    [Theory]
    [MemberData(nameof(Backends))]
    public void Drained_bytes_are_gone_and_the_stream_stays_in_step(RingBackend backend)
    {
        using var test = new LoopFixture(backend);
        using var pair = new StreamPair(test, AnyPort);
        test.Run(() =>
        {
            pair.Server.Hold = true;
            pair.Server.Stream.Drain(300_000, 5);
            Assert.True(pair.Client.Stream.Send(new byte[300_000]));
            Assert.True(pair.Client.Stream.Send("tail"u8));
        });
        test.Wait(pair.Server.PayloadReceived);
        test.Run(() =>
        {
            pair.Server.Hold = false;
            pair.Server.OnReceived(pair.Server.Stream);
        });
        pair.Server.WaitForBytes(4);
        Assert.Equal("tail"u8.ToArray(), pair.Server.Bytes.ToArray());
    }

    [Theory]
    [MemberData(nameof(Backends))]
    public void Unread_input_stops_the_sender_and_reading_lets_it_go_on(RingBackend backend)
    {
        using var test = new LoopFixture(backend);
        using var pair = new StreamPair(test, AnyPort);
        const int Total = 7 << 20;
        test.Run(() =>
        {
            pair.Server.Hold = true;
            Assert.True(pair.Client.Stream.Send(new byte[Total]));
            Assert.False(pair.Client.Stream.Send(new byte[2 << 20]));
        });
        test.Wait(pair.Server.Heard);
        test.Run(() =>
        {
            pair.Server.Hold = false;
            pair.Server.OnReceived(pair.Server.Stream);
        });
        pair.Server.WaitForBytes(Total);
    }

    [Theory]
    [MemberData(nameof(Backends))]
    public void Close_with_linger_sends_what_is_queued(RingBackend backend)
    {
        using var test = new LoopFixture(backend);
        using var pair = new StreamPair(test, AnyPort);
        test.Run(() =>
        {
            Assert.True(pair.Client.Stream.Send(new byte[3 << 20]));
            pair.Client.Stream.Close(lingerNs: 5_000_000_000);
        });
        pair.Server.WaitForBytes(3 << 20);
        test.Wait(pair.Server.Closed);
        test.Wait(pair.Client.Released);
        Assert.Equal(StreamCloseReason.EndOfStream, pair.Server.Reason);
        Assert.False(pair.Client.Closed.IsSet);
    }

    [Theory]
    [MemberData(nameof(Backends))]
    public void Close_without_linger_gives_every_payload_back_once(RingBackend backend)
    {
        using var test = new LoopFixture(backend);
        using var pair = new StreamPair(test, AnyPort);
        test.Run(() =>
        {
            pair.Server.Hold = true;
            pair.Client.Sent = (token, _) => test.Pool.Return(new BufferHandle((int)token));
            for (var i = 0; i < 20; i++)
            {
                Assert.True(test.Pool.TryRent(1 << 20, out var buffer));
                Assert.True(pair.Client.Stream.SendPayload("h"u8, 0, buffer, 1 << 20, (ulong)buffer.Value, out _));
            }
        });
        test.Run(() => pair.Client.Stream.Close(0));
        test.Wait(pair.Client.Released);
        test.Run(() =>
        {
            Assert.Equal(20, pair.Client.SentTokens);
            Assert.Equal(0, test.Pool.RentedCount);
            Assert.False(pair.Client.Closed.IsSet);
        });
    }

    [Theory]
    [MemberData(nameof(Backends))]
    public void Peer_that_ends_in_a_payload_gives_the_buffer_back_with_the_close(RingBackend backend)
    {
        using var test = new LoopFixture(backend);
        using var pair = new StreamPair(test, AnyPort);
        test.Run(() =>
        {
            Assert.True(test.Pool.TryRent(100_000, out var buffer));
            pair.Server.Stream.ReceiveInto(buffer, 0, 100_000, 1);
            pair.Server.WhenClosed = () => test.Pool.Return(buffer);
            Assert.True(pair.Client.Stream.Send(new byte[50_000]));
            pair.Client.Stream.Close(1_000_000_000);
        });
        test.Wait(pair.Server.Closed);
        test.Wait(pair.Server.Released);
        Assert.False(pair.Server.PayloadReceived.IsSet);
        Assert.Equal(StreamCloseReason.EndOfStream, pair.Server.Reason);
    }

    [Theory]
    [MemberData(nameof(Backends))]
    public void Connect_to_nobody_fails(RingBackend backend)
    {
        using var test = new LoopFixture(backend);
        using var probe = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        probe.Bind(AnyPort);
        using var log = new StreamLog(test);
        test.Run(() => StreamSocket.Connect(
            test.Loop, test.Pool, probe.LocalEndPoint!, null, 5_000_000_000, new StreamSocketOptions(), log));
        test.Wait(log.Released);
        Assert.Equal(StreamCloseReason.ConnectFailed, log.Reason);
    }

    [Theory]
    [MemberData(nameof(Backends))]
    public void Connect_without_an_answer_ends_at_its_time(RingBackend backend)
    {
        using var test = new LoopFixture(backend);
        // A listener whose queue is full answers no more.
        using var full = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        full.Bind(AnyPort);
        full.Listen(0);
        var fillers = Enumerable.Range(0, 4).Select(_ =>
        {
            var socket =
                new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { Blocking = false };
            try
            {
                socket.Connect(full.LocalEndPoint!);
            }
            catch (SocketException)
            {
            }

            return socket;
        }).ToList();
        using var log = new StreamLog(test);
        test.Run(() => StreamSocket.Connect(
            test.Loop, test.Pool, full.LocalEndPoint!, null, 100_000_000, new StreamSocketOptions(), log));
        test.Wait(log.Released);
        Assert.Equal(StreamCloseReason.ConnectFailed, log.Reason);
        fillers.ForEach(f => f.Dispose());
    }

    [Theory]
    [MemberData(nameof(Backends))]
    public void Connect_uses_the_source_address_asked_for(RingBackend backend)
    {
        using var test = new LoopFixture(backend);
        using var pair = new StreamPair(test, AnyPort, new IPEndPoint(IPAddress.Parse("127.0.0.9"), 0));
        Assert.Equal("127.0.0.9", ((IPEndPoint)pair.Server.Stream.RemoteEndPoint!).Address.ToString());
        Assert.Equal("127.0.0.9", ((IPEndPoint)pair.Client.Stream.LocalEndPoint!).Address.ToString());
    }

    [Theory]
    [MemberData(nameof(Backends))]
    public void Unix_sockets_work_and_a_stale_path_is_replaced(RingBackend backend)
    {
        using var test = new LoopFixture(backend);
        var path = Path.Combine(Path.GetTempPath(), $"blockrepl-{Guid.NewGuid():N}.sock");
        using (var stale = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified))
        {
            stale.Bind(new UnixDomainSocketEndPoint(path));
        }

        using (var pair = new StreamPair(test, new UnixDomainSocketEndPoint(path)))
        {
            test.Run(() => pair.Client.Stream.Send("hello"u8));
            pair.Server.WaitForBytes(5);
            var refused = Assert.Throws<ListenException>(() => test.Run(() => StreamListener.Listen(
                test.Loop, new UnixDomainSocketEndPoint(path), new StreamSocketOptions(), pair)));
            Assert.Contains(path, refused.Message, StringComparison.Ordinal);
        }

        Assert.False(File.Exists(path));
    }

    [Theory]
    [MemberData(nameof(Backends))]
    public void Closed_listener_refuses_and_its_port_can_be_used_again_at_once(RingBackend backend)
    {
        using var test = new LoopFixture(backend);
        using var pair = new StreamPair(test, AnyPort);
        var address = (IPEndPoint)pair.Listener.LocalEndPoint;
        test.Run(pair.Listener.Close);
        using (var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp))
        {
            Assert.Throws<SocketException>(() => socket.Connect(address));
        }

        test.Run(() => StreamListener.Listen(test.Loop, address, new StreamSocketOptions(), pair).Close());
    }

    /// <summary>Cuts records of a 4-byte length and as many bytes, received into buffers.</summary>
    internal sealed class LengthParser(LoopFixture test, List<byte[]> received, int wanted, ManualResetEventSlim done)
    {
        private BufferHandle _buffer;
        private int _bytes = -1;

        public void Parse(StreamSocket stream)
        {
            while (_bytes < 0 && stream.Input.TryRead(out var read))
            {
                if (read.Buffer.Length < 4)
                {
                    stream.Input.AdvanceTo(read.Buffer.Start, read.Buffer.End);
                    return;
                }

                var head = read.Buffer.Slice(0, 4);
                _bytes = BitConverter.ToInt32(head.ToArray());

                // Everything is marked as examined: the payload must be found nonetheless.
                stream.Input.AdvanceTo(head.End, read.Buffer.End);
                Assert.True(test.Pool.TryRent(Math.Max(1, _bytes), out _buffer));
                stream.ReceiveInto(_buffer, 0, _bytes, 77);
            }
        }

        public void Payload(StreamSocket stream, ulong token)
        {
            Assert.Equal(77ul, token);
            received.Add(test.Pool.GetSpan(_buffer, _bytes).ToArray());
            test.Pool.Return(_buffer);
            _bytes = -1;
            if (received.Count == wanted)
            {
                done.Set();
            }

            Parse(stream);
        }
    }
}
