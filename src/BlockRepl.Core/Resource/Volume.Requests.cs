using BlockRepl.Core.ActivityLog;
using BlockRepl.Core.Options;
using BlockRepl.Core.Protocol;
using BlockRepl.Core.State;

namespace BlockRepl.Core.Resource;

/// <summary>Requests of the application: admission, both halves, answer, and the long end at the barrier ack.</summary>
internal sealed partial class Volume
{
    /// <summary>Requests that were not answered.</summary>
    private readonly LinkedRequests<Request> _active = new();
    private uint _readTurn;

    /// <summary>Takes a request of the front end; the buffer of a write is the core's from here on.</summary>
    public void OnRequest(in FrontEndRequest wanted)
    {
        RequestError error = Validate(wanted);
        if (error != RequestError.None)
        {
            if (wanted.Kind != RequestKind.Read && !wanted.Buffer.IsNone)
            {
                _host.ReleaseBuffer(wanted.Buffer);
            }

            _host.CompleteRequest(wanted.Token, error);
            return;
        }

        Request request = _core.Requests.Rent();
        request.Reset();
        request.Volume = this;
        request.Kind = wanted.Kind;
        request.Sector = wanted.Sector;
        request.ByteCount = wanted.ByteCount;
        request.Buffer = wanted.Buffer;
        request.ForceUnitAccess = wanted.ForceUnitAccess;
        request.Token = wanted.Token;
        request.Order = _core.NextOrder();
        _active.Add(request);
        Counters.ApplicationPending++;
        TryStart(request);
    }

    private RequestError Validate(in FrontEndRequest wanted)
    {
        if (State.Role != Role.Primary)
        {
            return RequestError.ReadOnly;
        }

        if (SizeSectors == 0)
        {
            return RequestError.NoDevice;
        }

        if (wanted.Kind == RequestKind.Flush)
        {
            return RequestError.None;
        }

        int most = wanted.Kind is RequestKind.Read or RequestKind.Write
            ? CoreLimits.MaxPayloadBytes
            : CoreLimits.MaxZeroBytes;
        bool sized = wanted.ByteCount > 0 && wanted.ByteCount <= most && wanted.ByteCount % LogicalBlockBytes == 0;
        ulong sectors = (ulong)wanted.ByteCount >> 9;
        bool inside = sized && wanted.Sector < SizeSectors && sectors <= SizeSectors - wanted.Sector
            && wanted.Sector * 512 % (ulong)LogicalBlockBytes == 0;
        return inside ? RequestError.None : RequestError.Invalid;
    }

    public int LogicalBlockBytes => Disk?.LogicalBlockBytes ?? 512;

    /// <summary>Tries every request that was held back, in order of arrival.</summary>
    public void RetryBlockedRequests()
    {
        Request? next;
        for (Request? request = _active.First; request is not null; request = next)
        {
            next = request.Next;
            if (!request.Started && !request.WaitsForCommit)
            {
                TryStart(request);
            }
        }
    }

    /// <summary>Starts a request, or leaves it in the list to be tried again when something changed.</summary>
    private void TryStart(Request request)
    {
        bool held = IoHeld && !request.Retries;
        if (held || !StateRules.AllowsApplicationIo(State, Connection.AgreedVersion) || Connection.SendsBitmap)
        {
            return;
        }

        switch (request.Kind)
        {
            case RequestKind.Read:
                StartRead(request);
                break;
            case RequestKind.Flush:
                StartFlush(request);
                break;
            default:
                PullAheadIfCongested();
                if (!_syncUuidDue && !IsHeldBack(request) && HoldExtents(request))
                {
                    SubmitWrite(request);
                }

                break;
        }
    }

    /// <summary>Another write or a resync is busy with the same blocks.</summary>
    private bool IsHeldBack(Request request)
    {
        for (Request? other = _active.First; other is not null && other.Order < request.Order; other = other.Next)
        {
            if (other.IsWrite && other.Overlaps(request.Sector, request.EndSector))
            {
                return true;
            }
        }

        return IsBusyWithPeer(request.Sector, request.EndSector, request.Order);
    }

    /// <summary>
    /// Whether all extents of the write are in the durable activity log; begins to get them there if not.
    /// </summary>
    private bool HoldExtents(Request request)
    {
        if (request.HeldLog is not null && request.HeldLog != Log)
        {
            // It was frozen, and the disk went and came back: the log of now does not name its extents.
            GiveUpExtents(request);
        }

        if (Log is null || !HasDisk || LogSuspended || request.HeldLog is not null)
        {
            return !request.WaitsForCommit;
        }

        if (_movesMetaData)
        {
            return false;
        }

        switch (Log.TryAcquire(request.FirstExtent, request.LastExtent, hitsOnly: false))
        {
            case AcquireResult.Hot:
                TakeExtents(request);
                return true;
            case AcquireResult.Pending:
                TakeExtents(request);
                request.WaitsForCommit = true;
                return false;
            case AcquireResult.Starving:
                // Answered writes hold their extents until the peer has confirmed their epoch.
                Connection.CloseSendEpoch();
                return false;
            default:
                return false;
        }
    }

