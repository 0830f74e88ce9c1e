using BlockRepl.Core.ActivityLog;
using BlockRepl.Core.Protocol;
using BlockRepl.Core.State;

namespace BlockRepl.Core.Resource;

/// <summary>Writes and reads on behalf of the peer: started in an order that is safe, answered when done.</summary>
internal sealed partial class Volume
{
    private readonly LinkedRequests<PeerRequest> _peerRequests = new();

    public int PeerRequestCount => _peerRequests.Count;

    private PeerRequest NewPeerRequest(PeerRequestKind kind, ulong sector, int byteCount)
    {
        PeerRequest peer = _core.PeerRequests.Rent();
        peer.Reset();
        peer.Volume = this;
        peer.Kind = kind;
        peer.Sector = sector;
        peer.ByteCount = byteCount;
        peer.Connection = Connection.Generation;
        peer.Order = _core.NextOrder();
        _peerRequests.Add(peer);
        return peer;
    }

    private void RemovePeerRequest(PeerRequest peer)
    {
        _peerRequests.Remove(peer);
        ReleasePeerBuffer(peer);
        _core.PeerRequests.Return(peer.Index);
        _core.WakeBlocked();
    }

    private void ReleasePeerBuffer(PeerRequest peer)
    {
        if (peer.Buffer.IsNone)
        {
            return;
        }

        _host.ReleaseBuffer(peer.Buffer);
        peer.Buffer = BufferHandle.None;
        if (peer.CountsAsPeerRead)
        {
            _core.PeerReadBytes -= BufferBytes(peer.ByteCount);
            peer.CountsAsPeerRead = false;
        }
    }

    /// <summary>What a buffer costs in the bound of <see cref="CoreLimits.PeerReadBytes"/>.</summary>
    private static int BufferBytes(int byteCount) =>
        (int)System.Numerics.BitOperations.RoundUpToPowerOf2((uint)Math.Max(4096, byteCount));

    private bool RentPeerBuffer(PeerRequest peer)
    {
        int bytes = BufferBytes(peer.ByteCount);
        if (_core.PeerReadBytes + bytes > CoreLimits.PeerReadBytes)
        {
            return false;
        }

        _core.PeerReadBytes += bytes;
        peer.CountsAsPeerRead = true;
        peer.Buffer = _host.RentBuffer(peer.ByteCount);
        return true;
    }

    /// <summary>
    /// A resync or verify works on these blocks, or a peer's request that came before reads or writes them.
    /// </summary>
    private bool IsBusyWithPeer(ulong sector, ulong endSector, ulong order)
    {
        for (PeerRequest? peer = _peerRequests.First; peer is not null; peer = peer.Next)
        {
            // Writes that came before go first, whether they have begun or not; so does one that was let past own
            // writes, for the peer has been or will be told that it is the earlier one.
            bool replicated = peer.Kind is PeerRequestKind.Write or PeerRequestKind.Zero;
            bool earlierWrite = (peer.Order < order && peer.Writes) || (replicated && !peer.Undecided);
            bool resync = peer.Started && peer.Kind != PeerRequestKind.Read;
            if ((earlierWrite || resync) && peer.Overlaps(sector, endSector))
            {
                return true;
            }
        }

        return IsRequestedFromSource(sector, endSector)
            || IsBeingVerified(sector, endSector)
            || IsAnsweredButUnacknowledged(sector, endSector);
    }

    public void RetryBlockedPeerRequests()
    {
        PeerRequest? next;
        for (PeerRequest? peer = _peerRequests.First; peer is not null; peer = next)
        {
            next = peer.Next;
            if (!peer.Started && !peer.WaitsForCommit)
            {
                TryStartPeer(peer);
            }
        }
    }

    private void TryStartPeer(PeerRequest peer)
    {
        if (peer.Connection != Connection.Generation && !peer.Writes)
        {
            // Nobody waits for the answer any more.
            RemovePeerRequest(peer);
            return;
        }

        if (peer.Undecided && !DecideConflict(peer))
        {
            return;
        }

        if (IsPeerHeldBack(peer))
        {
            return;
        }

        if (!HasDisk)
        {
            peer.Started = true;
            FinishPeer(peer, IoError.Failed);
            return;
        }

        if (peer.Kind == PeerRequestKind.SourceRead && RestsBefore(peer))
        {
            return;
        }

        if (!peer.Writes && peer.Buffer.IsNone && !RentPeerBuffer(peer))
        {
            return;
        }

        if (peer.Writes && peer.Kind != PeerRequestKind.TargetWrite && !HoldPeerExtents(peer))
        {
            return;
        }

        SubmitPeer(peer);
    }

