using BlockRepl.Core.Generations;
using BlockRepl.Core.MetaData;
using BlockRepl.Core.Protocol;
using BlockRepl.Core.Sizes;
using BlockRepl.Core.State;

namespace BlockRepl.Core.Resource;

/// <summary>What the nodes tell each other about a volume, at the handshake and later: sizes, UUIDs, state.</summary>
internal sealed partial class Volume
{
    private bool _resizePending;
    private bool _resyncNewSpace;

    /// <summary>Bits that this node's last P_UUIDS told the peer.</summary>
    private ulong _bitsTold;

    /// <summary>
    /// The peer's last P_UUIDS on this connection, corrected by decisions and finished resyncs; null = none.
    /// </summary>
    public UuidsPacket? PeerUuids { get; private set; }

    /// <summary>d_size of the peer's last P_SIZES; 0 = unknown.</summary>
    public ulong PeerDiskSectors { get; private set; }

    public bool DiscardMyData { get; set; }

    /// <summary>Step 5 of the handshake, for this volume.</summary>
    public void SendParameters()
    {
        SendSyncParameters();
        SendSizes(triggerReply: false, DeviceSizeFlags.None);
        SendUuids();
        SendState();
    }

    /// <summary>New settings for resyncs count at once, on the peer too.</summary>
    public void ReplaceOptions(Core.Options.VolumeOptions options)
    {
        bool resync = options.Disk.Resync != Options.Disk.Resync;
        Options = options;
        if (Layout is null)
        {
            LimitSectors = options.Disk.SizeSectors;
        }

        if (resync)
        {
            ResyncSettings = options.Disk.Resync;
            if (IsConnected(State))
            {
                SendSyncParameters();
            }
        }
    }

    public void SendSyncParameters()
    {
        Core.Options.ResyncOptions s = ResyncSettings;
        SyncParamPacket packet = new(
            s.RateKiBPerSecond, Connection.VerifyAlgorithm.LinuxName(), Connection.ChecksumAlgorithm.LinuxName(),
            s.PlanAheadDeciseconds, s.DelayTargetDeciseconds, s.FillTargetSectors, s.MaxRateKiBPerSecond);
        Connection.Send(this, SyncParamPacket.CommandFor(Connection.AgreedVersion), packet);
    }

    private void SendSizes(bool triggerReply, DeviceSizeFlags flags)
    {
        bool disk = State.Disk >= DiskState.Negotiating && Layout is not null;
        uint most = Connection.AgreedVersion switch
        {
            <= 94 => 32 << 10,
            <= 99 => 128 << 10,
            _ => CoreLimits.MaxPayloadBytes,
        };
        uint block = (uint)LogicalBlockBytes;
        QueueLimits limits = new(block, block, 0, block, 0, Disk?.CanDiscard ?? true, false, false);
        SizesPacket packet = new(
            disk ? Layout!.MaxCapacitySectors : 0, disk ? LimitSectors : 0, triggerReply ? 0 : SizeSectors, most, flags,
            limits);
        Connection.Send(this, Command.Sizes, packet);
    }

    private void SendUuids(UuidFlags extra = UuidFlags.None)
    {
        if (State.Disk < DiskState.Negotiating || Bitmap is null || !Connection.CanSendData)
        {
            return;
        }

        bool inconsistent = State.Disk == DiskState.Negotiating && _negotiatedDisk == DiskState.Inconsistent;
        UuidFlags flags = extra
            | (DiscardMyData ? UuidFlags.DiscardMyData : 0)
            | (CrashedPrimary ? UuidFlags.CrashedPrimary : 0)
            | (inconsistent ? UuidFlags.Inconsistent : 0);
        _bitsTold = Bitmap.SetCount;
        Connection.Send(this, Command.Uuids, new UuidsPacket(Uuids, _bitsTold, flags));
    }

    private void SendState()
    {
        if (Connection.CanSendData)
        {
            Connection.Send(this, Command.State, new StatePacket(State.ToWord()));
        }
    }