    /// <summary>
    /// A transaction is durable: those who waited for it may write, and the others may try for the next.
    /// </summary>
    private void OnCommitted()
    {
        for (Request? request = _active.First; request is not null; request = request.Next)
        {
            request.WaitsForCommit = false;
        }

        for (PeerRequest? peer = _peerRequests.First; peer is not null; peer = peer.Next)
        {
            peer.WaitsForCommit = false;
        }

        _core.WakeBlocked();
    }

    private void SubmitWrite(Request request)
    {
        if (!StateRules.HasUpToDateData(State))
        {
            request.Started = request.NetDone = true;
            CheckAnswered(request);
            return;
        }

        request.Started = request.MayBeOnDisk = true;
        request.Retries = false;
        bool remote = Connection.IsOperational && StateRules.IsReplicating(State);
        if (remote && request.ByteCount > (request.IsZero ? Connection.MaxZeroBytes : Connection.MaxRequestBytes))
        {
            // It came in before this version was agreed on. Written here and marked; the reconnect brings it over.
            Connection.Break(
                ConnectionState.ProtocolError,
                $"a request of {request.ByteCount} bytes is too large for version {Connection.AgreedVersion}");
            remote = false;
        }

        if (HasDisk)
        {
            request.LocalPending = request.LocalTried = true;
            DiskOperations++;
            _dataUnflushed = true;
            SubmitLocal(request);
        }

        if (remote)
        {
            Connection.Replicate(this, request);
        }
        else
        {
            request.NetDone = true;
            if (StateRules.SendsOutOfSync(State, Connection.AgreedVersion) && Connection.IsOperational
                && Bitmap is not null && Bitmap.SetRange(request.Sector, (ulong)request.ByteCount) > 0)
            {
                Connection.SendOutOfSync(this, request.Sector, request.ByteCount);
            }
        }

        CheckAnswered(request);
    }

    private void SubmitLocal(Request request)
    {
        IoToken token = CoreToken.Io(TokenKind.Request, request.Index);
        Counters.ApplicationSectors += request.ByteCount >> 9;
        WatchDisk(request);
        switch (request.Kind)
        {
            case RequestKind.Write:
                _host.WriteDisk(
                    Number, token, request.Sector, request.ByteCount, request.Buffer, request.ForceUnitAccess);
                break;
            case RequestKind.Discard:
                _host.ZeroDisk(Number, token, request.Sector, request.ByteCount, ZeroMode.Discard);
                break;
            case RequestKind.WriteZeroesMayUnmap:
                _host.ZeroDisk(Number, token, request.Sector, request.ByteCount, ZeroMode.ZeroMayUnmap);
                break;
            default:
                _host.ZeroDisk(Number, token, request.Sector, request.ByteCount, ZeroMode.ZeroNoUnmap);
                break;
        }
    }

    /// <summary>
    /// A flush is answered when every write answered before it is durable: here by a flush of the disk, and, with
    /// protocol C and a peer that counts, there by the barrier acks of the epochs so far.
    /// </summary>
    private void StartFlush(Request request)
    {
        request.Started = true;
        request.NetDone = true;
        bool remote = Connection.IsOperational && StateRules.IsReplicating(State);
        if (HasDisk && Options.Disk.DiskFlushes)
        {
            request.LocalPending = request.LocalTried = true;
            DiskOperations++;
            WatchDisk(request);
            _dataUnflushed = false;
            _host.FlushDisk(Number, CoreToken.Io(TokenKind.Request, request.Index));
        }
        else
        {
            request.LocalOk = HasDisk || remote;
        }

        Connection.CloseSendEpoch();
        if (remote && _core.Options.Net.Protocol == ReplicationProtocol.C)
        {
            Connection.WaitForEpochs(request);
        }

        CheckAnswered(request);
    }