    private bool IsPeerHeldBack(PeerRequest peer)
    {
        if (peer.Epoch is not null && !Connection.MayStart(peer.Epoch))
        {
            return true;
        }

        for (PeerRequest? other = _peerRequests.First; other is not null && other != peer; other = other.Next)
        {
            if ((peer.Writes || other.Writes) && other.Overlaps(peer.Sector, peer.EndSector))
            {
                return true;
            }
        }

        // A resync read must not see half of a write, nor send old data behind a new P_DATA.
        bool minds =
            peer.Kind is PeerRequestKind.SourceRead or PeerRequestKind.TargetWrite or PeerRequestKind.VerifyTargetRead;
        return minds && !_core.Faults.ReplyResyncWithoutLock && HasActiveWrite(peer.Sector, peer.EndSector);
    }

    /// <summary>
    /// What a peer without a usable disk sent is marked, and its extents logged, before it is written: also when the
    /// connection ended while it waited here.
    /// </summary>
    private bool HoldPeerExtents(PeerRequest peer)
    {
        if (!peer.IsOnlyCopy || peer.HeldLog is not null || Log is null || LogSuspended)
        {
            return !peer.WaitsForCommit;
        }

        NotePeerWrites();
        Bitmap?.SetRange(peer.Sector, (ulong)peer.ByteCount);
        if (_movesMetaData)
        {
            return false;
        }

        switch (Log.TryAcquire(peer.FirstExtent, peer.LastExtent, hitsOnly: false))
        {
            case AcquireResult.Hot:
                peer.HeldLog = Log;
                return true;
            case AcquireResult.Pending:
                peer.HeldLog = Log;
                peer.WaitsForCommit = true;
                return false;
            default:
                return false;
        }
    }

    private void SubmitPeer(PeerRequest peer)
    {
        peer.Started = true;
        IoToken token = CoreToken.Io(TokenKind.PeerRequest, peer.Index);
        DiskOperations++;
        if (peer.Kind == PeerRequestKind.TargetWrite)
        {
            _resyncDataUnflushed = true;
        }
        else if (peer.Writes)
        {
            _dataUnflushed = true;
        }

        if (!peer.Writes)
        {
            _host.ReadDisk(Number, token, peer.Sector, peer.ByteCount, peer.Buffer);
        }
        else if (peer.Buffer.IsNone)
        {
            _host.ZeroDisk(Number, token, peer.Sector, peer.ByteCount, peer.ZeroMode);
        }
        else
        {
            _host.WriteDisk(Number, token, peer.Sector, peer.ByteCount, peer.Buffer, peer.ForceUnitAccess);
        }
    }

    /// <summary>The disk is done with a peer's request.</summary>
    public void OnPeerIoDone(PeerRequest peer, IoError error)
    {
        Invariant.Require(peer.Started, "only what was started can end");
        DiskOperations--;
        if (error == IoError.NotSupported && peer.Kind == PeerRequestKind.Zero && peer.ZeroMode == ZeroMode.Discard)
        {
            peer.ZeroMode = ZeroMode.ZeroMayUnmap;
            SubmitPeer(peer);
            return;
        }

        if (error != IoError.None && !(peer.Buffer.IsNone && error == IoError.NotSupported))
        {
            OnDiskError(!peer.Writes, $"{peer.Kind} of {peer.ByteCount} bytes at sector {peer.Sector}");
        }
        else if (peer.Writes)
        {
            // A flush that was under way may have missed this write.
            _dataUnflushed |= peer.Kind != PeerRequestKind.TargetWrite;
            Counters.WrittenSectors += (ulong)peer.ByteCount >> 9;
        }
        else
        {
            Counters.ReadSectors += (ulong)peer.ByteCount >> 9;
        }

        FinishPeer(peer, error);
    }

    private void FinishPeer(PeerRequest peer, IoError error)
    {
        switch (peer.Kind)
        {
            case PeerRequestKind.Write:
            case PeerRequestKind.Zero:
                FinishPeerWrite(peer, error == IoError.None);
                break;
            case PeerRequestKind.Read:
                FinishPeerRead(peer, error == IoError.None);
                break;
            case PeerRequestKind.SourceRead:
                FinishSourceRead(peer, error == IoError.None);
                break;
            case PeerRequestKind.TargetWrite:
                FinishTargetWrite(peer, error == IoError.None);
                break;
            case PeerRequestKind.TargetChecksum:
                FinishTargetChecksumRead(peer, error == IoError.None);
                break;
            case PeerRequestKind.VerifyTargetRead:
                FinishVerifyTargetRead(peer, error == IoError.None);
                break;
            default:
                FinishVerifySourceRead(peer, error == IoError.None);
                break;
        }
    }

    /// <summary>Whether an answer to this request can still be sent.</summary>
    private bool CanAnswer(PeerRequest peer) =>
        peer.Connection == Connection.Generation && IsConnected(State) && Connection.IsOperational;

    /// <summary>P_DATA: the payload is ours. Written now, or when what stands before it is done.</summary>
    public void OnPeerWrite(in DataHeader data, BufferHandle payload, int byteCount)
    {
        PeerRequest peer = NewPeerRequest(PeerRequestKind.Write, data.Sector, byteCount);
        peer.Buffer = payload;
        Counters.ReceivedSectors += (ulong)byteCount >> 9;
        AcceptPeerWrite(peer, data);
    }

