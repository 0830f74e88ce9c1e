using BlockRepl.Core.Generations;
using BlockRepl.Core.MetaData;
using BlockRepl.Core.Protocol;
using BlockRepl.Core.Resync;
using BlockRepl.Core.State;

namespace BlockRepl.Core.Resource;

/// <summary>Start and end of a resync, on both sides; what is common to source and target.</summary>
internal sealed partial class Volume
{
    private readonly ResyncController _controller = new();
    private readonly ResyncMarks _marks = new();
    private ulong _resyncFailedBits;
    private bool _finishing;
    private bool _usesChecksums;
    private bool _syncUuidDue;

    /// <summary>SyncSource: the target said that it is whole, and here bits are still set.</summary>
    private bool _targetFinished;

    /// <summary>
    /// Counts the resyncs (from the exchange of bitmaps on) and verifies that ended or were aborted, be it with the
    /// connection.
    /// </summary>
    private uint _resyncNumber;

    public bool IsResyncing => State.Connection is ConnectionState.SyncSource or ConnectionState.SyncTarget
        or ConnectionState.PausedSyncS or ConnectionState.PausedSyncT;

    private bool IsTarget => State.Connection is ConnectionState.SyncTarget or ConnectionState.PausedSyncT;

    private bool IsSource => State.Connection is ConnectionState.SyncSource or ConnectionState.PausedSyncS;

    /// <summary>The part of a state change that resync bookkeeping needs at once.</summary>
    private void FollowSyncState(in VolumeState old, in VolumeState next)
    {
        bool wasSync = IsSyncState(old.Connection);
        bool isSync = IsSyncState(next.Connection);
        if (isSync && !wasSync)
        {
            _resyncFailedBits = 0;
            _finishing = _targetFinished = false;
            _controller.Reset();
            _marks.Start(_core.NowNs, Bitmap?.SetCount ?? 0, isVerify: false);
            ChooseChecksums();
            BeginRequesting();
        }

        if (IsSourceState(next.Connection) && !IsSourceState(old.Connection))
        {
            // 1. a write goes out behind the state change but before P_SYNC_UUID; 2. the target writes it to a disk
            // that still counts as consistent; 3. the target crashes. So writes wait until P_SYNC_UUID is queued.
            _syncUuidDue = true;
        }
        else if (!IsSourceState(next.Connection))
        {
            _syncUuidDue = false;
        }

        if (next.Connection is ConnectionState.VerifyS or ConnectionState.VerifyT && old.Connection != next.Connection)
        {
            BeginVerify(next.Connection);
        }

        bool paused = next.Connection is ConnectionState.PausedSyncS or ConnectionState.PausedSyncT;
        if (paused)
        {
            _marks.Pause(_core.NowNs);
        }
        else
        {
            _marks.Resume(_core.NowNs);
        }

        if (old.Connection > ConnectionState.Connected && next.Connection <= ConnectionState.Connected)
        {
            AbortResyncWork();
        }

        if (next.Connection == ConnectionState.Ahead && old.Connection != ConnectionState.Ahead)
        {
            ForgetOutstandingRequests();
        }

        if (next.Connection == ConnectionState.Behind)
        {
            ForgetOutstandingRequests();
        }
    }

    private void ChooseChecksums()
    {
        Core.Options.NetOptions net = _core.Options.Net;
        bool crashed = CrashedPrimary || (PeerUuids is { } peer && (peer.Flags & UuidFlags.CrashedPrimary) != 0);
        _usesChecksums = Connection.ChecksumAlgorithm != DigestAlgorithm.None && Connection.AgreedVersion >= 89
            && (!net.ChecksumsAfterCrashOnly || crashed);
    }

    private static bool IsSyncState(ConnectionState c) => c is ConnectionState.SyncSource or ConnectionState.SyncTarget
        or ConnectionState.PausedSyncS or ConnectionState.PausedSyncT;

    /// <summary>Requests that nobody will answer, and verify positions, are forgotten; bits stay as they are.</summary>
    private void AbortResyncWork()
    {
        _resyncNumber++;
        ForgetOutstandingRequests();
        _unacknowledgedReplies.Clear();
        EndVerifyWork();
        Connection.DropBitmap(this);
        _bitmapReceiver = null;
        _finishing = false;
    }

