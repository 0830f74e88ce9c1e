using BlockRepl.Core.Handshake;
using BlockRepl.Core.Options;
using BlockRepl.Core.Protocol;

namespace BlockRepl.Core.Tests.Handshake;

/// <summary>
/// A node with our connect loop, and so much of what follows it as shows whether both nodes chose the same streams:
/// features are exchanged; a stream that ends, or features that do not come in time, send it back to the loop after a
/// second.
/// </summary>
internal sealed class LoopNode(TestNetwork network, int index, NetOptions net) : TestNode(network, index), IConnectHost
{
    private const long RetryNs = TestNetwork.Second;

    private readonly Dictionary<StreamId, TestNetwork.TestStream> _streams = [];
    private ConnectLoop _loop = new(net);
    private int _life;
    private bool _up;

    public override void Start()
    {
        _up = true;
        _life++;
        _loop = new ConnectLoop(net);
        _loop.Start(Network.NowNs, this);
        ScheduleTimer();
    }

    public override void Restart(long downNs)
    {
        TearDown();
        Network.At(downNs, StartUnlessUp);
    }

    public override void OnEstablished(TestNetwork.TestStream stream) =>
        Feed(() => _loop.OnOpened(Network.NowNs, stream.Id));

    public override void OnRefused(TestNetwork.TestStream stream)
    {
        stream.Closed = true;
        _streams.Remove(stream.Id);
        Feed(() => _loop.OnClosed(Network.NowNs, stream.Id));
    }

    public override void OnArrived(TestNetwork.TestStream stream)
    {
        _streams[stream.Id] = stream;
        Feed(() => _loop.OnAccepted(Network.NowNs, stream.Id));
    }

    public override void OnReadable(TestNetwork.TestStream stream)
    {
        Feed(() =>
        {
            if (_loop.WantsPacket(stream.Id) && stream.Unread.TryDequeue(out Command command))
            {
                _loop.OnFirstPacket(Network.NowNs, stream.Id, command);
            }
        });
    }

    public override void OnEnd(TestNetwork.TestStream stream)
    {
        stream.Closed = true;
        _streams.Remove(stream.Id);
        if (!_up)
        {
            return;
        }

        if (_loop.Done)
        {
            if (stream.Id == _loop.DataStream || stream.Id == _loop.MetaStream)
            {
                Restart(RetryNs);
            }

            return;
        }

        Feed(() => _loop.OnClosed(Network.NowNs, stream.Id));
    }

    StreamId IConnectHost.OpenStream()
    {
        TestNetwork.TestStream stream = Network.Open(this);
        _streams[stream.Id] = stream;
        return stream.Id;
    }

    void IConnectHost.Listen(bool on) => Listening = on;

    void IConnectHost.CloseStream(StreamId stream)
    {
        _streams[stream].Close();
        _streams.Remove(stream);
    }

    void IConnectHost.SendInitial(StreamId stream, bool data) =>
        _streams[stream].Send(data ? Command.InitialData : Command.InitialMeta);

    ulong IConnectHost.NextRandom() => (ulong)Network.Random.NextInt64();

    private void Feed(Action action)
    {
        if (!_up)
        {
            return;
        }

        bool wasDone = _loop.Done;
        action();
        if (_loop.Done && !wasDone)
        {
            BeginHandshake();
        }
        else if (_loop.Done && Established is null
            && _streams[_loop.DataStream].Unread.Contains(Command.ConnectionFeatures))
        {
            Established = (
                _streams[_loop.DataStream].Connection, _streams[_loop.MetaStream].Connection, _loop.ResolveConflicts);
            EstablishedAtNs = Network.NowNs;
        }

        ScheduleTimer();
    }

    private void BeginHandshake()
    {
        _streams[_loop.DataStream].Send(Command.ConnectionFeatures);
        int life = _life;
        Network.At(4 * net.PingTimeoutDeciseconds * 100 * TestNetwork.Millisecond, () =>
        {
            if (life == _life && Established is null)
            {
                Restart(RetryNs);
            }
        });
        Feed(() => { });
    }

    private void TearDown()
    {
        if (_loop.Done)
        {
            foreach (StreamId id in new[] { _loop.DataStream, _loop.MetaStream })
            {
                if (_streams.Remove(id, out TestNetwork.TestStream? stream))
                {
                    stream.Close();
                }
            }
        }

        _loop.Stop(this);
        if (_streams.Count != 0)
        {
            throw new InvalidOperationException($"{_streams.Count} streams were forgotten");
        }

        Listening = false;
        Established = null;
        _up = false;
        _life++;
    }

    private void StartUnlessUp()
    {
        if (!_up)
        {
            Start();
        }
    }

    private void ScheduleTimer()
    {
        long deadline = _loop.NextDeadlineNs;
        int life = _life;
        if (deadline == long.MaxValue)
        {
            return;
        }

        Network.At(Math.Max(0, deadline - Network.NowNs), () =>
        {
            if (life == _life && _up && _loop.NextDeadlineNs <= Network.NowNs)
            {
                Feed(() => _loop.OnTimer(Network.NowNs));
            }
        });
    }
}
