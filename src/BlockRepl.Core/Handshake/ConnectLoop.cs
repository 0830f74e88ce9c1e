using BlockRepl.Core.Options;
using BlockRepl.Core.Protocol;

namespace BlockRepl.Core.Handshake;

/// <summary>
/// Gets the two streams of a connection, whatever the peer does at the same time: both nodes connect and listen.
/// Between <see cref="Start"/> and <see cref="Done"/> the connection state is WFConnection.
/// <para>
/// Connecting: a connect of ours is under way; it becomes the data stream if there is none yet, else the meta stream.
/// Waiting: for a stream of the peer, until it is time to connect again. Settling: both streams are there; if neither
/// ends for a while, the peer has chosen the same two. A stream that the peer opens says with its first packet what it
/// is, and replaces one of ours of that kind: the nodes have crossed. Then both nodes have closed what the other one
/// chose, and what resolves it is chance: each waits a random short while before it connects again. (The kernel throws
/// a coin and waits either not at all or connect-int, so that two nodes with the same side up may be silent for long.)
/// </para>
/// </summary>
public sealed class ConnectLoop
{
    /// <summary>Accepted streams that have not said what they are; the oldest gives way to a newer one.</summary>
    private const int MaxUnidentified = 8;

    private const long DecisecondNs = 100_000_000;
    private const long SecondNs = 1_000_000_000;

    private readonly long _connectNs;
    private readonly long _firstPacketNs;
    private readonly long _settleNs;
    private readonly List<Unidentified> _unidentified = new(MaxUnidentified);
    private IConnectHost? _host;
    private Phase _phase;
    private long _deadlineNs = long.MaxValue;
    private StreamId _opening;
    private bool _metaWasAccepted;

    public ConnectLoop(NetOptions net)
    {
        int settle = net.SocketCheckTimeoutDeciseconds != 0
            ? net.SocketCheckTimeoutDeciseconds
            : net.PingTimeoutDeciseconds;
        _connectNs = net.ConnectIntervalSeconds * SecondNs;
        _firstPacketNs = 4 * net.PingTimeoutDeciseconds * DecisecondNs;
        _settleNs = settle * DecisecondNs;
    }

    private enum Phase
    {
        Idle,
        Connecting,
        Waiting,
        Settling,
        Done,
    }

    /// <summary>Both streams are there and quiet; listening has ended, the streams are the caller's.</summary>
    public bool Done => _phase == Phase.Done;

    public StreamId DataStream { get; private set; }

    public StreamId MetaStream { get; private set; }

    /// <summary>Set on the node that accepted the meta stream.</summary>
    public bool ResolveConflicts => _metaWasAccepted && !MetaStream.IsNone;

    /// <summary>When OnTimer is wanted; long.MaxValue = never.</summary>
    public long NextDeadlineNs
    {
        get
        {
            long next = _deadlineNs;
            foreach (Unidentified stream in _unidentified)
            {
                next = Math.Min(next, stream.DeadlineNs);
            }

            return next;
        }
    }

    private bool Running => _phase is Phase.Connecting or Phase.Waiting or Phase.Settling;

    private bool Complete => !DataStream.IsNone && !MetaStream.IsNone;

    public void Start(long nowNs, IConnectHost host)
    {
        Invariant.Require(!Running, "the connect loop runs once at a time");
        _host = host;
        DataStream = StreamId.None;
        MetaStream = StreamId.None;
        _metaWasAccepted = false;
        host.Listen(true);
        Connect(nowNs);
    }

    /// <summary>Gives up and closes everything; after <see cref="Done"/> nothing is left to close.</summary>
    public void Stop(IConnectHost host)
    {
        if (Running)
        {
            CloseIfAny(host, DataStream);
            CloseIfAny(host, MetaStream);
            EndLoop(host);
        }

        DataStream = StreamId.None;
        MetaStream = StreamId.None;
        _phase = Phase.Idle;
        _host = null;
    }

    /// <summary>Only an accepted stream that has not yet said what it is may deliver a packet.</summary>
    public bool WantsPacket(StreamId stream) => IndexOf(stream) >= 0;

    /// <summary>A connect of ours succeeded.</summary>
    public void OnOpened(long nowNs, StreamId stream)
    {
        if (!Running || stream != _opening)
        {
            return;
        }

        _opening = StreamId.None;
        bool data = DataStream.IsNone;
        if (data)
        {
            DataStream = stream;
        }
        else
        {
            MetaStream = stream;
            _metaWasAccepted = false;
        }

        Host.SendInitial(stream, data);
        if (!SettleIfComplete(nowNs))
        {
            WaitForPeer(nowNs);
        }
    }

    /// <summary>A connect failed, or a stream ended, whatever was still to be read from it.</summary>
    public void OnClosed(long nowNs, StreamId stream)
    {
        if (!Running)
        {
            return;
        }

        if (stream == _opening)
        {
            _opening = StreamId.None;
            WaitForPeer(nowNs);
            return;
        }

        int index = IndexOf(stream);
        if (index >= 0)
        {
            // Nobody who counts: a port scanner, or a connect that its owner gave up.
            _unidentified.RemoveAt(index);
            return;
        }

        if (Forget(stream) && _phase != Phase.Connecting)
        {
            // Not at once: a peer that accepts and closes must not be asked thousands of times a second.
            WaitShortly(nowNs, atLeastNs: _firstPacketNs / 4);
        }
    }

