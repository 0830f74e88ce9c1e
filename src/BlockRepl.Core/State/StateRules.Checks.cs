using BlockRepl.Core.Options;

namespace BlockRepl.Core.State;

/// <summary>The three checks. In B the first condition that holds decides, in C the last.</summary>
public static partial class StateRules
{
    /// <summary>
    /// Check A, for every change: is there a way from the old to the new connection state? NothingToDo if the
    /// connection state stays.
    /// </summary>
    public static StateChangeResult CheckTransition(in VolumeState old, in VolumeState wanted) =>
        old.Disk == DiskState.Diskless && wanted.Disk == DiskState.Failed
            ? StateChangeResult.IsDiskless
            : CheckConnectionTransition(old.Connection, wanted.Connection);

    private static StateChangeResult CheckConnectionTransition(ConnectionState from, ConnectionState to)
    {
        if (from == to)
        {
            return StateChangeResult.NothingToDo;
        }

        switch (from)
        {
            case ConnectionState.StandAlone when to == ConnectionState.Disconnecting:
                return StateChangeResult.AlreadyStandAlone;
            case ConnectionState.StandAlone when to != ConnectionState.Unconnected:
                return StateChangeResult.NeedConnection;
            case < ConnectionState.WFReportParams when to >= ConnectionState.Connected:
                return StateChangeResult.NeedConnection;
            case >= ConnectionState.Timeout and <= ConnectionState.TearDown
                when to is not (ConnectionState.Unconnected or ConnectionState.Disconnecting):
            case ConnectionState.Disconnecting when to != ConnectionState.StandAlone:
                return StateChangeResult.InTransientState;
            default:
                return StateChangeResult.Success;
        }
    }

    /// <summary>Check B: may this state exist? <see cref="RuleContext.Fencing"/> is taken as it is.</summary>
    public static StateChangeResult CheckState(in VolumeState state, in RuleContext c)
    {
        StateChangeResult roles = CheckRoles(state, c);
        return roles == StateChangeResult.Success ? CheckConnection(state, c) : roles;
    }

    private static StateChangeResult CheckRoles(in VolumeState s, in RuleContext c)
    {
        bool primary = s.Role == Role.Primary;
        if (primary && c.HasNetConfig && !c.AllowTwoPrimaries)
        {
            if (s.PeerRole == Role.Primary)
            {
                return StateChangeResult.TwoPrimaries;
            }

            if (c.OtherVolumePeerPrimary)
            {
                return StateChangeResult.OtherVolumePeerPrimary;
            }
        }

        if (s.Role == Role.Secondary && c.DeviceOpen)
        {
            return StateChangeResult.DeviceInUse;
        }

        bool alone = primary && s.Connection < ConnectionState.Connected;
        if (alone && s.Disk < DiskState.UpToDate)
        {
            return StateChangeResult.NoUpToDateDisk;
        }

        if (alone && c.Fencing >= FencingPolicy.ResourceOnly && s.PeerDisk >= DiskState.DUnknown)
        {
            return StateChangeResult.PrimaryNotOutdatedPeer;
        }

        bool unusable = s.Disk <= DiskState.Inconsistent && s.PeerDisk <= DiskState.Inconsistent;
        return primary && unusable ? StateChangeResult.NoUpToDateDisk : StateChangeResult.Success;
    }

    private static StateChangeResult CheckConnection(in VolumeState s, in RuleContext c)
    {
        bool beyondConnected = s.Connection > ConnectionState.Connected;
        bool verify = s.Connection is ConnectionState.VerifyS or ConnectionState.VerifyT;
        if (beyondConnected && s.Disk < DiskState.Inconsistent)
        {
            return StateChangeResult.NoLocalDisk;
        }

        if (beyondConnected && s.PeerDisk < DiskState.Inconsistent)
        {
            return StateChangeResult.NoRemoteDisk;
        }

        if (beyondConnected && s.Disk < DiskState.UpToDate && s.PeerDisk < DiskState.UpToDate)
        {
            return StateChangeResult.NoUpToDateDisk;
        }

        if (s.Disk == DiskState.Outdated && ForbidsOutdated(s.Connection))
        {
            return StateChangeResult.ConnectedOutdates;
        }

        if (verify && !c.HasVerifyAlgorithm)
        {
            return StateChangeResult.NoVerifyAlgorithm;
        }

        if (verify && c.AgreedVersion < 88)
        {
            return StateChangeResult.NotSupported;
        }

        if (PrimaryLacksData(s))
        {
            return StateChangeResult.NoUpToDateDisk;
        }

        if (IsStartingSync(s.Connection) && s.PeerDisk == DiskState.DUnknown)
        {
            return StateChangeResult.NeedConnection;
        }

        return s.Connection >= ConnectionState.Connected && s.PeerDisk == DiskState.DUnknown
            ? StateChangeResult.ConnectedOutdates
            : StateChangeResult.Success;
    }