    public void SendUuidsAndState()
    {
        SendUuids();
        SendState();
    }

    /// <summary>A connection ends or begins: what the peer said before does not count.</summary>
    public void ForgetPeer()
    {
        PeerUuids = null;
        PeerDiskSectors = 0;
        _bitmapReceiver = null;
        _considerResync = false;
        _resizePending = false;
        Counters.ForgetPeer();
    }

    public void OnSyncParam(in SyncParamPacket packet)
    {
        if (!HasDisk)
        {
            return;
        }

        ResyncSettings = ResyncSettings with
        {
            RateKiBPerSecond = Math.Max(1, packet.ResyncRate),
            PlanAheadDeciseconds = Connection.AgreedVersion >= 95
                ? Math.Min(packet.PlanAhead, 300) : ResyncSettings.PlanAheadDeciseconds,
            DelayTargetDeciseconds = Connection.AgreedVersion >= 95
                ? packet.DelayTarget : ResyncSettings.DelayTargetDeciseconds,
            FillTargetSectors = Connection.AgreedVersion >= 95 ? packet.FillTarget : ResyncSettings.FillTargetSectors,
            MaxRateKiBPerSecond = Connection.AgreedVersion >= 95 ? packet.MaxRate : ResyncSettings.MaxRateKiBPerSecond,
        };
    }

    /// <summary>P_SIZES. A script: a new size moves bits on disk before anything behind it is looked at.</summary>
    public IEnumerable<Func<bool>> OnSizes(SizesPacket packet)
    {
        PeerDiskSectors = packet.DiskSectors;

        // In the handshake the peer has been told of the disk as it was, and must come to the same size.
        GrownDisk? grown = IsConnected(State) ? FindGrowth() : null;
        SizesVerdict verdict = SizesDecision.Receive(new SizesInput
        {
            State = State,
            OwnDiskSectors = (grown?.Layout ?? Layout)?.MaxCapacitySectors ?? 0,
            BackingDiskChanged = grown is not null,
            OwnLimitSectors = LimitSectors,
            LastAgreedSectors = SizeSectors,
            DeviceSectors = SizeSectors,
            ResizePending = _resizePending,
            PeerDiskSectors = packet.DiskSectors,
            PeerLimitSectors = packet.UserSectors,
            PeerDeviceSectors = packet.CurrentSectors,
            NoResyncOfNewSpace = (packet.Flags & DeviceSizeFlags.NoResync) != 0,
        });
        if (verdict.Warning is not null)
        {
            LogLine(CoreLogLevel.Warning, verdict.Warning);
        }

        if (verdict.Refusal != SizesRefusal.None)
        {
            Connection.Disconnect(verdict.Refusal == SizesRefusal.PeerDiskTooSmall
                ? $"the peer's disk ({packet.DiskSectors} sectors) is too small for the data of this node "
                    + $"({SizeSectors} sectors)"
                : "the peer's size would shrink the device under its users");
            yield break;
        }

        LimitSectors = verdict.LimitSectors;
        bool assumeClean = (packet.Flags & DeviceSizeFlags.NoResync) != 0;
        foreach (Func<bool> wait in SetSize(verdict.DeviceSectors, assumeClean, grown))
        {
            yield return wait;
        }

        if (!Connection.CanSendData)
        {
            yield break;
        }

        if (verdict.MustReply)
        {
            SendSizes(triggerReply: false, packet.Flags);
        }

        _resizePending = false;
        if (verdict.Resync == NewSpaceResync.Now && State.Connection == ConnectionState.Connected)
        {
            StartResyncOfNewSpace();
        }
        else if (verdict.Resync == NewSpaceResync.AfterNegotiation)
        {
            _resyncNewSpace = true;
        }
    }

