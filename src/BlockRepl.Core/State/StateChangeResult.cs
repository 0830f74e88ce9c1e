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
    public static string Describe(this StateChangeResult result) =>
        (int)result < 1 ? $"({(int)result}) {Sentence(result)}" : Sentence(result);

    private static string Sentence(StateChangeResult result) => result switch
    {
        StateChangeResult.ClusterWideNoNeed => "Done; the peer did not have to be asked.",
        StateChangeResult.ClusterWideSuccess => "Done; the peer agreed.",
        StateChangeResult.NothingToDo => "Nothing to do: this is the present state.",
        StateChangeResult.Success => "Done.",
        StateChangeResult.UnknownError => "The change did not happen for an unknown reason: see the log.",
        StateChangeResult.TwoPrimaries =>
            "The peer is Primary and two primaries are not allowed: make the peer Secondary first.",
        StateChangeResult.NoUpToDateDisk =>
            "No up-to-date data can be reached: connect to a node that has them, "
            + "or use --force if this copy shall count.",
        StateChangeResult.NoLocalDisk => "A resync needs a disk on this node: attach it first.",
        StateChangeResult.NoRemoteDisk => "A resync needs a disk on the peer: attach it there first.",
        StateChangeResult.ConnectedOutdates =>
            "A connected disk cannot become outdated: disconnect first.",
        StateChangeResult.PrimaryNotOutdatedPeer =>
            "With fencing a lone Primary must know that the peer is outdated: fence or outdate the peer, or connect.",
        StateChangeResult.ResyncRunning =>
            "A resync or verify is running already: wait for its end, or disconnect to end it.",
        StateChangeResult.AlreadyStandAlone => "The resource is StandAlone: there is nothing to disconnect.",
        StateChangeResult.FailedByPeer => "The peer refused, or could not be asked: its log says why.",
        StateChangeResult.IsDiskless => "This needs a disk: attach it first.",
        StateChangeResult.DeviceInUse => "The device is in use: close its clients (unmount) first.",
        StateChangeResult.NoNetConfig => "There is no network configuration: run connect first.",
        StateChangeResult.NoVerifyAlgorithm =>
            "No verify algorithm is configured: set verify-alg in the net section on both nodes.",
        StateChangeResult.NeedConnection => "This needs a connection to the peer: connect, and wait for it.",
        StateChangeResult.LowerThanOutdated => "The disk is in a worse state than Outdated already.",
        StateChangeResult.NotSupported => "The peer's protocol version is too old for this: update the peer.",
        StateChangeResult.InTransientState =>
            "Another state change is under way: try again when it has ended.",
        StateChangeResult.ConcurrentStateChange =>
            "Both nodes asked for a change at the same time and the peer's won: try again.",
        StateChangeResult.OtherVolumePeerPrimary =>
            "The peer is Primary in another volume of this resource: make it Secondary first.",
        StateChangeResult.OutdateWithoutConnection =>
            "The peer's disk can be outdated only while there is a connection.",
        _ => "Unknown result of a state change.",
    };
}
