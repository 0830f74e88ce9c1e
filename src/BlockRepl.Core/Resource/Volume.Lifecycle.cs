using BlockRepl.Core.Generations;
using BlockRepl.Core.MetaData;
using BlockRepl.Core.Protocol;
using BlockRepl.Core.State;

namespace BlockRepl.Core.Resource;

/// <summary>What connections, commands and timers ask of a volume.</summary>
internal sealed partial class Volume
{
    private const long AheadSettleNs = 1_000_000_000;
    private const long AheadRetryNs = 100_000_000;

    /// <summary>Application I/O waits: a role change is being made durable.</summary>
    public bool IoHeld { get; set; }

    /// <summary>Number of the last packet of the volume's packet sequence; from zero with each connection.</summary>
    public uint PacketSequence { get; set; }

    /// <summary>Ahead: when to look whether the resync can begin.</summary>
    public long AheadCheckNs { get; private set; } = long.MaxValue;

    public void BeginConnection()
    {
        ForgetPeer();
        PacketSequence = _peerSequence = 0;
        AheadCheckNs = long.MaxValue;
    }

    /// <summary>Bitmap and superblock go to the disk.</summary>
    public IEnumerable<Func<bool>> SaveAll()
    {
        foreach (Func<bool> wait in WriteBitmap())
        {
            yield return wait;
        }

        foreach (Func<bool> wait in SyncSuperBlock())
        {
            yield return wait;
        }
    }

    /// <summary>The connection is gone and everything the peer sent is done: bits and superblock go to disk.</summary>
    public IEnumerable<Func<bool>> AfterConnectionEnd()
    {
        AheadCheckNs = long.MaxValue;
        foreach (Func<bool> wait in SaveAll())
        {
            yield return wait;
        }

        foreach (Func<bool> wait in SuspendLogIfAllSet())
        {
            yield return wait;
        }
    }

    public IEnumerable<Func<bool>> RotateIfWanted() =>
        _newUuidWanted && State.Disk == DiskState.UpToDate && Uuids.Bitmap == 0 ? NewCurrentUuid() : [];

    /// <summary>
    /// 1. a write of the peer is acked; 2. this disk fails before the flush for its barrier; 3. the barrier is acked
    /// and the peer forgets the write; 4. this node loses power and comes back with the disk: nobody marked the block.
    /// </summary>
    public bool LostUnflushedData => !HasDisk && _dataUnflushed && Options.Disk.DiskFlushes;

    public void ForgetUnflushedData() => _dataUnflushed = false;

    /// <summary>A barrier of the peer: true if a flush was started.</summary>
    public bool FlushForBarrier(uint generation)
    {
        if (!HasDisk || !Options.Disk.DiskFlushes)
        {
            return false;
        }

        DiskOperations++;
        _dataUnflushed = false;
        _host.FlushDisk(Number, CoreToken.Io(TokenKind.Barrier, (int)generation));
        return true;
    }

    public void OnBarrierFlushDone(int generation, IoError error)
    {
        DiskOperations--;
        if (error != IoError.None)
        {
            OnDiskError(read: false, "flush");
        }

        Connection.OnBarrierFlushed(generation, error != IoError.None);
    }

    public void MarkOutOfSync(ulong sector, int byteCount) => Bitmap?.SetRange(sector, (ulong)byteCount);

    /// <summary>The end of an event batch: pending extents, held back requests.</summary>
    public void EndBatch(bool retry)
    {
        if (retry)
        {
            RetryBlockedPeerRequests();
            RetryBlockedRequests();
        }

        StartCommit();
        CheckAhead();
    }

    /// <summary>Whether writes are under way or in the transfer log, for a demotion.</summary>
    public bool HasUnfinishedWrites => HasStartedRequests(writesOnly: false) || Connection.HasLoggedWrites(this);

    /// <summary>
    /// Whether writes that will mark their blocks only when they end are under way: a bitmap that is sent before lacks
    /// them.
    /// </summary>
    public bool HasStartedWrites => HasStartedRequests(writesOnly: true);

    private bool HasStartedRequests(bool writesOnly)
    {
        for (Request? request = _active.First; request is not null; request = request.Next)
        {
            if (writesOnly ? request.Started && request.IsWrite : request.Started || request.Retries)
            {
                return true;
            }
        }

        return false;
    }

    /// <summary>This node is Secondary now: requests that were held back while it changed are refused.</summary>
    public void RefuseHeldRequests()
    {
        Request? next;
        for (Request? request = _active.First; request is not null; request = next)
        {
            next = request.Next;
            if (request.MayBeOnDisk)
            {
                // It was frozen after it had reached this disk, and the peer's perhaps not.
                Bitmap?.SetRange(request.Sector, (ulong)request.ByteCount);
                NoteUnsavedMarks();
                _newUuidWanted = true;
                Connection.Break(
                    ConnectionState.NetworkFailure,
                    "a write that was frozen is given up with the role: the blocks have to be resynchronised");
            }

            GiveUpExtents(request);
            _active.Remove(request);
            Counters.ApplicationPending--;
            _host.CompleteRequest(request.Token, RequestError.ReadOnly);
            if (request.Kind == RequestKind.Write)
            {
                _host.ReleaseBuffer(request.Buffer);
            }

            _core.Requests.Return(request.Index);
        }
    }

    /// <summary>The process ends before requests that wait are begun: nothing of them is under way.</summary>
    public void ForgetHeldRequests()
    {
        for (Request? request = _active.First; request is not null; request = request.Next)
        {
            if (!request.MayBeOnDisk)
            {
                GiveUpExtents(request);
            }
        }
    }

