using BlockRepl.Core.Protocol;
using BlockRepl.Core.State;

namespace BlockRepl.Core.Resource;

/// <summary>
/// The transfer log: writes that were sent and whose epoch the peer has not confirmed, in the order in which they were
/// sent. Only the barrier ack lets the Primary forget them.
/// </summary>
internal sealed partial class Connection
{
    /// <summary>
    /// With protocol C an epoch that nothing else ends lives this long, or as much longer as makes the peer's flushes
    /// a tenth of the time at most. What it holds is what a lost connection costs in resync.
    /// </summary>
    private const long ShortestEpochNs = 10_000_000;
    private const long LongestEpochNs = 250_000_000;
    private const int EpochLivesPerFlush = 9;

    /// <summary>So many bytes end it too: the more there is to flush, the longer the writes behind it wait.</summary>
    private const long MaxEpochBytes = 16 << 20;

    private readonly Queue<(uint Number, int Writes, long SentAtNs)> _openEpochs = new();
    private readonly List<Request> _epochWaiters = [];
    private Request? _logHead;
    private Request? _logTail;
    private uint _sendEpoch;
    private int _sendEpochWrites;
    private bool _closePending;
    private long _sendEpochBeganNs;
    private long _sendEpochBytes;
    private long _epochLifeNs = ShortestEpochNs;
    private uint _ackedThrough;
    private bool _anyAcked;

    private void BeginSendEpochs()
    {
        _openEpochs.Clear();
        _sendEpochWrites = 0;
        _closePending = false;
    }

    /// <summary>Sends a write to the peer and notes it in the transfer log.</summary>
    public void Replicate(Volume volume, Request request)
    {
        request.Replicated = true;
        request.NetPending = true;
        request.Epoch = JoinSendEpoch(request);
        request.SentAtNs = _core.NowNs;
        volume.Counters.BeginPeerPending();
        AppendToLog(request);
        DataHeader head = new(request.Sector, request.BlockId, ++volume.PacketSequence, FlagsOf(volume, request));
        if (request.Kind == RequestKind.Write)
        {
            SendWrite(volume, request, head);
        }
        else
        {
            bool trim = request.Kind == RequestKind.Discard || (Features & FeatureFlags.WriteZeroes) == 0;
            Send(volume, trim ? Command.Trim : Command.Zeroes, new ZeroHeader(head, request.ByteCount));
            OnHandedOver(volume, request);
        }
    }

    private void SendWrite(Volume volume, Request request, in DataHeader head)
    {
        volume.Counters.SentSectors += (ulong)request.ByteCount >> 9;
        request.SendPending = true;
        DigestAlgorithm digest = SendDigest;
        int length = PacketWriter.WriteHead(
            _scratch, _framing, NumberOf(volume), Command.Data, head, digest.Size() + request.ByteCount);
        _host.SendPayload(
            _data, _scratch.AsSpan(0, length), digest, request.Buffer, request.ByteCount,
            CoreToken.Send(TokenKind.Request, request.Index));
    }

    /// <summary>Protocol A asks for no more than that TCP has it.</summary>
    private void OnHandedOver(Volume volume, Request request)
    {
        if (Net.Protocol == ReplicationProtocol.A && request.NetPending)
        {
            request.NetPending = false;
            request.NetOk = true;
            volume.Counters.EndPeerPending();
        }
    }

    private static bool InSyncStates(Volume volume) =>
        volume.State.Connection is >= ConnectionState.SyncSource and <= ConnectionState.PausedSyncT;

    private DataFlags FlagsOf(Volume volume, Request request)
    {
        DataFlags flags = DataFlags.Sync;
        bool syncing = InSyncStates(volume);
        if (AgreedVersion >= 95)
        {
            flags |= request.ForceUnitAccess ? DataFlags.ForceUnitAccess : DataFlags.None;
            flags |= syncing ? DataFlags.MaySetInSync : DataFlags.None;
            flags |= request.Kind is RequestKind.Discard or RequestKind.WriteZeroesMayUnmap
                ? DataFlags.Discard
                : DataFlags.None;
            bool zeroes = request.IsZero && request.Kind != RequestKind.Discard
                && (Features & FeatureFlags.WriteZeroes) != 0;
            flags |= zeroes ? DataFlags.Zeroes : DataFlags.None;
            if (request.IsZero && !zeroes)
            {
                flags |= DataFlags.Discard;
            }
        }

        if (AgreedVersion < 100)
        {
            return flags;
        }

        return Net.Protocol switch
        {
            ReplicationProtocol.B => flags | DataFlags.SendReceiveAck | (syncing ? DataFlags.SendWriteAck : 0),
            ReplicationProtocol.C => flags | DataFlags.SendWriteAck,
            _ => flags | (syncing ? DataFlags.SendWriteAck : 0),
        };
    }

