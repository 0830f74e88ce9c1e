using BlockRepl.Core.Protocol;
using BlockRepl.Core.Resource;

namespace BlockRepl.Core;

/// <summary>The events that a host feeds to the core.</summary>
public sealed partial class ResourceCore
{
    /// <summary>When <see cref="OnTimer"/> is wanted, in monotonic nanoseconds; long.MaxValue = never.</summary>
    public long NextDeadlineNs
    {
        get
        {
            long next = Math.Min(Connection.NextDeadlineNs, _commandDeadlineNs);
            foreach (Volume volume in _volumes)
            {
                next = Math.Min(next, Math.Min(volume.NextResyncStepNs, volume.AheadCheckNs));
                next = Math.Min(next, Math.Min(volume.DiskDeadlineNs, volume.SourceRestUntilNs));
            }

            return next;
        }
    }

    /// <summary>The time of <see cref="NextDeadlineNs"/> has come (or later).</summary>
    public void OnTimer(long nowNs)
    {
        NowNs = nowNs;
        Connection.OnTimer(nowNs);
        foreach (Volume volume in _volumes)
        {
            if (nowNs >= volume.NextResyncStepNs)
            {
                volume.OnResyncStep(nowNs);
            }

            if (nowNs >= volume.AheadCheckNs)
            {
                volume.OnAheadTimer(nowNs);
            }

            if (nowNs >= volume.DiskDeadlineNs)
            {
                volume.OnDiskDeadline(nowNs);
            }

            if (nowNs >= volume.SourceRestUntilNs)
            {
                volume.EndSourceRest();
            }
        }

        if (nowNs >= _commandDeadlineNs)
        {
            _commandDeadlineNs = long.MaxValue;
        }

        RunScripts();
    }

    /// <summary>
    /// A batch of events was delivered: starts what was collected (activity-log transaction, barriers) and what was
    /// held back. Also to be called after bytes were handed to TCP.
    /// </summary>
    public void EndBatch(long nowNs)
    {
        NowNs = nowNs;
        RunScripts();
        for (int round = 0; round < 8; round++)
        {
            bool retry = _wake;
            _wake = false;
            foreach (Volume volume in _volumes)
            {
                volume.EndBatch(retry);
            }

            if (!_wake)
            {
                break;
            }
        }

        Connection.PumpBitmap();
        Connection.FlushBarrier();
        RunScripts();
    }

    /// <summary>A read, write, zero or flush of the data area ended.</summary>
    public void OnDiskDone(long nowNs, int volume, IoToken token, IoError error)
    {
        NowNs = nowNs;
        Volume owner = RequireVolume(volume);
        int index = CoreToken.IndexOf(token.Value);
        switch (CoreToken.KindOf(token.Value))
        {
            case TokenKind.Request:
                owner.OnLocalDone(Requests[index], error);
                break;
            case TokenKind.PeerRequest:
                owner.OnPeerIoDone(PeerRequests[index], error);
                break;
            case TokenKind.ActivityLog:
                owner.OnCommitOperationDone(error != IoError.None, meta: false);
                break;
            case TokenKind.Barrier:
                owner.OnBarrierFlushDone(index, error);
                break;
            default:
                EndBatchOperation(owner, index, error, default, meta: false);
                break;
        }

        RunScripts();
    }

    /// <summary>A meta-data operation ended; <paramref name="data"/> holds what a read returned.</summary>
    public void OnMetaDone(long nowNs, int volume, IoToken token, IoError error, ReadOnlySpan<byte> data)
    {
        NowNs = nowNs;
        Volume owner = RequireVolume(volume);
        if (CoreToken.KindOf(token.Value) == TokenKind.ActivityLog)
        {
            owner.OnCommitOperationDone(error != IoError.None, meta: true);
        }
        else
        {
            EndBatchOperation(owner, CoreToken.IndexOf(token.Value), error, data, meta: true);
        }

        RunScripts();
    }

    public void OnHashDone(long nowNs, IoToken token, ReadOnlySpan<byte> digest)
    {
        NowNs = nowNs;
        PeerRequest peer = PeerRequests[CoreToken.IndexOf(token.Value)];
        peer.Volume.OnHashDone(peer, digest);
        RunScripts();
    }

    public void OnHandlerDone(long nowNs, IoToken token, int exitCode)
    {
        NowNs = nowNs;
        int index = CoreToken.IndexOf(token.Value);
        if (CoreToken.KindOf(token.Value) == TokenKind.Handler && _handlerWaiters.Remove(index, out Action<int>? then))
        {
            then(exitCode);
        }

        RunScripts();
    }

    /// <summary>A stream was accepted on the listening address.</summary>
    public void OnStreamAccepted(long nowNs, StreamId stream)
    {
        NowNs = nowNs;
        Connection.OnStreamAccepted(stream);
        RunScripts();
    }

    /// <summary>A connect succeeded.</summary>
    public void OnStreamOpened(long nowNs, StreamId stream)
    {
        NowNs = nowNs;
        Connection.OnStreamOpened(stream);
        RunScripts();
    }

    /// <summary>
    /// A stream ended. Packets received before the end were delivered first, unless the core did not want them
    /// (<see cref="WantsPacket"/>): then it is told of the end at once.
    /// </summary>
    public void OnStreamClosed(long nowNs, StreamId stream, StreamCloseReason reason)
    {
        NowNs = nowNs;
        Connection.OnStreamClosed(stream, reason);
        RunScripts();
    }

    /// <summary>Whether the core takes the next packet of this stream now; asked before each packet is cut.</summary>
    public bool WantsPacket(StreamId stream) => Connection.WantsPacket(stream);

    public void OnPacket(long nowNs, StreamId stream, in ReceivedPacket packet)
    {
        NowNs = nowNs;
        Connection.OnPacket(stream, packet);
        RunScripts();
    }

    /// <summary>The bytes of a stream are no packet that may come there.</summary>
    public void OnViolation(long nowNs, StreamId stream, ProtocolViolation violation)
    {
        NowNs = nowNs;
        Connection.OnViolation(stream, violation);
        RunScripts();
    }

    /// <summary>A payload was handed to TCP whole, or (<paramref name="aborted"/>) the stream ended before.</summary>
    public void OnSent(long nowNs, SendToken token, bool aborted)
    {
        NowNs = nowNs;
        int index = CoreToken.IndexOf(token.Value);
        if (CoreToken.KindOf(token.Value) == TokenKind.Request)
        {
            Connection.OnRequestSent(Requests[index], aborted);
        }
        else
        {
            PeerRequest peer = PeerRequests[index];
            peer.Volume.OnReplySent(peer);
        }

        RunScripts();
    }

    public void OnRequest(long nowNs, int volume, in FrontEndRequest request)
    {
        NowNs = nowNs;
        RequireVolume(volume).OnRequest(request);
        RunScripts();
    }

    private Volume RequireVolume(int number)
    {
        Volume? volume = FindVolume(number);
        Invariant.Require(volume is not null, "events name volumes of the resource");
        return volume;
    }

    /// <summary>Lets every script go on that can, until none can.</summary>
    private void RunScripts()
    {
        bool progress = true;
        while (progress)
        {
            progress = Worker.Advance();
            progress |= Connection.AdvanceReceiver();
            progress |= _commands.Advance();
        }
    }
}