    /// <summary>Requests that were frozen go on or are answered.</summary>
    public void Thaw()
    {
        Request? next;
        for (Request? request = _active.First; request is not null; request = next)
        {
            next = request.Next;
            if (request.Started)
            {
                CheckAnswered(request);
            }
        }

        _core.WakeBlocked();
    }

    private void CheckAhead()
    {
        if (State.Connection != ConnectionState.Ahead)
        {
            AheadCheckNs = long.MaxValue;
        }
        else if (AheadCheckNs == long.MaxValue && Connection.InFlightSectors(this) == 0)
        {
            AheadCheckNs = _core.NowNs + AheadSettleNs;
        }
    }

    /// <summary>The queue to the peer has drained: back to replication by way of a resync.</summary>
    public void OnAheadTimer(long nowNs)
    {
        if (State.Connection != ConnectionState.Ahead)
        {
            AheadCheckNs = long.MaxValue;
        }
        else if (Connection.InFlightSectors(this) > 0)
        {
            AheadCheckNs = long.MaxValue;
        }
        else if (PeerRequestCount > 0 || _unacknowledgedReplies.Count > 0)
        {
            // What is still out belongs to the resync before; the next may ask for the same blocks.
            AheadCheckNs = nowNs + AheadRetryNs;
        }
        else
        {
            AheadCheckNs = long.MaxValue;
            StartResyncAs(source: true);
        }
    }

    public void SetPausedByDependency(bool paused)
    {
        if (State.PausedByDependency != paused)
        {
            ChangeTo(State with { PausedByDependency = paused }, hard: true);
        }
    }

    public void SetPausedByUser(bool paused) => ChangeTo(State with { PausedByUser = paused }, hard: true);

    public void SetSuspended(bool? user = null, bool? noData = null, bool? fencing = null) => ChangeTo(
        State with
        {
            Suspended = user ?? State.Suspended,
            SuspendedNoData = noData ?? State.SuspendedNoData,
            SuspendedFencing = fencing ?? State.SuspendedFencing,
        },
        hard: true);

    /// <summary>The end of a role change: generation, role mark, the peer, the disk.</summary>
    public IEnumerable<Func<bool>> AfterRoleChange(bool forced)
    {
        bool primary = State.Role == Role.Primary;
        bool alone = !IsConnected(State) || State.PeerDisk <= DiskState.Failed;
        if (primary && HasDisk && (forced || (alone && Uuids.Bitmap == 0)))
        {
            SetUuids(Uuids.NewCurrent(_host.NextRandom(), primary: true));
        }

        if (!primary)
        {
            // Without PRIMARY_IND the activity log counts no more: what it covered must be durable first.
            IoBatch flush = new();
            FlushDisk(flush);
            yield return () => flush.IsDone;

            // What was frozen may have reached this disk: the generation that was put off begins before it counts as
            // shared.
            foreach (Func<bool> wait in RotateIfWanted())
            {
                yield return wait;
            }

            _newUuidWanted = false;
        }

        SetUuids(Uuids.WithRole(primary));
        _superBlockDirty |= Layout is not null;
        foreach (Func<bool> wait in SyncSuperBlock())
        {
            yield return wait;
        }

        if (forced)
        {
            SendUuids();
        }

        SendState();
    }

    /// <summary>new-current-uuid; with clear on a pair of fresh disks: skip the initial sync.</summary>
    public IEnumerable<Func<bool>> NewCurrentUuidCommand(bool clear, Action<CommandResult> answer)
    {
        bool connected = State.Connection == ConnectionState.Connected && Connection.AgreedVersion >= 90;
        bool skip = clear && connected && Uuids.IsJustCreated;
        if (!HasDisk || (!skip && State.Connection != ConnectionState.StandAlone))
        {
            answer(!HasDisk
                ? new CommandResult(138, "there is no disk: attach it first")
                : new CommandResult(
                    151,
                    "a new generation needs a StandAlone resource, or (with --clear-bitmap) two connected, "
                    + "freshly created disks"));
            yield break;
        }

        SetUuids(Uuids.SetBitmapRotating(0).NewCurrent(_host.NextRandom(), State.Role == Role.Primary));
        if (clear)
        {
            foreach (Func<bool> wait in ClearAllBits())
            {
                yield return wait;
            }
        }

        foreach (Func<bool> wait in SyncSuperBlock())
        {
            yield return wait;
        }

        if (skip)
        {
            SendUuids(UuidFlags.SkipInitialSync);
            SetUuids(Uuids with { Bitmap = 0 });
            TakeOwnUuidsForPeers();
            ChangeTo(State with { Disk = DiskState.UpToDate, PeerDisk = DiskState.UpToDate }, hard: true);
            foreach (Func<bool> wait in SyncSuperBlock())
            {
                yield return wait;
            }
        }

        answer(CommandResult.Success);
    }

    /// <summary>invalidate (remote: invalidate-remote) of a StandAlone node: no peer to ask, every bit set.</summary>
    public IEnumerable<Func<bool>> InvalidateAlone(bool remote)
    {
        StateRequest request = remote
            ? StateRequest.PeersDisk(DiskState.Inconsistent)
            : StateRequest.OwnDisk(DiskState.Inconsistent);
        Change(request, hard: true);
        foreach (Func<bool> wait in SetAllBits())
        {
            yield return wait;
        }

        foreach (Func<bool> wait in SuspendLogIfAllSet())
        {
            yield return wait;
        }
    }
}
