using BlockRepl.Core.State;

namespace BlockRepl.Core.Resource;

/// <summary>
/// State changes: the request, what follows at once, and the follow-up work in the order of the changes.
/// </summary>
internal sealed partial class Volume
{
    /// <summary>
    /// Both disks were Inconsistent and the peer became Primary by force: its next P_STATE is decided on again.
    /// </summary>
    private bool _considerResync;

    /// <summary>A new current UUID is due when I/O goes on.</summary>
    private bool _newUuidWanted;

    private DiskState _negotiatedDisk;
    private DiskState _negotiatedPeerDisk = DiskState.DUnknown;

    /// <summary>Why the disk failed, for on-io-error: a real error, not a detach.</summary>
    private bool _failedByError;
    private bool _failedByRead;

    public RuleContext Rules => new()
    {
        AgreedVersion = Connection.AgreedVersion,
        HasNetConfig = State.Connection > ConnectionState.StandAlone,
        AllowTwoPrimaries = _core.Options.Net.AllowTwoPrimaries,
        OtherVolumePeerPrimary = _core.IsPeerPrimaryElsewhere(this),
        Fencing = Options.Disk.Fencing,
        HasVerifyAlgorithm = Connection.VerifyAlgorithm != Protocol.DigestAlgorithm.None,
        DeviceOpen = OpenCount > 0,
        HandshakeRunning = Connection.StateSent,
        OnNoData = _core.Options.OnNoDataAccessible,
        ExposedUuidMatchesDisk = State.Role == Role.Secondary
            || Generations.UuidSet.Masked(ExposedUuid) == Generations.UuidSet.Masked(Uuids.Current),
        NegotiatedDisk = _negotiatedDisk,
        NegotiatedPeerDisk = _negotiatedPeerDisk,
    };

    /// <summary>What a request would do, sanitised; and whether it may.</summary>
    public StateChangeResult Try(StateRequest request, bool hard, out VolumeState wanted)
    {
        RuleContext rules = Rules;
        wanted = Sanitize(request.Apply(State), rules);
        return StateRules.Check(State, wanted, rules, hard);
    }

    /// <summary>Asks for a change; refused changes leave everything as it is.</summary>
    public StateChangeResult Change(StateRequest request, bool hard = false)
    {
        StateChangeResult result = Try(request, hard, out VolumeState wanted);
        if (result == StateChangeResult.Success)
        {
            Apply(wanted);
        }

        return result;
    }

    /// <summary>Takes a whole state (as a decision or the peer's P_STATE gives it).</summary>
    public StateChangeResult ChangeTo(VolumeState unsanitised, bool hard)
    {
        RuleContext rules = Rules;
        VolumeState wanted = Sanitize(unsanitised, rules);
        StateChangeResult result = StateRules.Check(State, wanted, rules, hard);
        if (result == StateChangeResult.Success)
        {
            Apply(wanted);
        }

        return result;
    }

    /// <summary>
    /// DRBD's implications, with one exception. 1. this node is about to be the target, its data are Outdated; 2. the
    /// source's disk fails and the resync is off; 3. by the rules a connected Outdated disk counts as UpToDate, and a
    /// diskless Primary would go on with old data. Here it becomes Inconsistent, which is what the Primary takes it
    /// for.
    /// </summary>
    private VolumeState Sanitize(VolumeState wanted, in RuleContext rules)
    {
        VolumeState sane = StateRules.Sanitize(State, wanted, rules, out bool resyncAborted);
        bool wasTarget = State.Connection is ConnectionState.WFBitMapT or ConnectionState.WFSyncUUID
            or ConnectionState.StartingSyncT or ConnectionState.SyncTarget or ConnectionState.PausedSyncT
            or ConnectionState.Behind;
        bool stale = resyncAborted && wasTarget && State.Disk == DiskState.Outdated && sane.Disk == DiskState.UpToDate;
        return stale
            ? StateRules.Sanitize(State, wanted with { Disk = DiskState.Inconsistent }, rules, out _)
            : sane;
    }

    private void Apply(VolumeState next)
    {
        VolumeState old = State;
        State = next;
        LogLine(CoreLogLevel.Information, $"state {old} -> {next}");
        ApplyFlags();
        if (old.Disk < DiskState.Consistent && next.Disk >= DiskState.Consistent)
        {
            ExposedUuid = Uuids.Current;
        }

        bool bothInconsistent = old.Disk == DiskState.Inconsistent && old.PeerDisk == DiskState.Inconsistent;
        if (bothInconsistent && old.PeerRole == Role.Secondary && next.PeerRole == Role.Primary)
        {
            _considerResync = true;
        }

        if (StateRules.IsReplicating(old) != StateRules.IsReplicating(next))
        {
            Connection.CloseSendEpoch();
        }

        if (IsConnected(next) && IsBothUpToDate(next))
        {
            // The peer came back before anything was written without it: the generation is shared again.
            _newUuidWanted = false;
        }

        FollowSyncState(old, next);
        TellAtOnce(old, next);
        if (old.Connection < ConnectionState.Connected && next.Connection >= ConnectionState.Connected)
        {
            Degraded = false;
            ResumeLog();
        }

        if (old.Role != next.Role || old.IsSuspended != next.IsSuspended)
        {
            _host.DeviceChanged(Number);
        }

        _core.WakeBlocked();
        _core.Worker.Add("after state change", AfterChange(old, next, _resyncNumber));
    }