    /// <summary>P_TRIM and P_ZEROES. Without feature WZEROES a trim promises zeroes.</summary>
    public void OnPeerZero(in ZeroHeader zero, bool isTrim)
    {
        PeerRequest peer = NewPeerRequest(PeerRequestKind.Zero, zero.Data.Sector, zero.ByteCount);
        bool plainDiscard = isTrim && (Connection.Features & FeatureFlags.WriteZeroes) != 0;
        bool mayUnmap = isTrim || (zero.Data.Flags & DataFlags.Discard) != 0;
        peer.ZeroMode = plainDiscard ? ZeroMode.Discard : mayUnmap ? ZeroMode.ZeroMayUnmap : ZeroMode.ZeroNoUnmap;
        AcceptPeerWrite(peer, zero.Data);
    }

    private void AcceptPeerWrite(PeerRequest peer, in DataHeader data)
    {
        peer.BlockId = data.BlockId;
        peer.Flags = Connection.EffectiveFlags(data.Flags);
        peer.ForceUnitAccess = (data.Flags & DataFlags.ForceUnitAccess) != 0;
        peer.Epoch = Connection.JoinReceiveEpoch();
        peer.SequenceNumber = data.SequenceNumber;
        if ((peer.Flags & DataFlags.SendWriteAck) != 0)
        {
            Counters.BeginUnacknowledged();
        }

        peer.IsOnlyCopy = State.PeerDisk < DiskState.Inconsistent;
        if (!HasDisk)
        {
            SawPeerSequence(peer.SequenceNumber);
            peer.Started = true;
            FinishPeerWrite(peer, ok: false);
            return;
        }

        if ((peer.Flags & DataFlags.SendReceiveAck) != 0)
        {
            Connection.SendAck(this, Command.RecvAck, peer.Sector, peer.BlockId, peer.ByteCount);
        }

        if (_core.Options.Net.AllowTwoPrimaries && !_core.Faults.IgnoreConflicts)
        {
            peer.Undecided = true;
            Connection.OnWriteUndecided(peer);
        }
        else
        {
            SawPeerSequence(peer.SequenceNumber);
        }

        TryStartPeer(peer);
    }

    private void FinishPeerWrite(PeerRequest peer, bool ok)
    {
        bool wantsAck = (peer.Flags & DataFlags.SendWriteAck) != 0;
        if (wantsAck)
        {
            Counters.EndUnacknowledged();
        }

        if (!ok)
        {
            Bitmap?.SetRange(peer.Sector, (ulong)peer.ByteCount);
        }

        bool inSync = (peer.Flags & DataFlags.MaySetInSync) != 0 && ok && wantsAck
            && State.Connection is >= ConnectionState.SyncSource and <= ConnectionState.PausedSyncT;
        if (inSync)
        {
            ClearInSync(peer.Sector, peer.ByteCount);
        }

        if (CanAnswer(peer) && (wantsAck || !ok))
        {
            Command ack = !ok ? Command.NegAck : inSync ? Command.RsWriteAck : Command.WriteAck;
            Connection.SendAck(this, ack, peer.Sector, peer.BlockId, peer.ByteCount);
        }

        if (peer.EndsConflicts)
        {
            EndConflicts(peer);
        }

        peer.HeldLog?.Release(peer.FirstExtent, peer.LastExtent);
        ReceiveEpoch? epoch = peer.Connection == Connection.Generation ? peer.Epoch : null;
        RemovePeerRequest(peer);
        if (epoch is not null)
        {
            epoch.Active--;
            Connection.CheckReceiveEpochs();
        }
    }

    /// <summary>P_DATA_REQUEST: served only from up-to-date data.</summary>
    public void OnPeerRead(in BlockRequest wanted)
    {
        if (State.Disk != DiskState.UpToDate)
        {
            Connection.SendAck(this, Command.NegDReply, wanted.Sector, wanted.BlockId, wanted.ByteCount);
            return;
        }

        PeerRequest peer = NewPeerRequest(PeerRequestKind.Read, wanted.Sector, wanted.ByteCount);
        peer.BlockId = wanted.BlockId;
        Counters.BeginUnacknowledged();
        TryStartPeer(peer);
    }

    private void FinishPeerRead(PeerRequest peer, bool ok)
    {
        Counters.EndUnacknowledged();
        if (!CanAnswer(peer))
        {
            RemovePeerRequest(peer);
        }
        else if (ok)
        {
            Connection.SendReply(this, Command.DataReply, peer);
        }
        else
        {
            Connection.SendAck(this, Command.NegDReply, peer.Sector, peer.BlockId, peer.ByteCount);
            RemovePeerRequest(peer);
        }
    }

    /// <summary>
    /// A reply with data was handed to TCP (or never will be): its buffer and its lock on the blocks end.
    /// </summary>
    public void OnReplySent(PeerRequest peer) => RemovePeerRequest(peer);
}