    private static bool ForbidsOutdated(ConnectionState connection) =>
        connection is ConnectionState.Connected or ConnectionState.WFBitMapS or ConnectionState.SyncSource
            or ConnectionState.PausedSyncS;

    private static bool IsStartingSync(ConnectionState connection) =>
        connection is ConnectionState.StartingSyncS or ConnectionState.StartingSyncT;

    /// <summary>
    /// Check C, for soft changes: the last condition that holds decides, so they are asked from the end.
    /// </summary>
    public static StateChangeResult CheckSoftTransition(in VolumeState old, in VolumeState wanted, in RuleContext c)
    {
        ConnectionState from = old.Connection;
        ConnectionState to = wanted.Connection;
        bool outdatesPeer = wanted.PeerDisk == DiskState.Outdated && old.PeerDisk > DiskState.Outdated;
        if (to == ConnectionState.Disconnecting && outdatesPeer && from < ConnectionState.Connected)
        {
            return StateChangeResult.OutdateWithoutConnection;
        }

        if (to is ConnectionState.SyncTarget or ConnectionState.SyncSource && from < ConnectionState.WFReportParams)
        {
            return StateChangeResult.NeedConnection;
        }

        if (IsStartingSync(to) && from < ConnectionState.Connected)
        {
            return StateChangeResult.NeedConnection;
        }

        if (to is ConnectionState.VerifyS or ConnectionState.VerifyT)
        {
            if (from > ConnectionState.Connected && from != to)
            {
                return StateChangeResult.ResyncRunning;
            }

            if (from < ConnectionState.Connected)
            {
                return StateChangeResult.NeedConnection;
            }

            // Not a rule of DRBD, where the range of verify lifts such a disk to UpToDate, as if its data were good.
            // Refusing is safe with every peer: it asks first, or is asked.
            if (from == ConnectionState.Connected && !BothUpToDate(old))
            {
                return StateChangeResult.NoUpToDateDisk;
            }
        }

        if (PromotesDuringDecision(old, wanted) || (c.HandshakeRunning && !BelongsToHandshake(from, to)))
        {
            return StateChangeResult.InTransientState;
        }

        return CheckSoftDiskAndStart(old, wanted);
    }

    private static bool BothUpToDate(in VolumeState s) =>
        s.Disk == DiskState.UpToDate && s.PeerDisk == DiskState.UpToDate;

    /// <summary>Conditions 6 to 1 of check C.</summary>
    private static StateChangeResult CheckSoftDiskAndStart(in VolumeState old, in VolumeState wanted)
    {
        ConnectionState from = old.Connection;
        ConnectionState to = wanted.Connection;
        if (from == ConnectionState.Unconnected && to == ConnectionState.Disconnecting)
        {
            return StateChangeResult.InTransientState;
        }

        if (wanted.Disk == DiskState.Outdated && old.Disk < DiskState.Outdated && old.Disk != DiskState.Attaching)
        {
            return StateChangeResult.LowerThanOutdated;
        }

        if (to == ConnectionState.WFConnection && from < ConnectionState.Unconnected)
        {
            return StateChangeResult.NoNetConfig;
        }

        if (old.Disk == DiskState.Diskless && wanted.Disk > DiskState.Attaching)
        {
            return StateChangeResult.IsDiskless;
        }

        if (from == ConnectionState.StandAlone && to == ConnectionState.Disconnecting)
        {
            return StateChangeResult.AlreadyStandAlone;
        }

        return IsStartingSync(to) && from > ConnectionState.Connected
            ? StateChangeResult.ResyncRunning
            : StateChangeResult.Success;
    }

    /// <summary>
    /// With an up-to-date peer this disk is about to be told that it is a sync target; becoming Primary must wait for
    /// that.
    /// </summary>
    private static bool PromotesDuringDecision(in VolumeState old, in VolumeState wanted) =>
        old.Role == Role.Secondary
        && wanted.Role == Role.Primary
        && wanted.PeerDisk == DiskState.UpToDate
        && wanted.Disk is not (DiskState.UpToDate or DiskState.Diskless)
        && (wanted.Connection <= ConnectionState.WFSyncUUID || wanted.Connection != old.Connection);

    private static bool BelongsToHandshake(ConnectionState from, ConnectionState to) =>
        (from == ConnectionState.WFConnection && to == ConnectionState.WFReportParams)
        || (from == ConnectionState.WFReportParams && to >= ConnectionState.Connected);
}
