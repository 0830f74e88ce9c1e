using BlockRepl.Core.Options;
using BlockRepl.Core.Protocol;
using BlockRepl.Core.State;

namespace BlockRepl.Core.Generations;

/// <summary>
/// What follows from a decision. Full: all bits are set (FULL_SYNC protocol) before the bitmaps are exchanged.
/// </summary>
public enum SyncDirection
{
    /// <summary>Connected.</summary>
    None,

    /// <summary>WFBitMapS.</summary>
    SourceBitmap,

    /// <summary>WFBitMapT.</summary>
    TargetBitmap,
    SourceFull,
    TargetFull,

    /// <summary>Give up; <see cref="SyncVerdict.Reason"/> says why.</summary>
    Refuse,
}

/// <summary>Why a decision gave up.</summary>
public enum RefuseReason
{
    None,
    UnrelatedData,
    NeedsNewerPeer,
    SplitBrain,

    /// <summary>This node would be the source, but its own disk is Inconsistent or worse.</summary>
    SourceInconsistent,

    /// <summary>This node would be the target, but is Primary and rr-conflict forbids it.</summary>
    PrimaryWouldBeTarget,

    /// <summary>Only a rehearsal, asked for here.</summary>
    DryRun,

    /// <summary>Only a rehearsal, asked for by the peer: close the connection with an error and try again.</summary>
    PeerDryRun,
}

/// <summary>How the demotion went that a verdict with <see cref="SyncVerdict.PrimaryMustDemote"/> asked for.</summary>
public enum Demotion
{
    NotTried,
    Done,
    Refused,
}

/// <summary>Everything a decision depends on.</summary>
public sealed record SyncDecisionInput
{
    public required UuidSet Own { get; init; }

    public required UuidSet Peer { get; init; }

    /// <summary>The bits that this node's last P_UUIDS told the peer, not those of now.</summary>
    public ulong OwnBits { get; init; }

    public ulong PeerBits { get; init; }

    /// <summary>discard-my-data, as this connection's P_UUIDS said (flag 1).</summary>
    public bool OwnDiscardMyData { get; init; }

    public bool PeerDiscardMyData { get; init; }

    /// <summary>Crashed-primary mark (flag 2).</summary>
    public bool OwnCrashedPrimary { get; init; }

    public bool PeerCrashedPrimary { get; init; }

    /// <summary>The state to be negotiated if the disk is Negotiating.</summary>
    public required DiskState OwnDisk { get; init; }

    /// <summary>The own disk's present state, Negotiating included.</summary>
    public required DiskState ActualOwnDisk { get; init; }

    /// <summary>Negotiating resolved: Inconsistent with flag 4, else Consistent.</summary>
    public required DiskState PeerDisk { get; init; }

    /// <summary>The role at the first try, also when the decision is repeated after a demotion.</summary>
    public required Role OwnRole { get; init; }

    public required Role PeerRole { get; init; }

    public required int AgreedVersion { get; init; }

    public FeatureFlags Features { get; init; }

    public bool ResolveConflicts { get; init; }

    public required NetOptions Net { get; init; }

    /// <summary>This node connects only to see what would happen.</summary>
    public bool Tentative { get; init; }

    /// <summary>The peer's P_PROTOCOL announced a dry run.</summary>
    public bool PeerDryRun { get; init; }

    public Demotion Demotion { get; init; }
}

/// <summary>A decision.</summary>
/// <param name="Direction">What to do.</param>
/// <param name="Result">The final number: 0, ±1, ±2; -100, -1000 and less when refused.</param>
/// <param name="Rule">UUID rule that was met first.</param>
/// <param name="OwnAfter">Own UUIDs to store, also when refused.</param>
/// <param name="PeerAfter">Copy of the peer's UUIDs to keep, also when refused.</param>
/// <param name="Reason">Why it was refused.</param>
/// <param name="SplitBrainDetected">Run handler initial-split-brain; not set again when decided again.</param>
/// <param name="SplitBrainUnsolved">Run handler split-brain.</param>
/// <param name="PrimaryMustDemote">
/// A policy sacrifices this Primary: try to become Secondary (a soft change), then decide again with
/// <see cref="SyncDecisionInput.Demotion"/> set. Direction is None and means nothing yet.
/// </param>
/// <param name="RunPrimaryLost">Run handler pri-lost.</param>
/// <param name="RunPrimaryLostAfterSplitBrain">The demotion was refused: run handler pri-lost-after-sb.</param>
/// <param name="Explanation">A sentence for the log: rule, what decided, and the outcome.</param>
public readonly record struct SyncVerdict(
    SyncDirection Direction,
    int Result,
    int Rule,
    UuidSet OwnAfter,
    UuidSet PeerAfter,
    RefuseReason Reason,
    bool SplitBrainDetected,
    bool SplitBrainUnsolved,
    bool PrimaryMustDemote,
    bool RunPrimaryLost,
    bool RunPrimaryLostAfterSplitBrain,
    string Explanation);