    /// <summary>
    /// P_UUIDS, as a script because "skip the initial sync" is durable before the next packet counts.
    /// </summary>
    public IEnumerable<Func<bool>> OnUuids(UuidsPacket packet)
    {
        bool primaryWithoutDisk = State.Role == Role.Primary && !HasDisk;
        bool joins = !IsConnected(State) || State.PeerDisk == DiskState.Diskless;
        if (primaryWithoutDisk && joins && ExposedUuid != 0
            && UuidSet.Masked(ExposedUuid) != UuidSet.Masked(packet.Uuids.Current))
        {
            Connection.Disconnect("the peer's data are of another generation than those that the application has seen");
            yield break;
        }

        PeerUuids = packet;
        bool skip = State.Connection == ConnectionState.Connected && Connection.AgreedVersion >= 90
            && Uuids.IsJustCreated && HasDisk && (packet.Flags & UuidFlags.SkipInitialSync) != 0;
        if (skip)
        {
            LogLine(CoreLogLevel.Information, "the initial sync is skipped, as the peer was told");
            foreach (Func<bool> wait in ClearAllBits())
            {
                yield return wait;
            }

            SetUuids(Uuids.SetCurrent(packet.Uuids.Current, State.Role == Role.Primary) with { Bitmap = 0 });
            TakeOwnUuidsForPeers();
            ChangeTo(State with { Disk = DiskState.UpToDate, PeerDisk = DiskState.UpToDate }, hard: true);
            foreach (Func<bool> wait in SyncSuperBlock())
            {
                yield return wait;
            }

            // Kernels say nothing here. But an older P_STATE of this node, still Inconsistent, may be behind the peer's
            // P_UUIDS in time: it must not be the last word.
            SendState();
        }
        else if (!HasDisk && (State.Role == Role.Primary
            || (State.Connection == ConnectionState.Connected && (packet.Flags & UuidFlags.Inconsistent) == 0)))
        {
            // Not from an Inconsistent copy: this node's own disk, which may have newer data, could never be attached
            // again.
            ExposedUuid = packet.Uuids.Current;
        }
    }

    /// <summary>
    /// Both nodes have the same generations now, and no P_UUIDS will say so: a later resync on this connection, after
    /// pulling ahead, ends with this copy.
    /// </summary>
    private void TakeOwnUuidsForPeers()
    {
        if (PeerUuids is { } peer)
        {
            PeerUuids = peer with { Uuids = Uuids, Flags = UuidFlags.None };
        }
    }

    /// <summary>P_STATE: what the peer is now, and with that perhaps a decision about who gets whose data.</summary>
    public IEnumerable<Func<bool>> OnState(uint word)
    {
        if (!VolumeState.IsWellFormed(word & 0x7fffff))
        {
            Connection.Break(ConnectionState.ProtocolError, $"P_STATE with impossible content {word:x8}");
            yield break;
        }

        uint generation = Connection.Generation;
        VolumeState peer = VolumeState.FromWord(word);
        if (HandlesEndOfSync(peer, RealPeerDisk(peer)))
        {
            yield break;
        }

        foreach (Func<bool> wait in TellOfSplitBrain(peer))
        {
            yield return wait;
        }

        if (!Connection.IsCurrent(generation))
        {
            yield break;
        }

        bool first = State.Connection < ConnectionState.Connected;
        ConnectionState connection = first ? ConnectionState.Connected : State.Connection;
        if (peer.Connection == ConnectionState.Ahead)
        {
            connection = ConnectionState.Behind;
        }

        DiskState own = State.Disk;
        if (MustDecide(peer, first))
        {
            SyncVerdict verdict = Decide(peer);
            foreach (Func<bool> wait in CarryOut(verdict, peer))
            {
                yield return wait;
            }

            if (!Connection.IsCurrent(generation) || verdict.Direction == SyncDirection.Refuse)
            {
                yield break;
            }

            connection = ConnectionOf(verdict.Direction);
            own = State.Disk == DiskState.Negotiating && connection != ConnectionState.WFBitMapT
                ? _negotiatedDisk
                : State.Disk;
        }

        else if (own == DiskState.Negotiating && peer.Disk < DiskState.Negotiating
            && connection == ConnectionState.Connected)
        {
            // The peer has no disk with which this one could be compared.
            own = _negotiatedDisk;
        }

        AdoptPeerState(peer, RealPeerDisk(peer), connection, own, first);
    }

