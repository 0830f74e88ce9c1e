using BlockRepl.Core.Protocol;
using BlockRepl.Core.State;

namespace BlockRepl.Core.Resource;

/// <summary>Is the peer alive? Pings, time-outs, ko-count; and the requests that need its consent.</summary>
internal sealed partial class Connection
{
    private long _lastMetaNs;
    private long _lastDataNs;
    private long _pingSentNs;
    private uint _pingsSent;
    private uint _pingsAnswered;
    private long _nextProgressCheckNs = long.MaxValue;
    private long _sentBytesSeen;
    private int _koLeft;
    private int? _stateReply;
    private bool _stateRequestRunning;

    /// <summary>A promotion without a connection wants a ping as soon as there is one.</summary>
    private bool _pingWanted;

    private long PingIntervalNs => Net.PingIntervalSeconds * SecondNs;

    private long PingTimeoutNs => Net.PingTimeoutDeciseconds * DecisecondNs;

    private long TimeoutNs => Net.TimeoutDeciseconds * DecisecondNs;

    /// <summary>When the connection wants to look at the clock.</summary>
    public long NextDeadlineNs => _phase switch
    {
        Phase.Down => long.MaxValue,
        Phase.Pausing => _resumeAtNs,
        Phase.Connecting => _loop.NextDeadlineNs,
        Phase.Operational => Math.Min(
            Math.Min(PingDeadlineNs, _nextProgressCheckNs), Math.Min(_sequenceDeadlineNs, EpochDeadlineNs)),
        _ => _handshakeDeadlineNs,
    };

    private bool PingOutstanding => _pingsSent != _pingsAnswered;

    private long PingDeadlineNs => PingOutstanding
        ? Math.Max(_pingSentNs, _lastDataNs) + PingTimeoutNs
        : Math.Max(_lastMetaNs, _lastDataNs) + PingIntervalNs;

    private void BeginLiveness()
    {
        long now = _core.NowNs;
        _lastMetaNs = _lastDataNs = _pingSentNs = now;
        _pingsSent = _pingsAnswered = 0;
        _stateReply = null;
        _stateRequestRunning = false;
        _nextProgressCheckNs = now + TimeoutNs;
        _sentBytesSeen = 0;
        _koLeft = Net.KoCount;
        if (_pingWanted)
        {
            _pingWanted = false;
            Ping();
        }
    }

    /// <summary>Sends a ping; its number can be waited for.</summary>
    public uint Ping()
    {
        if (!IsOperational)
        {
            return 0;
        }

        _pingSentNs = PingOutstanding ? _pingSentNs : _core.NowNs;
        SendMeta(Command.Ping);
        return ++_pingsSent;
    }

    public void PingSoon()
    {
        if (IsOperational)
        {
            Ping();
        }
        else
        {
            _pingWanted = true;
        }
    }

    public bool IsPingAnswered(uint ping) => (int)(_pingsAnswered - ping) >= 0;

    private void OnPingAck()
    {
        if (!PingOutstanding)
        {
            Break(ConnectionState.ProtocolError, "a ping ack that nobody asked for");
            return;
        }

        _pingsAnswered++;
        _pingSentNs = _core.NowNs;
    }

    public void OnTimer(long nowNs)
    {
        switch (_phase)
        {
            case Phase.Pausing when nowNs >= _resumeAtNs:
                StartConnecting();
                break;
            case Phase.Connecting when nowNs >= _loop.NextDeadlineNs:
                _loop.OnTimer(nowNs);
                CheckConnected();
                break;
            case Phase.Operational:
                CheckAlive(nowNs);
                break;
            case Phase.Features or Phase.AuthChallenge or Phase.AuthResponse when nowNs >= _handshakeDeadlineNs:
                Break(ConnectionState.NetworkFailure, $"the peer did not answer in time ({_phase})");
                break;
            default:
                break;
        }
    }

    private void CheckAlive(long nowNs)
    {
        if (nowNs >= PingDeadlineNs)
        {
            if (PingOutstanding)
            {
                Break(ConnectionState.NetworkFailure, "the peer does not answer pings (ping-timeout)");
                return;
            }

            Ping();
        }

        if (nowNs >= _sequenceDeadlineNs)
        {
            Break(ConnectionState.Timeout, "acks that the peer sent before a write did not come within ping-timeout");
            return;
        }

        if (nowNs >= EpochDeadlineNs)
        {
            CloseSendEpoch();
        }

        if (nowNs >= _nextProgressCheckNs)
        {
            _nextProgressCheckNs = nowNs + TimeoutNs;
            CheckProgress(nowNs);
        }
    }

