namespace BlockRepl.Core.State;

/// <summary>
/// A wanted change as it travels in P_STATE_CHG_REQ: the fields to change (mask) and what they become.
/// </summary>
public readonly record struct StateRequest(uint Mask, uint Value)
{
    public static readonly StateRequest BecomePrimary = new(VolumeState.RoleMask, (uint)Role.Primary);

    /// <summary>Become Primary and call the own disk UpToDate.</summary>
    public static readonly StateRequest ForcePrimary = BecomePrimary.With(OwnDisk(DiskState.UpToDate));

    /// <summary>Only ever announced, never asked of the peer.</summary>
    public static readonly StateRequest BecomeSecondary = new(VolumeState.RoleMask, (uint)Role.Secondary);

    /// <summary>Full sync with this node as the source.</summary>
    public static readonly StateRequest StartingSyncS = Conn(ConnectionState.StartingSyncS);

    /// <summary>Full sync with this node as the target.</summary>
    public static readonly StateRequest StartingSyncT = Conn(ConnectionState.StartingSyncT);

    public static readonly StateRequest VerifyS = Conn(ConnectionState.VerifyS);

    public static readonly StateRequest DetachFailed = OwnDisk(DiskState.Failed);

    public static readonly StateRequest Disconnect = Conn(ConnectionState.Disconnecting);

    /// <summary>A Primary with fencing disconnects: the peer's disk is Outdated from then on.</summary>
    public static readonly StateRequest DisconnectPeerOutdated = Disconnect.With(PeersDisk(DiskState.Outdated));

    /// <summary>Second try when the Primary refused: this node's own disk becomes Outdated.</summary>
    public static readonly StateRequest DisconnectOwnOutdated = Disconnect.With(OwnDisk(DiskState.Outdated));

    public static StateRequest Conn(ConnectionState connection) =>
        new(VolumeState.ConnectionMask, (uint)connection << VolumeState.ConnectionShift);

    public static StateRequest OwnDisk(DiskState disk) =>
        new(VolumeState.DiskMask, (uint)disk << VolumeState.DiskShift);

    public static StateRequest PeersDisk(DiskState disk) =>
        new(VolumeState.PeerDiskMask, (uint)disk << VolumeState.PeerDiskShift);

    /// <summary>Both changes in one request; where they name the same field the other one wins.</summary>
    public StateRequest With(StateRequest other) => new(Mask | other.Mask, (Value & ~other.Mask) | other.Value);

    /// <summary>The state with the wanted fields; not sanitised and not checked.</summary>
    public VolumeState Apply(VolumeState state) => VolumeState.FromWord((state.ToWord() & ~Mask) | Value);

    /// <summary>
    /// The peer's request seen from here: own and peer fields swapped, the connection mirrored. A connection state that
    /// no peer may ask for becomes StandAlone, which the transition check refuses.
    /// </summary>
    public StateRequest TranslateFromPeer() => new(TranslateWord(Mask), TranslateWord(Value));

    private static uint TranslateWord(uint word)
    {
        uint role = word & VolumeState.RoleMask;
        uint peerRole = (word & VolumeState.PeerRoleMask) >> VolumeState.PeerRoleShift;
        uint disk = (word & VolumeState.DiskMask) >> VolumeState.DiskShift;
        uint peerDisk = (word & VolumeState.PeerDiskMask) >> VolumeState.PeerDiskShift;
        uint connection = (word & VolumeState.ConnectionMask) >> VolumeState.ConnectionShift;
        bool paused = (word & (VolumeState.PausedByDependencyBit | VolumeState.PausedByUserBit)) != 0;
        return peerRole
            | (role << VolumeState.PeerRoleShift)
            | (TranslateConnection(connection) << VolumeState.ConnectionShift)
            | (peerDisk << VolumeState.DiskShift)
            | (disk << VolumeState.PeerDiskShift)
            | (paused ? VolumeState.PausedByPeerBit : 0);
    }

    private static uint TranslateConnection(uint connection)
    {
        const uint wholeField = 31;
        if (connection == wholeField)
        {
            return wholeField;
        }

        return (ConnectionState)connection switch
        {
            ConnectionState.WFReportParams or ConnectionState.Connected => connection,
            ConnectionState.StartingSyncS => (uint)ConnectionState.StartingSyncT,
            ConnectionState.StartingSyncT => (uint)ConnectionState.StartingSyncS,
            ConnectionState.Disconnecting => (uint)ConnectionState.TearDown,
            ConnectionState.VerifyS => (uint)ConnectionState.VerifyT,
            _ => 0,
        };
    }
}