    private void AdoptPeerState(
        in VolumeState peer, DiskState peerDisk, ConnectionState connection, DiskState own, bool first)
    {
        VolumeState old = State;
        VolumeState wanted = State with
        {
            Connection = connection,
            Disk = own,
            PeerRole = peer.Role,
            PeerDisk = peerDisk,
            PausedByPeer = peer.PausedByDependency || peer.PausedByUser,
        };
        StateChangeResult result = ChangeTo(wanted, hard: !first);
        if (!result.Succeeded())
        {
            Connection.Disconnect($"the nodes do not fit: {result.Describe()}");
            return;
        }

        DiscardMyData = false;
        bool peerNotYet = peer.Connection <= ConnectionState.Connected && peer.Disk != DiskState.Negotiating;
        if (IsConnected(old) && State.Connection > ConnectionState.Connected
            && old.Connection <= ConnectionState.Connected
            && peerNotYet && connection is ConnectionState.WFBitMapS or ConnectionState.WFBitMapT)
        {
            SendUuids();
            SendState();
        }

        if (first)
        {
            Connection.OnVolumeConnected();
        }

        bool bothDisks = State.Disk >= DiskState.Inconsistent && State.PeerDisk >= DiskState.Inconsistent;
        if (_resyncNewSpace && bothDisks && State.Connection == ConnectionState.Connected)
        {
            _resyncNewSpace = false;
            StartResyncOfNewSpace();
        }
    }

    /// <summary>Both nodes set the new area's bits themselves: no bitmap exchange.</summary>
    private void StartResyncOfNewSpace() => StartResyncAs(
        State.Role != State.PeerRole ? State.Role == Role.Primary : Connection.ResolveConflicts);

    private DiskState RealPeerDisk(in VolumeState peer)
    {
        bool waitsAsTarget = peer.Connection is ConnectionState.WFBitMapT or ConnectionState.WFSyncUUID;
        if (waitsAsTarget && !HasDisk && peer.Disk is (DiskState.Consistent or DiskState.Outdated))
        {
            // 1. this node's disk goes before the peer's first state comes; 2. that state, sent to a source, would
            // count as equal; 3. this node reads and writes there; 4. its disk comes back and overwrites it.
            return DiskState.Inconsistent;
        }

        if (peer.Disk != DiskState.Negotiating)
        {
            return peer.Disk;
        }

        bool inconsistent = PeerUuids is { } uuids && (uuids.Flags & UuidFlags.Inconsistent) != 0;
        return inconsistent ? DiskState.Inconsistent : DiskState.Consistent;
    }

    /// <summary>
    /// P_STATEs that end a resync or a verify, or that must not disturb one. True if that is all they mean.
    /// </summary>
    private bool HandlesEndOfSync(in VolumeState peer, DiskState peerDisk)
    {
        if (IsSource && State.Disk == DiskState.UpToDate && peerDisk == DiskState.UpToDate
            && State.PeerDisk is DiskState.Inconsistent or DiskState.Consistent)
        {
            if (peer.Connection == ConnectionState.Connected)
            {
                _targetFinished = !FinishSource();
                return true;
            }

            if (peer.Connection is > ConnectionState.Connected and < ConnectionState.SyncSource)
            {
                return true;
            }
        }

        if (State.Connection == ConnectionState.VerifyT && peer.Connection == ConnectionState.Connected
            && peerDisk == DiskState.UpToDate)
        {
            FinishVerify();
            return true;
        }

        // The peer is still in the resync that this node has finished: an old packet.
        return State.Connection == ConnectionState.Connected && State.Disk == DiskState.UpToDate
            && peerDisk == DiskState.Inconsistent && peer.Connection > ConnectionState.SyncSource
            && State.PeerDisk == DiskState.UpToDate;
    }