    /// <summary>
    /// What the peer must know before it sees the next write. 1. this disk fails; 2. a write goes to the peer alone; 3.
    /// the peer still counts on this disk and does not mark the block; 4. the disk comes back without it. And
    /// P_OUT_OF_SYNC means nothing to a peer that does not know that this node is Ahead.
    /// </summary>
    private void TellAtOnce(in VolumeState old, in VolumeState next)
    {
        bool failed = old.Disk > DiskState.Failed && next.Disk == DiskState.Failed;
        bool wentAhead = old.Connection != ConnectionState.Ahead && next.Connection == ConnectionState.Ahead;
        if ((failed || wentAhead) && IsConnected(next))
        {
            SendState();
        }
    }

    /// <summary>
    /// The follow-up of one change. The numbers in the order are those of DRBD's after-state work. The resync that it
    /// belongs to may be over when its turn comes, and another one under way.
    /// </summary>
    private IEnumerable<Func<bool>> AfterChange(VolumeState old, VolumeState next, uint resync)
    {
        if (IsBothUpToDate(next) && !IsBothUpToDate(old) && CrashedPrimary)
        {
            CrashedPrimary = false;
            ApplyFlags();
        }

        if (LacksData(next) && !LacksData(old))
        {
            _host.RunHandler(default, HandlerKind.PrimaryOnInconsistentDegraded, Number);
        }

        if (next.SuspendedNoData && CanThaw(old, next))
        {
            _core.ThawNoData();
        }

        if (next.SuspendedFencing && old.Connection < ConnectionState.Connected && IsConnected(next))
        {
            _core.ThawFencing();
        }

        foreach (Func<bool> wait in AfterSyncSource(old, next, resync))
        {
            yield return wait;
        }

        foreach (Func<bool> wait in AfterPeerDisk(old, next))
        {
            yield return wait;
        }

        foreach (Func<bool> wait in AfterOwnDisk(old, next))
        {
            yield return wait;
        }

        foreach (Func<bool> wait in AfterConnection(old, next, resync))
        {
            yield return wait;
        }

        foreach (Func<bool> wait in SyncSuperBlock())
        {
            yield return wait;
        }
    }

    /// <summary>Items 6 to 10: the peer's disk came or went.</summary>
    private IEnumerable<Func<bool>> AfterPeerDisk(VolumeState old, VolumeState next)
    {
        bool peerAttached = old.PeerDisk <= DiskState.Failed
            && next.PeerDisk is > DiskState.Failed and not DiskState.DUnknown;
        if (IsConnected(next) && IsConnected(old) && peerAttached)
        {
            SendUuids();
            SendState();
        }

        bool leftAlone = old.Disk != DiskState.UpToDate && next.Disk == DiskState.UpToDate
            && next.PeerDisk < DiskState.Inconsistent && IsConnected(next);
        if ((LostPeerData(old, next) || leftAlone) && Uuids.Bitmap == 0 && next.Disk == DiskState.UpToDate
            && (next.Role == Role.Primary || next.PeerRole == Role.Primary))
        {
            if (State.IsSuspended && State.Role == Role.Primary)
            {
                _newUuidWanted = true;
            }
            else
            {
                foreach (Func<bool> wait in NewCurrentUuid())
                {
                    yield return wait;
                }

                SendUuids();
            }
        }

        if (next.PeerDisk >= DiskState.Inconsistent || !IsConnected(next))
        {
            yield break;
        }

        bool peerPromoted = old.PeerRole != Role.Primary && next.PeerRole == Role.Primary;
        if (peerPromoted && Uuids.Bitmap == 0 && next.Disk == DiskState.UpToDate)
        {
            foreach (Func<bool> wait in NewCurrentUuid())
            {
                yield return wait;
            }

            SendUuids();
        }

        if (old.PeerRole == Role.Primary && next.PeerRole == Role.Secondary && HasDisk)
        {
            foreach (Func<bool> wait in WriteBitmap())
            {
                yield return wait;
            }
        }
    }