    private uint JoinSendEpoch(Request request)
    {
        bool full = _sendEpochWrites > 0
            && (_sendEpochWrites >= Net.MaxEpochSizeWrites || _sendEpochBytes >= MaxEpochBytes);
        if (_closePending || full)
        {
            _closePending = true;
            FlushBarrier();
        }

        if (_sendEpochWrites++ == 0)
        {
            _sendEpochBeganNs = _core.NowNs;
            _sendEpochBytes = 0;
        }

        _sendEpochBytes += request.Kind == RequestKind.Write ? request.ByteCount : 0;
        return _sendEpoch;
    }

    /// <summary>
    /// A write of the epoch was answered, and what the application does next may depend on it. With protocols A and B
    /// the epoch ends, so that the peer does not write the later one first. With protocol C the peer's disk has
    /// completed it already, as this node's has: only a flush asks for more, and it ends the epoch itself. The peer is
    /// spared a flush for each write that comes alone.
    /// </summary>
    public void CloseEpochOf(Request request)
    {
        if (Net.Protocol != ReplicationProtocol.C && request.Epoch == _sendEpoch)
        {
            CloseSendEpoch();
        }
    }

    /// <summary>When an epoch is old enough; while an earlier one is not confirmed it may grow.</summary>
    private long EpochDeadlineNs => _sendEpochWrites > 0 && !_closePending && _openEpochs.Count == 0
        ? _sendEpochBeganNs + _epochLifeNs
        : long.MaxValue;

    public void CloseSendEpoch() => _closePending |= _sendEpochWrites > 0;

    /// <summary>
    /// Sends the barrier of a closed epoch: before anything of a later one, and when the batch of events ends.
    /// </summary>
    public void FlushBarrier()
    {
        if (!_closePending || !IsOperational)
        {
            return;
        }

        _closePending = false;
        _openEpochs.Enqueue((_sendEpoch, _sendEpochWrites, _core.NowNs));
        if (_sendEpochWrites > 0)
        {
            Send(null, Command.Barrier, new BarrierPacket(_sendEpoch));
        }

        _sendEpoch++;
        _sendEpochWrites = 0;
        PassEmptyEpochs();
    }

    /// <summary>Epochs whose writes were all lost to the peer's: no barrier ack comes for them.</summary>
    private void PassEmptyEpochs()
    {
        while (_openEpochs.TryPeek(out (uint Number, int Writes, long SentAtNs) epoch) && epoch.Writes == 0)
        {
            _openEpochs.Dequeue();
            _ackedThrough = epoch.Number;
            _anyAcked = true;
            ReleaseEpochWaiters(lost: false);
        }
    }

    private void AppendToLog(Request request)
    {
        if (_logTail is null)
        {
            _logHead = request;
        }
        else
        {
            _logTail.NextInLog = request;
        }

        _logTail = request;
    }

    private void OnBarrierAck(in BarrierAckPacket ack)
    {
        if (!_openEpochs.TryDequeue(out (uint Number, int Writes, long SentAtNs) epoch)
            || epoch.Number != ack.Number || epoch.Writes != (int)ack.SetSize)
        {
            Break(ConnectionState.ProtocolError,
                $"barrier ack {ack.Number} for {ack.SetSize} writes, expected {epoch.Number} for {epoch.Writes}");
            return;
        }

        long flushLives = (_core.NowNs - epoch.SentAtNs) * EpochLivesPerFlush;
        _epochLifeNs = Math.Clamp(flushLives, ShortestEpochNs, LongestEpochNs);
        int confirmed = 0;
        while (_logHead is not null && _logHead.Epoch == ack.Number)
        {
            Request request = _logHead;
            _logHead = request.NextInLog;
            request.NextInLog = null;
            confirmed++;
            OnConfirmed(request);
        }

        if (_logHead is null)
        {
            _logTail = null;
        }

        Invariant.Require(confirmed == epoch.Writes, "an epoch has as many writes as were counted");
        _ackedThrough = ack.Number;
        _anyAcked = true;
        ReleaseEpochWaiters(lost: false);
        PassEmptyEpochs();
        _core.WakeBlocked();
    }