    private void StartRead(Request request)
    {
        bool inSync = State.Disk == DiskState.UpToDate
            || (State.Disk == DiskState.Inconsistent && Bitmap is not null
                && !Bitmap.AnySet(request.Sector, (ulong)request.ByteCount)
                && State.Connection > ConnectionState.Connected);
        bool remote = State.PeerDisk == DiskState.UpToDate && Connection.IsOperational;
        bool here = inSync && !request.LocalTried && !(remote && PrefersRemote(request));
        if (here)
        {
            request.Started = request.LocalPending = request.LocalTried = true;
            DiskOperations++;
            Counters.ApplicationSectors += request.ByteCount >> 9;
            _host.ReadDisk(
                Number, CoreToken.Io(TokenKind.Request, request.Index), request.Sector, request.ByteCount,
                request.Buffer);
        }
        else if (remote)
        {
            request.Started = request.NetPending = true;
            Counters.BeginPeerPending();
            Connection.RequestData(this, request);
        }
        else
        {
            request.Started = request.NetDone = true;
            CheckAnswered(request);
        }
    }

    private bool PrefersRemote(Request request)
    {
        if (Options.Disk.ReadBalancing is ReadBalancing.PreferLocal or ReadBalancing.WhenCongestedRemote
            || State.Connection != ConnectionState.Connected)
        {
            return false;
        }

        int shift = Options.Disk.ReadBalancing - ReadBalancing.Striping32K;
        return Options.Disk.ReadBalancing switch
        {
            ReadBalancing.PreferRemote => true,
            ReadBalancing.RoundRobin => (_readTurn++ & 1) != 0,
            ReadBalancing.LeastPending => Counters.PeerPending < DiskOperations,
            _ => ((request.Sector >> (6 + shift)) & 1) != 0,
        };
    }

    /// <summary>The local half ended.</summary>
    public void OnLocalDone(Request request, IoError error)
    {
        if (request.Kind == RequestKind.Discard && error == IoError.NotSupported
            && !request.ZeroesInstead && !request.LocalAborted && HasDisk)
        {
            // As the peer does where it cannot discard: so that both read the same afterwards.
            request.ZeroesInstead = true;
            IoToken token = CoreToken.Io(TokenKind.Request, request.Index);
            _host.ZeroDisk(Number, token, request.Sector, request.ByteCount, ZeroMode.ZeroMayUnmap);
            return;
        }

        DiskOperations--;
        request.LocalPending = false;
        request.LocalOk = error == IoError.None && !request.LocalAborted;
        if (request.LocalAborted)
        {
            CheckAnswered(request);
            return;
        }

        if (request.LocalOk)
        {
            Count(request);
        }
        else if (request.IsZero && error == IoError.NotSupported)
        {
            // The device cannot do it; that is no defect. The peer may have done it: the blocks are marked at the end.
            request.LocalOk = request.Kind == RequestKind.Discard;
        }
        else
        {
            OnDiskError(
                request.Kind == RequestKind.Read,
                $"{request.Kind} of {request.ByteCount} bytes at sector {request.Sector}");
            if (request.Kind == RequestKind.Read)
            {
                MarkOwnCopy(request);
                request.Started = false;
                TryStart(request);
                return;
            }
        }

        CheckAnswered(request);
    }

    private void Count(Request request)
    {
        ulong sectors = (ulong)request.ByteCount >> 9;
        if (request.Kind == RequestKind.Read)
        {
            Counters.ReadSectors += sectors;
        }
        else
        {
            Counters.WrittenSectors += sectors;
        }

        if (request.IsWrite)
        {
            // A flush that was under way may have missed this write. One that the log does not name has only its bit,
            // which a resync clears: as with resync data, the page with the cleared bit must not be durable before the
            // data.
            _dataUnflushed = true;
            _resyncDataUnflushed |= request.HeldLog is null;
        }
    }

    /// <summary>Answers the front end once neither half is pending; a copy on either side is success.</summary>
    public void CheckAnswered(Request request)
    {
        bool waitsForPeer = request.NetPending && !_core.Faults.CompleteBeforePeer;
        bool waitsForDisk = request.LocalPending && !request.LocalAborted;
        bool pending = waitsForDisk || waitsForPeer || request.SendPending || request.WaitsForEpochs;
        if (!request.Started || pending || request.Answered)
        {
            if (request.Conflict != WriteConflict.None)
            {
                _core.WakeBlocked();
            }

            CheckDone(request);
            return;
        }

        bool ok = request.LocalOk || request.NetOk;
        bool alone = request.IsWrite && request.NetDone && !request.NetOk;
        if (State.IsSuspended && (alone || !ok))
        {
            // Frozen: to be tried anew when I/O goes on; not while it still stands in the transfer log. What only this
            // node has must not be answered before the peer is known to be out of the way (fencing), nor before the
            // generation that was put off has begun: a peer that comes back with the same generation would not be
            // resynchronised.
            if (request.NetDone)
            {
                request.Started = request.NetDone = request.Replicated = request.LocalTried = request.LocalOk = false;
            }

            return;
        }

        request.Answered = true;
        if (_core.Faults.ReleaseExtentAtAck && request.IsWrite)
        {
            GiveUpExtents(request);
        }

        if (request.Replicated)
        {
            Connection.CloseEpochOf(request);
        }

        _active.Remove(request);
        Counters.ApplicationPending--;
        _host.CompleteRequest(request.Token, ok ? RequestError.None : RequestError.InputOutput);
        if (request.IsWrite)
        {
            _core.WakeBlocked();
        }

        CheckDone(request);
    }