    /// <summary>Items 11, 15 to 17: the own disk.</summary>
    private IEnumerable<Func<bool>> AfterOwnDisk(VolumeState old, VolumeState next)
    {
        if (old.Role == Role.Primary && next.Role == Role.Secondary && next.Connection <= ConnectionState.Connected
            && HasDisk)
        {
            foreach (Func<bool> wait in WriteBitmap())
            {
                yield return wait;
            }
        }

        if (old.Disk == DiskState.Attaching && next.Disk == DiskState.Negotiating && IsConnected(next))
        {
            SendSizes(triggerReply: false, Protocol.DeviceSizeFlags.None);
            SendUuids();
            SendState();
        }

        if (old.Disk > DiskState.Failed && next.Disk == DiskState.Failed)
        {
            foreach (Func<bool> wait in AfterDiskFailed())
            {
                yield return wait;
            }
        }

        if (old.Disk != DiskState.Diskless && next.Disk == DiskState.Diskless)
        {
            if (IsConnected(State))
            {
                SendState();
            }

            if (old.Disk == DiskState.Negotiating)
            {
                // The connection broke off while it was negotiated what this disk is worth to a running Primary.
                yield return () => MetaOperations == 0 && DiskOperations == 0 && _commit == CommitPhase.Idle;
                DropDisk();
            }
        }

        if (old.Disk == DiskState.UpToDate && next.Disk == DiskState.Inconsistent && IsConnected(next)
            && next.Connection == ConnectionState.Connected)
        {
            SendState();
        }
    }

    /// <summary>Items 12 to 14 and 19 to 22: connection and resync.</summary>
    private IEnumerable<Func<bool>> AfterConnection(VolumeState old, VolumeState next, uint resync)
    {
        bool pauseChanged = old.PausedByUser != next.PausedByUser || old.PausedByDependency != next.PausedByDependency;
        bool finishedTarget = old.Disk < DiskState.UpToDate && old.Connection >= ConnectionState.SyncSource
            && next.Connection == ConnectionState.Connected;
        bool endedVerify = old.Connection == ConnectionState.VerifyS && next.Connection == ConnectionState.Connected
            && Connection.HasVerifyStop;
        bool leftReport = old.Connection == ConnectionState.WFReportParams
            && next.Connection >= ConnectionState.Connected;
        bool tells = leftReport || (IsConnected(next) && pauseChanged) || finishedTarget || endedVerify;
        if (tells && IsConnected(State))
        {
            SendState();
        }

        if (old.Connection != ConnectionState.WFBitMapS && next.Connection == ConnectionState.WFBitMapS
            && State.Connection == ConnectionState.WFBitMapS && resync == _resyncNumber)
        {
            BeginSendingBitmap();
        }

        if (next.Connection is ConnectionState.StartingSyncS or ConnectionState.StartingSyncT
            && old.Connection != next.Connection)
        {
            foreach (Func<bool> wait in StartFullSync(next.Connection, resync))
            {
                yield return wait;
            }
        }

        bool resyncEnded = old.Connection > ConnectionState.Connected && next.Connection <= ConnectionState.Connected;
        if (resyncEnded || pauseChanged || old.PausedByPeer != next.PausedByPeer)
        {
            _core.RecomputeDependencies();
        }

        bool tookPart = old.Connection > ConnectionState.Connected && old.Connection < ConnectionState.Ahead;
        if (tookPart && HasDisk
            && (next.Connection == ConnectionState.Connected || next.Connection >= ConnectionState.Ahead))
        {
            foreach (Func<bool> wait in WriteBitmap())
            {
                yield return wait;
            }
        }
    }

    private static bool IsBothUpToDate(in VolumeState s) =>
        s.Disk == DiskState.UpToDate && s.PeerDisk == DiskState.UpToDate;

    private static bool LacksData(in VolumeState s) =>
        s.Role == Role.Primary && s.Disk < DiskState.UpToDate && s.PeerDisk < DiskState.UpToDate;

    private static bool IsConnected(in VolumeState s) => s.Connection >= ConnectionState.Connected;

    private static bool CanThaw(in VolumeState old, in VolumeState next) =>
        (IsConnected(next) && !IsConnected(old) && next.PeerDisk == DiskState.UpToDate)
        || (old.Disk < DiskState.UpToDate && next.Disk == DiskState.UpToDate);

    /// <summary>
    /// This node can no longer count on the peer's copy: from now on its own data are a generation of their own.
    /// </summary>
    private static bool LostPeerData(in VolumeState old, in VolumeState next)
    {
        bool had = old.PeerDisk is DiskState.Inconsistent or DiskState.Consistent or DiskState.UpToDate;
        bool gone = next.PeerDisk < DiskState.Inconsistent || next.PeerDisk is DiskState.DUnknown or DiskState.Outdated;
        bool known = old.PeerDisk == DiskState.DUnknown
            && next.PeerDisk is DiskState.Diskless or DiskState.Failed or DiskState.Outdated;
        return (had && gone) || (old.PeerDisk == DiskState.DUnknown && known);
    }
}