    /// <summary>Whether a write to these blocks still stands in the transfer log.</summary>
    public bool HasUnconfirmedWrite(Volume volume, ulong sector, ulong endSector)
    {
        for (Request? request = _logHead; request is not null; request = request.NextInLog)
        {
            if (request.Volume == volume && request.Overlaps(sector, endSector))
            {
                return true;
            }
        }

        return false;
    }

    private static void OnConfirmed(Request request)
    {
        if (request.NetPending)
        {
            // Its own ack must have come before; an epoch that is confirmed without it counts as replicated all the
            // same.
            request.NetPending = false;
            request.NetOk = true;
            request.Volume.Counters.EndPeerPending();
        }

        request.NetDone = true;
        request.Volume.CheckAnswered(request);
    }

    /// <summary>A flush of the application waits until all that was sent so far is confirmed.</summary>
    public void WaitForEpochs(Request request)
    {
        uint last = _sendEpochWrites > 0 ? _sendEpoch : _sendEpoch - 1;
        bool open = _sendEpochWrites > 0 || _openEpochs.Count > 0;
        if (open)
        {
            request.WaitsForEpochs = true;
            request.Epoch = last;
            _epochWaiters.Add(request);
        }
    }

    private void ReleaseEpochWaiters(bool lost)
    {
        for (int i = 0; i < _epochWaiters.Count;)
        {
            Request request = _epochWaiters[i];
            bool done = lost || (_anyAcked && (int)(_ackedThrough - request.Epoch) >= 0);
            if (!done)
            {
                i++;
                continue;
            }

            _epochWaiters.RemoveAt(i);
            request.WaitsForEpochs = false;
            request.NetOk |= !lost;
            request.Volume.CheckAnswered(request);
        }
    }

    /// <summary>
    /// P_SUPERSEDED, P_RETRY_WRITE: the peer did not write it, so it leaves the transfer log and its epoch.
    /// </summary>
    private void OnConflict(Volume volume, WriteConflict verdict, in BlockAck ack)
    {
        Request? request = FindRequest(volume, ack.BlockId, ack.Sector);
        if (request is null || !Net.AllowTwoPrimaries || ResolveConflicts || !request.IsWrite || !request.NetPending
            || request.Conflict != WriteConflict.None)
        {
            Break(
                ConnectionState.ProtocolError,
                $"a conflict verdict ({verdict}) for sector {ack.Sector} that this node did not wait for");
            return;
        }

        RemoveFromLog(request);
        LeaveSendEpoch(request.Epoch);
        request.Conflict = verdict;
        _core.WakeBlocked();
    }

    private void RemoveFromLog(Request request)
    {
        Request? before = null;
        for (Request? other = _logHead; other != request; other = other!.NextInLog)
        {
            before = other;
        }

        if (before is null)
        {
            _logHead = request.NextInLog;
        }
        else
        {
            before.NextInLog = request.NextInLog;
        }

        _logTail = _logTail == request ? before : _logTail;
        request.NextInLog = null;
    }

    private void LeaveSendEpoch(uint number)
    {
        if (number == _sendEpoch)
        {
            _sendEpochWrites--;
            return;
        }

        for (int i = _openEpochs.Count; i > 0; i--)
        {
            (uint Number, int Writes, long SentAtNs) epoch = _openEpochs.Dequeue();
            _openEpochs.Enqueue(epoch.Number == number ? epoch with { Writes = epoch.Writes - 1 } : epoch);
        }

        PassEmptyEpochs();
    }