    /// <summary>Item 5: this node became the source. Its sync UUID is durable before the peer learns of it.</summary>
    private IEnumerable<Func<bool>> AfterSyncSource(VolumeState old, VolumeState next, uint resync)
    {
        bool became = IsSourceState(next.Connection) && !IsSourceState(old.Connection);
        if (!became || resync != _resyncNumber)
        {
            yield break;
        }

        SetUuids(Uuids.StartSyncSource(_host.NextRandom(), out ulong syncUuid));
        foreach (Func<bool> wait in SyncSuperBlock())
        {
            yield return wait;
        }

        if (resync == _resyncNumber && IsSource)
        {
            Connection.Send(this, Command.SyncUuid, new SyncUuidPacket(syncUuid));
            _syncUuidDue = false;
            _core.WakeBlocked();
        }
    }

    private static bool IsSourceState(ConnectionState c) =>
        c is ConnectionState.SyncSource or ConnectionState.PausedSyncS;

    /// <summary>invalidate and invalidate-remote: every bit on both nodes, no bitmap exchange.</summary>
    private IEnumerable<Func<bool>> StartFullSync(ConnectionState role, uint resync)
    {
        foreach (Func<bool> wait in SetAllBits())
        {
            yield return wait;
        }

        if (resync != _resyncNumber || State.Connection != role)
        {
            yield break;
        }

        StartResyncAs(role == ConnectionState.StartingSyncS);
    }

    /// <summary>Both bitmaps are the same: the source starts, the target waits for P_SYNC_UUID.</summary>
    private void StartResyncAs(bool source)
    {
        VolumeState wanted = source
            ? State with { Connection = ConnectionState.SyncSource, PeerDisk = DiskState.Inconsistent }
            : State with { Connection = ConnectionState.WFSyncUUID };
        ChangeTo(wanted, hard: true);
        _core.RecomputeDependencies();
    }

    /// <summary>P_SYNC_UUID. Runs as the receiver's script: nothing behind it is looked at before it ends.</summary>
    public IEnumerable<Func<bool>> OnSyncUuid(ulong syncUuid)
    {
        uint generation = Connection.Generation;
        yield return () => State.Connection is ConnectionState.WFSyncUUID or ConnectionState.Behind
            || !Connection.IsCurrent(generation) || !HasDisk;
        if (!Connection.IsCurrent(generation) || !HasDisk)
        {
            yield break;
        }

        // 1. the first resync block is written; 2. power fails; 3. the disk still says "consistent, old generation",
        // which it no longer is. So "Inconsistent" and the sync UUID are durable before the first block is asked for.
        // So is the merged bitmap: 1. a block is written and acknowledged, the source clears its bit; 2. power fails
        // here before the block left the disk's cache; 3. only this node's own mark on disk tells that it must come
        // again.
        SetUuids(Uuids.StartSyncTarget(syncUuid, State.Role == Role.Primary));
        _holdRequests = true;
        ChangeTo(State with { Connection = ConnectionState.SyncTarget, Disk = DiskState.Inconsistent }, hard: true);
        _core.RecomputeDependencies();
        foreach (Func<bool> wait in SaveAll())
        {
            yield return wait;
        }

        // What the meta streams still carry of a resync before this one has arrived when the answer has: nothing of it
        // can be taken for an answer to what is asked for from here on.
        uint ping = Connection.Ping();
        yield return () => Connection.IsPingAnswered(ping) || !Connection.IsCurrent(generation) || !IsTarget;
        _holdRequests = false;
        CheckTargetFinished();
    }

    /// <summary>Target: ends the resync when no bit is left but those that failed.</summary>
    private void CheckTargetFinished()
    {
        if (IsTargetDone && !_finishing)
        {
            _finishing = true;
            _core.Worker.Add("finish resync", FinishTarget(_resyncNumber));
        }
    }

    private bool IsTargetDone => IsTarget && Bitmap is not null && _outstandingBlocks == 0 && !_holdRequests
        && Bitmap.SetCount <= _resyncFailedBits;