    /// <summary>The peer, or anybody, opened a stream.</summary>
    public void OnAccepted(long nowNs, StreamId stream)
    {
        if (!Running)
        {
            _host?.CloseStream(stream);
            return;
        }

        if (_unidentified.Count == MaxUnidentified)
        {
            Host.CloseStream(_unidentified[0].Stream);
            _unidentified.RemoveAt(0);
        }

        _unidentified.Add(new Unidentified(stream, nowNs + _firstPacketNs));
    }

    /// <summary>An accepted stream says what it is.</summary>
    public void OnFirstPacket(long nowNs, StreamId stream, Command command)
    {
        int index = IndexOf(stream);
        if (index < 0)
        {
            return;
        }

        _unidentified.RemoveAt(index);
        if (command is not (Command.InitialData or Command.InitialMeta))
        {
            Host.CloseStream(stream);
            return;
        }

        bool crossed = Adopt(stream, command == Command.InitialData);
        if (SettleIfComplete(nowNs) || _phase == Phase.Connecting)
        {
            return;
        }

        if (crossed)
        {
            WaitShortly(nowNs, atLeastNs: 0);
        }
        else
        {
            Connect(nowNs);
        }
    }

    public void OnTimer(long nowNs)
    {
        for (int i = _unidentified.Count - 1; i >= 0; i--)
        {
            if (nowNs >= _unidentified[i].DeadlineNs)
            {
                Host.CloseStream(_unidentified[i].Stream);
                _unidentified.RemoveAt(i);
            }
        }

        if (nowNs < _deadlineNs)
        {
            return;
        }

        switch (_phase)
        {
            case Phase.Connecting:
                CloseIfAny(Host, _opening);
                _opening = StreamId.None;
                WaitForPeer(nowNs);
                break;
            case Phase.Waiting:
                Connect(nowNs);
                break;
            case Phase.Settling:
                EndLoop(Host);
                _phase = Phase.Done;
                break;
            default:
                break;
        }
    }

    private IConnectHost Host
    {
        get
        {
            Invariant.Require(_host is not null, "the connect loop has a host while it runs");
            return _host;
        }
    }

    private void Connect(long nowNs)
    {
        _phase = Phase.Connecting;
        _deadlineNs = nowNs + _connectNs;
        _opening = Host.OpenStream();
    }

    /// <summary>connect-int plus or minus a seventh, so that two nodes do not stay in step.</summary>
    private void WaitForPeer(long nowNs)
    {
        long seventh = _connectNs / 7;
        _phase = Phase.Waiting;
        _deadlineNs = nowNs + _connectNs + ((Host.NextRandom() & 1) == 0 ? seventh : -seventh);
    }

    private void WaitShortly(long nowNs, long atLeastNs)
    {
        long longest = Math.Min(_firstPacketNs, _connectNs);
        long shortest = Math.Min(atLeastNs, longest / 2);
        long range = longest - shortest;
        _phase = Phase.Waiting;
        _deadlineNs = nowNs + shortest + (long)(Host.NextRandom() % (ulong)range);
    }

    private bool SettleIfComplete(long nowNs)
    {
        if (!Complete)
        {
            return false;
        }

        CloseIfAny(Host, _opening);
        _opening = StreamId.None;
        _phase = Phase.Settling;
        _deadlineNs = nowNs + _settleNs;
        return true;
    }

    /// <summary>Takes a stream of the peer; true if it replaced one that there was.</summary>
    private bool Adopt(StreamId stream, bool data)
    {
        StreamId former = data ? DataStream : MetaStream;
        CloseIfAny(Host, former);
        if (data)
        {
            DataStream = stream;
        }
        else
        {
            MetaStream = stream;
            _metaWasAccepted = true;
        }

        return !former.IsNone;
    }

    private bool Forget(StreamId stream)
    {
        if (stream == DataStream)
        {
            DataStream = StreamId.None;
            return true;
        }

        if (stream == MetaStream)
        {
            MetaStream = StreamId.None;
            return true;
        }

        return false;
    }

    private void EndLoop(IConnectHost host)
    {
        CloseIfAny(host, _opening);
        _opening = StreamId.None;
        foreach (Unidentified stream in _unidentified)
        {
            host.CloseStream(stream.Stream);
        }

        _unidentified.Clear();
        _deadlineNs = long.MaxValue;
        host.Listen(false);
    }

    private int IndexOf(StreamId stream)
    {
        for (int i = 0; i < _unidentified.Count; i++)
        {
            if (_unidentified[i].Stream == stream)
            {
                return i;
            }
        }

        return -1;
    }

    private static void CloseIfAny(IConnectHost host, StreamId stream)
    {
        if (!stream.IsNone)
        {
            host.CloseStream(stream);
        }
    }

    private readonly record struct Unidentified(StreamId Stream, long DeadlineNs);
}