    /// <summary>ko-count: sending makes no progress, or an answer is overdue.</summary>
    private void CheckProgress(long nowNs)
    {
        StreamBacklog backlog = _host.GetBacklog(_data);
        bool stuck = backlog.QueuedBytes > 0 && backlog.SentBytes == _sentBytesSeen;
        _sentBytesSeen = backlog.SentBytes;
        if (!stuck)
        {
            _koLeft = Net.KoCount;
        }
        else if (Net.KoCount > 0 && --_koLeft <= 0)
        {
            Break(ConnectionState.Timeout, $"nothing could be sent for {Net.KoCount} x timeout (ko-count)");
            return;
        }
        else
        {
            Ping();
        }

        if (Net.KoCount == 0)
        {
            return;
        }

        long patience = Net.KoCount * TimeoutNs;
        bool writeOverdue = _logHead is not null && _logHead.NetPending && nowNs - _logHead.SentAtNs > patience;
        bool barrierOverdue = _openEpochs.TryPeek(out (uint Number, int Writes, long SentAtNs) epoch)
            && nowNs - epoch.SentAtNs > patience;
        if (writeOverdue || barrierOverdue)
        {
            Break(ConnectionState.Timeout, "the peer has not confirmed a write for ko-count x timeout");
        }
    }

    /// <summary>
    /// Asks the peer for a change that needs its consent. The script's caller reads the result from
    /// <see cref="TakeStateReply"/> when the last step is done; null = the connection ended.
    /// </summary>
    public IEnumerable<Func<bool>> AskPeer(Volume? volume, StateRequest request)
    {
        uint generation = Generation;
        yield return () => !_stateRequestRunning || !IsCurrent(generation);
        if (!IsCurrent(generation))
        {
            yield break;
        }

        _stateRequestRunning = true;
        _stateReply = null;
        bool wide = volume is null && AgreedVersion >= 100;
        Send(volume, wide ? Command.ConnStateChangeRequest : Command.StateChangeRequest,
            new StateChangeRequestPacket(request.Mask, request.Value));
        yield return () => _stateReply is not null || !IsCurrent(generation);
        _stateRequestRunning = false;
    }

    public int? TakeStateReply()
    {
        int? reply = _stateReply;
        _stateReply = null;
        return reply;
    }

    private void OnVolumeStateRequest(Volume volume, in StateChangeRequestPacket packet)
    {
        bool disconnects = AgreedVersion < 100
            && new StateRequest(packet.Mask, packet.Value).Apply(default).Connection == ConnectionState.Disconnecting;
        if (disconnects)
        {
            OnConnectionStateRequest(packet);
            return;
        }

        StateChangeResult result = ResolveConflicts && _stateRequestRunning
            ? StateChangeResult.ConcurrentStateChange
            : volume.OnStateChangeRequest(packet);
        SendMeta(volume, Command.StateChangeReply, new StateChangeReplyPacket((int)result));
    }

    /// <summary>
    /// The peer wants to disconnect (or more, of all volumes). Answered before the streams are closed.
    /// </summary>
    private void OnConnectionStateRequest(in StateChangeRequestPacket packet)
    {
        StateRequest request = new StateRequest(packet.Mask, packet.Value).TranslateFromPeer();
        StateChangeResult result = StateChangeResult.Success;
        if (ResolveConflicts && _stateRequestRunning)
        {
            result = StateChangeResult.ConcurrentStateChange;
        }

        foreach (Volume volume in _core.Volumes)
        {
            StateChangeResult one = volume.Try(request, hard: false, out _);
            result = result.Succeeded() && !one.Succeeded() ? one : result;
        }

        Command reply = AgreedVersion >= 100 ? Command.ConnStateChangeReply : Command.StateChangeReply;
        SendMeta(null, reply, new StateChangeReplyPacket((int)result));
        if (!result.Succeeded())
        {
            return;
        }

        foreach (Volume volume in _core.Volumes)
        {
            volume.Change(request);
        }

        if (_core.Volumes[0].State.Connection == ConnectionState.TearDown)
        {
            Break(ConnectionState.TearDown, "the peer disconnects");
        }
    }
}