    private IEnumerable<Func<bool>> FinishTarget(uint resync)
    {
        uint generation = Connection.Generation;

        // The answer proves that the source has seen every ack; without it it would ignore the P_STATE and stay
        // SyncSource.
        uint ping = Connection.Ping();
        yield return () => Connection.IsPingAnswered(ping) || resync != _resyncNumber || !IsTarget;
        if (MustGoOn(resync))
        {
            yield break;
        }

        if (Bitmap!.SetCount > 0)
        {
            LogLine(
                CoreLogLevel.Error,
                $"resync ends with {_resyncFailedBits} blocks that could not be copied: this disk stays Inconsistent; "
                + "disconnect and connect to try again");
            ChangeTo(State with { Connection = ConnectionState.Connected }, hard: true);
            yield break;
        }

        // The data before what says that they are good.
        IoBatch flush = new();
        FlushDisk(flush);
        yield return () => flush.IsDone;
        if (!flush.Failed)
        {
            _resyncDataUnflushed = false;
        }

        foreach (Func<bool> wait in WriteBitmap())
        {
            yield return wait;
        }

        if (MustGoOn(resync) || PeerUuids is not { } peer)
        {
            yield break;
        }

        SetUuids(Uuids.FinishSyncTarget(peer.Uuids, State.Role == Role.Primary));
        PeerUuids = peer with { Uuids = Uuids, Flags = UuidFlags.None };
        ApplyFlagsFor(State with { Disk = DiskState.UpToDate, Connection = ConnectionState.Connected });
        foreach (Func<bool> wait in SyncSuperBlock())
        {
            yield return wait;
        }

        if (!Connection.IsCurrent(generation) || !HasDisk)
        {
            // The new set is durable; the source will see that the resync was finished (rule 35).
            yield break;
        }

        LogLine(CoreLogLevel.Information, "resync done (target)");

        // The source's disk may have gone meanwhile, and with it the resync; the data are whole all the same.
        VolumeState done = State with { Disk = DiskState.UpToDate };
        ChangeTo(
            IsTarget ? done with { Connection = ConnectionState.Connected, PeerDisk = DiskState.UpToDate } : done,
            hard: true);
        _host.RunHandler(default, HandlerKind.AfterResyncTarget, Number);
    }

    /// <summary>
    /// The end of a resync is put off. 1. all is there; 2. before the end has its turn the source pulls ahead and comes
    /// back; 3. what it marked meanwhile must be fetched first.
    /// </summary>
    private bool MustGoOn(uint resync)
    {
        if (resync != _resyncNumber)
        {
            return true;
        }

        _finishing = IsTargetDone;
        return !_finishing;
    }

    private void ApplyFlagsFor(in VolumeState state)
    {
        uint flags =
            ((uint)_superBlock.Flags & ~StateRules.MetaDataFlagsMask) | StateRules.MetaDataFlags(state, CrashedPrimary);
        UpdateSuperBlock(_superBlock with { Flags = (SuperBlockFlags)flags });
    }

    /// <summary>Source: the target says that it is up to date. True if this ends the resync.</summary>
    private bool FinishSource()
    {
        if (Bitmap is null || Bitmap.SetCount > _resyncFailedBits || _finishing)
        {
            return false;
        }

        _finishing = true;
        LogLine(CoreLogLevel.Information, "resync done (source)");
        SetUuids(Uuids.FinishSyncSource());
        if (PeerUuids is { } peer)
        {
            PeerUuids = peer with { Uuids = Uuids, Flags = UuidFlags.None };
        }

        Connection.Ping();
        ChangeTo(State with { Connection = ConnectionState.Connected, PeerDisk = DiskState.UpToDate }, hard: true);
        if (Fencing.IsOver(_core.Volumes))
        {
            _host.RunHandler(default, HandlerKind.UnfencePeer, Number);
        }

        return true;
    }

    /// <summary>
    /// 1. a write is acknowledged by the target; 2. the target has all and says so; 3. here the write's own half, and
    /// with it the bit, is still under way. So the end is made up for when the bit goes.
    /// </summary>
    private void CheckSourceFinished()
    {
        if (_targetFinished && IsSource && Bitmap is not null && Bitmap.SetCount <= _resyncFailedBits)
        {
            FinishSource();
        }
    }

    /// <summary>Blocks that now are the same on both nodes.</summary>
    private void ClearInSync(ulong sector, int byteCount)
    {
        if (Bitmap is null)
        {
            return;
        }

        Bitmap.ClearRange(sector, (ulong)byteCount);
        if (Connection.AgreedVersion < 96 && IsSource && Bitmap.SetCount == 0)
        {
            FinishSource();
        }

        CheckSourceFinished();
        CheckTargetFinished();
    }

    /// <summary>What the status shows of a running resync or verify.</summary>
    public ResyncProgress? Progress(long nowNs)
    {
        if (State.Connection is ConnectionState.VerifyS or ConnectionState.VerifyT)
        {
            return _marks.Progress(
                nowNs, _verifyLeft, State.Connection == ConnectionState.VerifyS ? _controller.WantKiBPerSecond : 0);
        }

        if (State.Connection is not (ConnectionState.SyncSource or ConnectionState.SyncTarget) || Bitmap is null)
        {
            return null;
        }

        ulong left = Bitmap.SetCount - Math.Min(Bitmap.SetCount, _resyncFailedBits);
        return _marks.Progress(nowNs, left, IsTarget ? _controller.WantKiBPerSecond : 0);
    }
}
