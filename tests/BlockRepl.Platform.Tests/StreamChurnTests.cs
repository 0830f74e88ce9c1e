using System.Net;
using BlockRepl.Core;
using BlockRepl.Platform.Loop;
using BlockRepl.Platform.Net;
using Xunit;

namespace BlockRepl.Platform.Tests;

/// <summary>Streams that are opened, used and closed at random: nothing is told twice, nothing is left over.</summary>
public sealed class StreamChurnTests
{
    public static TheoryData<RingBackend, int> Cases => new()
    {
        { RingBackend.IoUring, 1 },
        { RingBackend.IoUring, 2 },
        { RingBackend.Epoll, 1 },
        { RingBackend.Epoll, 2 },
    };

    [Theory]
    [MemberData(nameof(Cases))]
    public void Random_closes_on_either_side_release_every_buffer_and_block(RingBackend backend, int seed)
    {
        using var test = new LoopFixture(backend);
        var churn = new Churn(test, new Random(seed));
        test.Run(churn.Begin);
        test.Wait(churn.Ended);
        test.Run(() =>
        {
            Assert.Equal(0, test.Pool.RentedCount);
            Assert.Equal(0, test.Loop.Blocks.InUse);
            Assert.Equal(0, churn.Alive);
        });
    }

    /// <summary>Both ends in one: a random step for a random stream whenever something happens.</summary>
    private sealed class Churn(LoopFixture test, Random random) : IListenerHandler, IStreamHandler, ILoopTimerHandler
    {
        private const int Connections = 150;
        private readonly List<StreamSocket> _streams = [];
        private readonly Dictionary<StreamSocket, Record> _records = [];
        private readonly StreamSocketOptions _options = new() { PauseInputBytes = 20_000, ResumeInputBytes = 10_000 };
        private StreamListener? _listener;
        private LoopTimer? _timer;
        private int _connects;

        public ManualResetEventSlim Ended { get; } = new();

        public int Alive { get; private set; }

        public void Begin()
        {
            _listener = StreamListener.Listen(test.Loop, new IPEndPoint(IPAddress.Loopback, 0), _options, this);
            _timer = test.Loop.CreateTimer(this);
            _timer.DeadlineNs = 0;
        }

        public void OnTimer(long nowNs)
        {
            if (_connects < Connections && _streams.Count < 24)
            {
                _connects++;
                Add(StreamSocket.Connect(
                    test.Loop, test.Pool, _listener!.LocalEndPoint, null, 5_000_000_000, _options, this));
            }

            for (var i = 0; i < 20 && _streams.Count > 0; i++)
            {
                Step(_streams[random.Next(_streams.Count)]);
            }

            if (_connects == Connections)
            {
                // No more accepts: what is left is closed.
                _listener!.Close();
                foreach (var stream in _streams.Where(s => !s.IsClosed))
                {
                    _records[stream].ClosedByUs = true;
                    stream.Close(random.Next(2) * 50_000_000);
                }
            }

            if (_connects == Connections && _streams.Count == 0)
            {
                _timer!.Dispose();
                Ended.Set();
            }
            else
            {
                _timer!.DeadlineNs = nowNs + 200_000;
            }
        }

        public void OnAccepted(StreamListener listener, int descriptor, EndPoint? remote) =>
            Add(StreamSocket.Adopt(test.Loop, test.Pool, descriptor, _options, this));

        public void OnConnected(StreamSocket stream) => Step(stream);

        public void OnReceived(StreamSocket stream)
        {
            if (random.Next(3) > 0 && stream.Input.TryRead(out var read))
            {
                stream.Input.AdvanceTo(read.Buffer.End);
            }

            Step(stream);
        }

        public void OnPayloadReceived(StreamSocket stream, ulong token)
        {
            var state = _records[stream];
            Assert.True(state.Receiving);
            state.Receiving = false;
            ReturnWanted(state);
        }

        public void OnSent(StreamSocket stream, ulong token, bool aborted) =>
            test.Pool.Return(new BufferHandle((int)token));

        public void OnClosed(StreamSocket stream, StreamCloseReason reason, int errno)
        {
            var state = _records[stream];
            Assert.False(state.ClosedByUs || state.Closed);
            state.Closed = true;
            ReturnWanted(state);
        }

        public void OnReleased(StreamSocket stream)
        {
            var state = _records[stream];
            Assert.True(state.Closed || state.ClosedByUs);
            ReturnWanted(state);
            Alive--;
            Assert.True(_streams.Remove(stream));
        }

        private void Add(StreamSocket stream)
        {
            _records.Add(stream, new Record());
            _streams.Add(stream);
            Alive++;
        }

        private void Step(StreamSocket stream)
        {
            var state = _records[stream];
            switch (random.Next(12))
            {
                case 0 when !stream.IsClosed:
                    state.ClosedByUs = true;
                    stream.Close(random.Next(2) * 20_000_000);
                    break;
                case 1 or 2 when !stream.IsClosed && !state.Receiving:
                    Want(stream, state);
                    break;
                case 3 or 4 or 5 when test.Pool.TryRent(random.Next(1, 100_000), out var buffer):
                    var bytes = test.Pool.GetCapacity(buffer);
                    if (!stream.SendPayload(new byte[random.Next(1, 99)], 4, buffer, bytes, (ulong)buffer.Value, out _))
                    {
                        test.Pool.Return(buffer);
                    }

                    break;
                default:
                    stream.Send(new byte[random.Next(1, 30_000)]);
                    break;
            }
        }

        private void Want(StreamSocket stream, Record state)
        {
            state.Receiving = true;
            if (random.Next(2) == 0 || !test.Pool.TryRent(random.Next(1, 200_000), out var buffer))
            {
                stream.Drain(random.Next(0, 200_000), 0);
                return;
            }

            state.Wanted = buffer;
            stream.ReceiveInto(buffer, 0, test.Pool.GetCapacity(buffer), 0);
        }

        private void ReturnWanted(Record state)
        {
            if (!state.Wanted.IsNone)
            {
                test.Pool.Return(state.Wanted);
                state.Wanted = BufferHandle.None;
            }
        }

        private sealed class Record
        {
            public bool Receiving;
            public bool Closed;
            public bool ClosedByUs;
            public BufferHandle Wanted;
        }
    }
}
