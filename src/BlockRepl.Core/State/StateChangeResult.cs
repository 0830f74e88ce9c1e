namespace BlockRepl.Core.State;

/// <summary>Outcome of a state change, with DRBD's numbers (SS_*). Success is 1 and more; 0 is unknown.</summary>
public enum StateChangeResult : int
{
    /// <summary>It turned out that the peer need not be asked.</summary>
    ClusterWideNoNeed = 4,
    ClusterWideSuccess = 3,
    NothingToDo = 2,
    Success = 1,
    UnknownError = 0,
    TwoPrimaries = -1,
    NoUpToDateDisk = -2,
    NoLocalDisk = -4,
    NoRemoteDisk = -5,
    ConnectedOutdates = -6,
    PrimaryNotOutdatedPeer = -7,
    ResyncRunning = -8,
    AlreadyStandAlone = -9,
    FailedByPeer = -10,
    IsDiskless = -11,
    DeviceInUse = -12,
    NoNetConfig = -13,
    NoVerifyAlgorithm = -14,
    NeedConnection = -15,
    LowerThanOutdated = -16,
    NotSupported = -17,

    /// <summary>Never shown to a user: the requester waits for the next state change and tries again.</summary>
    InTransientState = -18,
    ConcurrentStateChange = -19,
    OtherVolumePeerPrimary = -20,
    OutdateWithoutConnection = -21,
}

/// <summary>Words for <see cref="StateChangeResult"/>.</summary>
public static class StateChangeResults
{
    public static bool Succeeded(this StateChangeResult result) => (int)result >= 1;

    /// <summary>One sentence: why, and what to do; with DRBD's own code in front of it for an error.</summary>
    public static string Describe(this StateChangeResult result) => throw new NotImplementedException();
}