    private bool MustDecide(in VolumeState peer, bool first)
    {
        if (PeerUuids is null || peer.Disk < DiskState.Negotiating || State.Disk < DiskState.Negotiating)
        {
            return false;
        }

        bool connected = State.Connection == ConnectionState.Connected;
        bool lateAttach = connected && (peer.Disk == DiskState.Negotiating || State.Disk == DiskState.Negotiating);
        bool peerDecided = connected
            && peer.Connection is >= ConnectionState.StartingSyncS and <= ConnectionState.WFBitMapT;
        return first || lateAttach || (connected && _considerResync) || peerDecided;
    }

    /// <summary>
    /// Calls initial-split-brain, which ends before anything is decided by the roles and disks of then, as in DRBD. If
    /// the peer gives up meanwhile, so does this node, should that be its own verdict.
    /// </summary>
    private IEnumerable<Func<bool>> TellOfSplitBrain(VolumeState peer)
    {
        bool first = State.Connection < ConnectionState.Connected;
        if (!MustDecide(peer, first) || SyncDecision.Decide(InputOf(peer)) is not { SplitBrainDetected: true } verdict)
        {
            yield break;
        }

        uint generation = Connection.Generation;
        foreach (Func<bool> wait in Call(HandlerKind.InitialSplitBrain))
        {
            yield return wait;
        }

        if (!Connection.IsCurrent(generation) && first && verdict.Direction == SyncDirection.Refuse)
        {
            foreach (Func<bool> wait in Refuse(verdict, peer, generation, first))
            {
                yield return wait;
            }
        }
    }

    /// <summary>The verdict that no data are to be exchanged; if the peer has gone by then, it still stands.</summary>
    /// <param name="generation">The connection that it was reached on.</param>
    /// <param name="first">Whether it was reached in that connection's handshake.</param>
    private IEnumerable<Func<bool>> Refuse(SyncVerdict verdict, VolumeState peer, uint generation, bool first)
    {
        foreach (Func<bool> wait in CallHandlers(verdict))
        {
            yield return wait;
        }

        if (Connection.IsCurrent(generation))
        {
            GiveUp(verdict, peer);
        }
        else if (first)
        {
            Connection.Disconnect(verdict.Explanation);
        }
    }

    /// <summary>Goes on when the handler has ended, or the connection.</summary>
    private IEnumerable<Func<bool>> Call(HandlerKind handler)
    {
        uint generation = Connection.Generation;
        bool ended = false;
        _core.RunHandler(handler, this, _ => ended = true);
        yield return () => ended || !Connection.IsCurrent(generation);
    }

    /// <summary>What a verdict calls; the peer can come to its own meanwhile.</summary>
    private IEnumerable<Func<bool>> CallHandlers(SyncVerdict verdict)
    {
        (bool IsCalled, HandlerKind Handler)[] handlers =
        [
            (verdict.RunPrimaryLostAfterSplitBrain, HandlerKind.PrimaryLostAfterSplitBrain),
            (verdict.SplitBrainUnsolved, HandlerKind.SplitBrain),
            (verdict.RunPrimaryLost, HandlerKind.PrimaryLost),
        ];
        return handlers.Where(h => h.IsCalled).SelectMany(h => Call(h.Handler));
    }

    private SyncDecisionInput InputOf(in VolumeState peer)
    {
        UuidsPacket theirs = PeerUuids!.Value;
        return new SyncDecisionInput
        {
            Own = Uuids,
            Peer = theirs.Uuids,
            OwnBits = _bitsTold,
            PeerBits = theirs.DirtyBits,
            OwnDiscardMyData = DiscardMyData,
            PeerDiscardMyData = (theirs.Flags & UuidFlags.DiscardMyData) != 0,
            OwnCrashedPrimary = CrashedPrimary,
            PeerCrashedPrimary = (theirs.Flags & UuidFlags.CrashedPrimary) != 0,
            OwnDisk = State.Disk == DiskState.Negotiating ? _negotiatedDisk : State.Disk,
            ActualOwnDisk = State.Disk,
            PeerDisk = RealPeerDisk(peer),
            OwnRole = State.Role,
            PeerRole = peer.Role,
            AgreedVersion = Connection.AgreedVersion,
            Features = Connection.Features,
            ResolveConflicts = Connection.ResolveConflicts,
            Net = _core.Options.Net,
            Tentative = Connection.Tentative,
            PeerDryRun = Connection.PeerDryRun,
        };
    }