    /// <summary>P_RECV_ACK, P_WRITE_ACK, P_RS_WRITE_ACK and P_NEG_ACK.</summary>
    private void OnWriteAck(Volume volume, Command command, in BlockAck ack)
    {
        Request? request = FindRequest(volume, ack.BlockId, ack.Sector);
        if (request is null || !request.Replicated || request.NetDone)
        {
            if (command == Command.NegAck)
            {
                volume.MarkOutOfSync(ack.Sector, ack.ByteCount);
            }
            else
            {
                Break(ConnectionState.ProtocolError, $"{command} for an unknown write at sector {ack.Sector}");
            }

            return;
        }

        bool enough = command != Command.RecvAck || Net.Protocol == ReplicationProtocol.B;
        if (command == Command.NegAck)
        {
            request.NetOk = false;
            request.PeerRefused = true;
        }
        else if (enough && !request.PeerRefused)
        {
            request.NetOk = true;
            request.PeerSetInSync |= command == Command.RsWriteAck;
        }

        if (request.NetPending && enough)
        {
            request.NetPending = false;
            volume.Counters.EndPeerPending();
        }

        volume.CheckAnswered(request);
    }

    /// <summary>Looks a cookie up; it must name a request in use with this sector.</summary>
    private Request? FindRequest(Volume volume, ulong blockId, ulong sector)
    {
        int index = (int)(blockId & int.MaxValue);
        if ((blockId & 0x80000000) != 0 || !_core.Requests.Contains(index))
        {
            return null;
        }

        Request request = _core.Requests[index];
        bool matches = request.BlockId == blockId && request.Sector == sector && request.Volume == volume;
        return matches && (request.NetPending || request.Replicated) ? request : null;
    }

    private void OnDataReply(Volume volume, in DataHeader data, BufferHandle payload, int byteCount)
    {
        Request? request = FindRequest(volume, data.BlockId, data.Sector);
        if (request is null || request.Kind != RequestKind.Read || !request.NetPending
            || request.ByteCount != byteCount)
        {
            ReleaseIfAny(payload);
            Break(ConnectionState.ProtocolError, $"P_DATA_REPLY for an unknown read at sector {data.Sector}");
            return;
        }

        volume.Counters.ReceivedSectors += (ulong)byteCount >> 9;
        _host.CopyBuffer(payload, request.Buffer, byteCount);
        _host.ReleaseBuffer(payload);
        EndRemoteRead(volume, request, ok: true);
    }

    private void OnReadRefused(Volume volume, in BlockAck ack)
    {
        Request? request = FindRequest(volume, ack.BlockId, ack.Sector);
        if (request is null || request.Kind != RequestKind.Read || !request.NetPending)
        {
            Break(ConnectionState.ProtocolError, $"P_NEG_DREPLY for an unknown read at sector {ack.Sector}");
            return;
        }

        EndRemoteRead(volume, request, ok: false);
    }

    private static void EndRemoteRead(Volume volume, Request request, bool ok)
    {
        volume.Counters.EndPeerPending();
        request.NetPending = false;
        request.NetOk = ok;
        request.NetDone = true;
        volume.CheckAnswered(request);
    }

    private void ClearTransferLog()
    {
        ForgetBitmaps();
        _openEpochs.Clear();
        _sendEpoch++;
        _sendEpochWrites = 0;
        _closePending = false;
        ReleaseEpochWaiters(lost: true);
        LoseLog();
        foreach (Volume volume in _core.Volumes)
        {
            volume.LoseConflicts();
        }
    }

    private void LoseLog()
    {
        Request? next;
        Request? request = _logHead;
        _logHead = _logTail = null;
        for (; request is not null; request = next)
        {
            next = request.NextInLog;
            request.NextInLog = null;
            request.Volume.OnNetLost(request);
        }
    }

    /// <summary>Sectors sent and not yet confirmed, of one volume: what congestion-fill looks at.</summary>
    public long InFlightSectors(Volume volume)
    {
        long sectors = 0;
        for (Request? request = _logHead; request is not null; request = request.NextInLog)
        {
            sectors += request.Volume == volume && request.Kind == RequestKind.Write ? request.ByteCount >> 9 : 0;
        }

        return sectors;
    }

    /// <summary>A payload was handed to TCP, or never will be.</summary>
    public void OnRequestSent(Request request, bool aborted)
    {
        request.SendPending = false;
        if (!aborted && !request.NetDone)
        {
            OnHandedOver(request.Volume, request);
        }

        request.Volume.CheckAnswered(request);
    }
}