    /// <summary>
    /// Gives the buffer back when nobody reads it any more, and forgets a request when nothing about either copy can
    /// change any more. First the bits, then the extents.
    /// </summary>
    private void CheckDone(Request request)
    {
        if (!request.Answered || request.LocalPending || request.SendPending)
        {
            return;
        }

        if (request.IsWrite && !request.Buffer.IsNone)
        {
            _host.ReleaseBuffer(request.Buffer);
            request.Buffer = BufferHandle.None;
        }

        if (!request.NetDone)
        {
            return;
        }

        if (request.IsWrite)
        {
            SettleBits(request);
            if (request.HeldLog is not null)
            {
                GiveUpExtents(request);
                _core.WakeBlocked();
            }
        }

        _core.Requests.Return(request.Index);
    }

    private void SettleBits(Request request)
    {
        bool both = request.LocalOk && request.NetOk && request.Replicated;
        if (!both && request.MayBeOnDisk)
        {
            // Also when both failed: either copy may hold a part of it.
            if (request.NetOk)
            {
                MarkOwnCopy(request);
            }
            else
            {
                Bitmap?.SetRange(request.Sector, (ulong)request.ByteCount);
                NoteUnsavedMarks();
            }
        }
        else if (both && request.PeerSetInSync)
        {
            ClearInSync(request.Sector, request.ByteCount);
        }

        CheckSourceFinished();
    }

    /// <summary>
    /// Marks what only the peer has. No target asks its source for it: a resync under way ends without these blocks.
    /// </summary>
    private void MarkOwnCopy(Request request)
    {
        ulong marked = (ulong)(Bitmap?.SetRange(request.Sector, (ulong)request.ByteCount) ?? 0);
        NoteUnsavedMarks();
        _resyncFailedBits += IsSource ? marked : 0;
    }

    /// <summary>
    /// The connection is gone: an ack is not durability, so even acked writes count as not replicated until their
    /// barrier ack. (1. write acked; 2. peer loses power, its cache with it; 3. it comes back: only our bit can name
    /// the block.)
    /// </summary>
    public void OnNetLost(Request request)
    {
        if (request.NetPending)
        {
            Counters.EndPeerPending();
        }

        request.NetPending = false;
        request.NetOk &= _core.Faults.SkipBitsOnConnectionLoss;
        request.PeerSetInSync = false;
        request.NetDone = true;
        request.WaitsForEpochs = false;
        CheckAnswered(request);
    }

    /// <summary>Reads that the lost peer was to answer are tried anew.</summary>
    public void OnConnectionLostReads()
    {
        Request? next;
        for (Request? request = _active.First; request is not null; request = next)
        {
            next = request.Next;
            if (request.Kind == RequestKind.Read && request.NetPending)
            {
                request.NetPending = false;
                Counters.EndPeerPending();
                request.Started = false;
                request.LocalTried = false;
                TryStart(request);
            }
        }
    }

    /// <summary>Whether a write of the application is under way (not merely held back) in the range.</summary>
    private bool HasActiveWrite(ulong sector, ulong endSector)
    {
        for (Request? request = _active.First; request is not null; request = request.Next)
        {
            if (request.IsWrite && (request.Started || request.WaitsForCommit) && request.Overlaps(sector, endSector))
            {
                return true;
            }
        }

        return false;
    }

    private void PullAheadIfCongested()
    {
        NetOptions net = _core.Options.Net;
        if (net.OnCongestion == OnCongestion.Block || net.Protocol != ReplicationProtocol.A
            || Connection.AgreedVersion < 96 || State.Disk != DiskState.UpToDate || !StateRules.IsReplicating(State))
        {
            return;
        }

        bool filled = net.CongestionFillSectors > 0 && Connection.InFlightSectors(this) >= net.CongestionFillSectors;
        bool extents = Log is not null && Log.ReferencedCount >= net.CongestionExtents;
        if (!filled && !extents)
        {
            return;
        }

        LogLine(CoreLogLevel.Information, filled ? "congestion-fill reached" : "congestion-extents reached");
        if (net.OnCongestion == OnCongestion.PullAhead)
        {
            Change(StateRequest.Conn(ConnectionState.Ahead));
        }
        else
        {
            Connection.Disconnect("on-congestion disconnect");
        }
    }
}
