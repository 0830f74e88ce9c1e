namespace BlockRepl.Core.State;

/// <summary>Role of a node, with DRBD's numbers.</summary>
public enum Role
{
    Unknown = 0,
    Primary = 1,
    Secondary = 2,
}

/// <summary>Connection (replication) state of a volume, with DRBD's names and numbers; the order matters.</summary>
public enum ConnectionState
{
    StandAlone = 0,
    Disconnecting = 1,
    Unconnected = 2,
    Timeout = 3,
    BrokenPipe = 4,
    NetworkFailure = 5,
    ProtocolError = 6,
    TearDown = 7,
    WFConnection = 8,
    WFReportParams = 9,
    Connected = 10,
    StartingSyncS = 11,
    StartingSyncT = 12,
    WFBitMapS = 13,
    WFBitMapT = 14,
    WFSyncUUID = 15,
    SyncSource = 16,
    SyncTarget = 17,
    VerifyS = 18,
    VerifyT = 19,
    PausedSyncS = 20,
    PausedSyncT = 21,
    Ahead = 22,
    Behind = 23,
}

/// <summary>State of a node's disk, with DRBD's names and numbers; the order matters.</summary>
public enum DiskState
{
    Diskless = 0,
    Attaching = 1,
    Failed = 2,
    Negotiating = 3,
    Inconsistent = 4,
    Outdated = 5,

    /// <summary>Only ever said of the peer's disk.</summary>
    DUnknown = 6,
    Consistent = 7,
    UpToDate = 8,
}