    private SyncVerdict Decide(in VolumeState peer)
    {
        SyncDecisionInput input = InputOf(peer);
        _considerResync = false;
        SyncVerdict verdict = SyncDecision.Decide(input);
        if (verdict.PrimaryMustDemote)
        {
            bool demoted = Change(StateRequest.BecomeSecondary).Succeeded();
            verdict = SyncDecision.Decide(input with { Demotion = demoted ? Demotion.Done : Demotion.Refused });
        }

        LogLine(CoreLogLevel.Information, verdict.Explanation);
        return verdict;
    }

    /// <summary>
    /// What a verdict changes before the state follows it: corrected UUIDs, all bits, handlers, giving up.
    /// </summary>
    private IEnumerable<Func<bool>> CarryOut(SyncVerdict verdict, VolumeState peer)
    {
        bool attachedLate = State.Connection == ConnectionState.Connected && peer.Disk == DiskState.Negotiating;
        if (attachedLate && verdict.OwnAfter != Uuids)
        {
            // 1. the peer's disk goes as a resync ends, and comes back; 2. this node corrects its own generations and
            // becomes the source; 3. the peer, which decides by what it is told next, finds nothing to correct, both
            // equal and no need for a resync; 4. it counts as up to date without what was written meanwhile.
            SendUuidsAndState();
        }

        SetUuids(verdict.OwnAfter);
        PeerUuids = PeerUuids!.Value with { Uuids = verdict.PeerAfter };
        if (verdict.Direction == SyncDirection.Refuse)
        {
            bool first = State.Connection < ConnectionState.Connected;
            foreach (Func<bool> wait in Refuse(verdict, peer, Connection.Generation, first))
            {
                yield return wait;
            }

            yield break;
        }

        if (verdict.Direction is SyncDirection.SourceFull or SyncDirection.TargetFull)
        {
            foreach (Func<bool> wait in SetAllBits())
            {
                yield return wait;
            }
        }
    }

    private void GiveUp(in SyncVerdict verdict, in VolumeState peer)
    {
        if (State.Disk == DiskState.Negotiating)
        {
            ChangeTo(State with { Disk = DiskState.Failed }, hard: true);
        }
        else if (peer.Disk == DiskState.Negotiating)
        {
            ChangeTo(State with { PeerDisk = DiskState.Diskless, PeerRole = peer.Role }, hard: true);
            SendUuidsAndState();
        }
        else if (verdict.Reason == RefuseReason.PeerDryRun)
        {
            Connection.Break(ConnectionState.ProtocolError, verdict.Explanation);
        }
        else
        {
            Connection.Disconnect(verdict.Explanation);
        }
    }

    private static ConnectionState ConnectionOf(SyncDirection direction) => direction switch
    {
        SyncDirection.SourceBitmap or SyncDirection.SourceFull => ConnectionState.WFBitMapS,
        SyncDirection.TargetBitmap or SyncDirection.TargetFull => ConnectionState.WFBitMapT,
        _ => ConnectionState.Connected,
    };

    /// <summary>The peer asks for a cluster-wide change of this volume. Always answered.</summary>
    public StateChangeResult OnStateChangeRequest(in StateChangeRequestPacket packet)
    {
        StateRequest request = new StateRequest(packet.Mask, packet.Value).TranslateFromPeer();
        StateChangeResult result = Change(request);
        LogLine(CoreLogLevel.Information, $"the peer asks for {packet.Mask:x}/{packet.Value:x}: {result}");
        return result;
    }
}
