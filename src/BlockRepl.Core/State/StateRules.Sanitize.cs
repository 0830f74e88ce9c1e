using BlockRepl.Core.Options;

namespace BlockRepl.Core.State;

/// <summary>What a wanted state implies. The order of the steps is part of the rules.</summary>
public static partial class StateRules
{
    /// <summary>
    /// Completes a wanted state. <paramref name="resyncAborted"/>: a resync or verify ends because a disk is gone.
    /// </summary>
    public static VolumeState Sanitize(
        in VolumeState old, in VolumeState wanted, in RuleContext c, out bool resyncAborted)
    {
        RuleContext effective = WithEffectiveFencing(old, c);
        VolumeState s = ForgetPeerWithoutConnection(wanted);
        resyncAborted = s.Connection > ConnectionState.Connected
            && (s.Disk <= DiskState.Failed || s.PeerDisk <= DiskState.Failed);
        if (resyncAborted)
        {
            // A peer that was to be the target has not the data that this node had, nor has it become equal.
            bool source = s.Connection is ConnectionState.StartingSyncS or ConnectionState.WFBitMapS
                or ConnectionState.PausedSyncS;
            bool stale = source && s.PeerDisk is (DiskState.Consistent or DiskState.Outdated);
            s = s with
            {
                Connection = ConnectionState.Connected,
                PeerDisk = stale ? DiskState.Inconsistent : s.PeerDisk,
            };
        }

        s = EndNegotiationWithoutPeer(s, effective);
        s = LiftToUpToDate(s);
        s = ClampDisks(s);
        s = Suspend(old, s, effective);
        return MatchPause(s);
    }

    /// <summary>Nothing but a bad disk is remembered of a peer that is not connected.</summary>
    private static VolumeState ForgetPeerWithoutConnection(VolumeState s)
    {
        if (s.Connection < ConnectionState.Connected)
        {
            bool remembered = s.PeerDisk is DiskState.Inconsistent or DiskState.Outdated;
            s = s with
            {
                PausedByPeer = false,
                PeerRole = Role.Unknown,
                PeerDisk = remembered ? s.PeerDisk : DiskState.DUnknown,
            };
        }

        bool unused = s.Connection == ConnectionState.StandAlone
            && s.Disk == DiskState.Diskless
            && s.Role == Role.Secondary;
        return unused ? s with { PausedByDependency = false } : s;
    }

    /// <summary>The connection broke while a late attach was being negotiated.</summary>
    private static VolumeState EndNegotiationWithoutPeer(VolumeState s, in RuleContext c)
    {
        if (s.Connection >= ConnectionState.Connected || s.Disk != DiskState.Negotiating)
        {
            return s;
        }

        return c.ExposedUuidMatchesDisk
            ? s with { Disk = c.NegotiatedDisk, PeerDisk = c.NegotiatedPeerDisk }
            : s with { Disk = DiskState.Diskless, PeerDisk = DiskState.DUnknown };
    }

    /// <summary>Data that the decision found equal, or good enough to sync from, are up to date.</summary>
    private static VolumeState LiftToUpToDate(VolumeState s)
    {
        if (s.Connection is < ConnectionState.Connected or >= ConnectionState.Ahead)
        {
            return s;
        }

        return s with { Disk = Lifted(s.Disk), PeerDisk = Lifted(s.PeerDisk) };
    }

    private static DiskState Lifted(DiskState disk) =>
        disk is DiskState.Consistent or DiskState.Outdated ? DiskState.UpToDate : disk;

    private static VolumeState ClampDisks(VolumeState s)
    {
        (DiskState min, DiskState max, DiskState peerMin, DiskState peerMax) = DiskRange(s.Connection);
        return s with { Disk = Clamp(s.Disk, min, max), PeerDisk = Clamp(s.PeerDisk, peerMin, peerMax) };
    }

    private static DiskState Clamp(DiskState disk, DiskState min, DiskState max) =>
        disk > max ? max : disk < min ? min : disk;

    private static (DiskState Min, DiskState Max, DiskState PeerMin, DiskState PeerMax) DiskRange(
        ConnectionState connection) => connection switch
        {
            ConnectionState.StartingSyncS or ConnectionState.WFBitMapS or ConnectionState.PausedSyncS
                or ConnectionState.Ahead =>
                (DiskState.UpToDate, DiskState.UpToDate, DiskState.Inconsistent, DiskState.Consistent),
            ConnectionState.StartingSyncT or ConnectionState.WFBitMapT or ConnectionState.WFSyncUUID
                or ConnectionState.PausedSyncT or ConnectionState.Behind =>
                (DiskState.Inconsistent, DiskState.Outdated, DiskState.UpToDate, DiskState.UpToDate),
            ConnectionState.SyncSource =>
                (DiskState.UpToDate, DiskState.UpToDate, DiskState.Inconsistent, DiskState.Inconsistent),
            ConnectionState.SyncTarget =>
                (DiskState.Inconsistent, DiskState.Inconsistent, DiskState.UpToDate, DiskState.UpToDate),
            ConnectionState.VerifyS or ConnectionState.VerifyT =>
                (DiskState.UpToDate, DiskState.UpToDate, DiskState.UpToDate, DiskState.UpToDate),
            ConnectionState.Connected =>
                (DiskState.Diskless, DiskState.UpToDate, DiskState.Diskless, DiskState.UpToDate),
            _ => (DiskState.Diskless, DiskState.UpToDate, DiskState.Inconsistent, DiskState.DUnknown),
        };

    /// <summary>I/O is frozen when a condition begins, not while it lasts: resume-io must be able to end it.</summary>
    private static VolumeState Suspend(in VolumeState old, VolumeState s, in RuleContext c)
    {
        if (c.Fencing == FencingPolicy.ResourceAndStonith && PeerMayRun(s) && !PeerMayRun(old))
        {
            s = s with { SuspendedFencing = true };
        }

        if (c.OnNoData == OnNoData.SuspendIo && PrimaryLacksData(s) && !PrimaryLacksData(old))
        {
            s = s with { SuspendedNoData = true };
        }

        return s;
    }

    private static bool PeerMayRun(in VolumeState s) =>
        s.Role == Role.Primary && s.Connection < ConnectionState.Connected && s.PeerDisk > DiskState.Outdated;

    private static bool PrimaryLacksData(in VolumeState s) =>
        s.Role == Role.Primary && s.Disk < DiskState.UpToDate && s.PeerDisk < DiskState.UpToDate;

    private static VolumeState MatchPause(VolumeState s)
    {
        ConnectionState matched = (s.Connection, s.IsPaused) switch
        {
            (ConnectionState.SyncSource, true) => ConnectionState.PausedSyncS,
            (ConnectionState.SyncTarget, true) => ConnectionState.PausedSyncT,
            (ConnectionState.PausedSyncS, false) => ConnectionState.SyncSource,
            (ConnectionState.PausedSyncT, false) => ConnectionState.SyncTarget,
            _ => s.Connection,
        };
        return s with { Connection = matched };
    }
}
