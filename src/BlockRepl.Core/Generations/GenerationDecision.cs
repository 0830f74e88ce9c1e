using BlockRepl.Core.Protocol;
using BlockRepl.Core.State;

namespace BlockRepl.Core.Generations;

/// <summary>What the comparison of two UUID sets must know besides them.</summary>
public readonly record struct CompareContext
{
    public int AgreedVersion { get; init; }

    public FeatureFlags Features { get; init; }

    /// <summary>Own crashed-primary mark in memory.</summary>
    public bool OwnCrashed { get; init; }

    /// <summary>Flag 2 of the peer's P_UUIDS.</summary>
    public bool PeerCrashed { get; init; }

    public Role OwnRole { get; init; }

    public Role PeerRole { get; init; }

    /// <summary>This node accepted the meta stream.</summary>
    public bool ResolveConflicts { get; init; }
}

/// <summary>Result of a comparison.</summary>
/// <param name="Result">
/// 0 equal; +1/-1 source/target by bitmap; +2/-2 source/target of a full sync; 100 split brain; -100 split brain for
/// which the automatic policies need always-asbp; -1000 unrelated; below -1000
/// (<see cref="GenerationDecision.NeedsVersion91"/>, <see cref="GenerationDecision.NeedsWriteSame"/>) the agreed
/// protocol cannot tell.
/// </param>
/// <param name="Rule">Number of the rule that decided.</param>
/// <param name="OwnAfter">Own set as rules 34 and 71 correct it; it counts whatever comes of the decision.</param>
/// <param name="PeerAfter">The copy of the peer's set as rules 35 and 51 correct it.</param>
/// <param name="Needs">What the connection lacks, in words; else null.</param>
public readonly record struct GenerationVerdict(
    int Result, int Rule, UuidSet OwnAfter, UuidSet PeerAfter, string? Needs);

/// <summary>DRBD's table of UUID rules. Both nodes run it on their own and come to mirrored results.</summary>
public static class GenerationDecision
{
    public const int SplitBrain = 100;
    public const int SplitBrainByHistory = -100;
    public const int Unrelated = -1000;

    /// <summary>Rules 34 to 37, 51 and 71 need protocol 91.</summary>
    public const int NeedsVersion91 = -1091;

    /// <summary>Rule 41 needs feature WSAME, the mark of peers that know this rule.</summary>
    public const int NeedsWriteSame = -1101;

    /// <summary>Runs the rules in their order; the first that fits decides.</summary>
    public static GenerationVerdict Compare(in UuidSet own, in UuidSet peer, in CompareContext c)
    {
        bool ownEmpty = IsEmpty(own.Current);
        bool peerEmpty = IsEmpty(peer.Current);
        bool ownJustCreated = UuidSet.Masked(own.Current) == UuidSet.JustCreated;
        bool peerJustCreated = UuidSet.Masked(peer.Current) == UuidSet.JustCreated;
        if (ownJustCreated && peerJustCreated)
        {
            return Plain(0, 10, own, peer);
        }

        if (ownEmpty && !peerJustCreated)
        {
            return Plain(-2, 20, own, peer);
        }

        if (!ownJustCreated && peerEmpty)
        {
            return Plain(2, 30, own, peer);
        }

        return Same(own.Current, peer.Current) ? CompareEqual(own, peer, c) : CompareDifferent(own, peer, c);
    }

    /// <summary>A short statement of what a rule looked at, for the log.</summary>
    internal static string RuleMeaning(int rule) => rule switch
    {
        10 => "neither node has ever had data",
        20 => "this node has never had data",
        30 => "the peer has never had data",
        34 => "same data; the peer finished the last resync, this node did not notice",
        35 => "same data; this node finished the last resync, the peer did not notice",
        36 => "same data, but this node still has an open bitmap UUID",
        37 => "same data, but the peer still has an open bitmap UUID",
        40 => "same data generation",
        41 => "same data generation after a crash, and a node is Primary",
        50 => "the peer went on from the data of this node",
        51 => "the peer went on from the data of this node; its last sync UUID was lost",
        60 => "the peer went on from older data of this node",
        70 => "this node went on from the data of the peer",
        71 => "this node went on from the data of the peer; its last sync UUID was lost",
        80 => "this node went on from older data of the peer",
        90 => "both nodes went on from the same data",
        _ => "the histories say nothing about how the data are related",
    };

    /// <summary>Rules 34 to 41: the nodes have the same generation.</summary>
    private static GenerationVerdict CompareEqual(in UuidSet own, in UuidSet peer, in CompareContext c)
    {
        if (peer.Bitmap == 0 && own.Bitmap != 0)
        {
            bool finished = Same(own.Bitmap, peer.History1) && Same(own.History1, peer.History2);
            return c.AgreedVersion < 91 ? Lacking(finished ? 34 : 36, own, peer)
                : finished ? Plain(1, 34, own.ClearBitmap(), peer)
                : Plain(1, 36, own, peer);
        }

        if (own.Bitmap == 0 && peer.Bitmap != 0)
        {
            bool finished = Same(peer.Bitmap, own.History1) && Same(peer.History1, own.History2);
            return c.AgreedVersion < 91 ? Lacking(finished ? 35 : 37, own, peer)
                : finished ? Plain(-1, 35, own, peer.ClearBitmap())
                : Plain(-1, 37, own, peer);
        }

        if (!c.OwnCrashed && !c.PeerCrashed)
        {
            return Plain(0, 40, own, peer);
        }

        if (c.OwnRole == Role.Primary || c.PeerRole == Role.Primary)
        {
            return CompareAfterCrashWithPrimary(own, peer, c);
        }

        // Both crashed: either copy will do, the flag makes the nodes choose the same one.
        bool bothCrashed = c.OwnCrashed && c.PeerCrashed;
        bool becomesSource = bothCrashed ? !c.ResolveConflicts : c.OwnCrashed;
        return Plain(becomesSource ? 1 : -1, 40, own, peer);
    }

    private static GenerationVerdict CompareAfterCrashWithPrimary(
        in UuidSet own, in UuidSet peer, in CompareContext c)
    {
        if ((c.Features & FeatureFlags.WriteSame) == 0)
        {
            const string needs = "a peer with protocol 101 and feature WSAME";
            return new GenerationVerdict(NeedsWriteSame, 41, own, peer, needs);
        }

        int result = c.OwnRole != Role.Primary ? -1 : c.PeerRole == Role.Primary ? SplitBrainByHistory : 1;
        return Plain(result, 41, own, peer);
    }

    /// <summary>Rules 50 to 100: the nodes have different generations.</summary>
    private static GenerationVerdict CompareDifferent(in UuidSet own, in UuidSet peer, in CompareContext c)
    {
        if (Same(own.Current, peer.Bitmap))
        {
            return Plain(-1, 50, own, peer);
        }

        if (Same(own.Current, peer.History1) && SyncUuidWasLost(peer, own, c.AgreedVersion))
        {
            return c.AgreedVersion < 91
                ? Lacking(51, own, peer)
                : Plain(-1, 51, own, WithoutLostSyncUuid(peer));
        }

        if (Same(own.Current, peer.History1) || Same(own.Current, peer.History2))
        {
            return Plain(-2, 60, own, peer);
        }

        if (Same(own.Bitmap, peer.Current))
        {
            return Plain(1, 70, own, peer);
        }

        if (Same(own.History1, peer.Current) && SyncUuidWasLost(own, peer, c.AgreedVersion))
        {
            return c.AgreedVersion < 91
                ? Lacking(71, own, peer)
                : Plain(1, 71, WithoutLostSyncUuid(own), peer);
        }

        if (Same(own.History1, peer.Current) || Same(own.History2, peer.Current))
        {
            return Plain(2, 80, own, peer);
        }

        if (Same(own.Bitmap, peer.Bitmap) && UuidSet.Masked(own.Bitmap) != 0)
        {
            return Plain(SplitBrain, 90, own, peer);
        }

        bool common = Same(own.History1, peer.History1) || Same(own.History1, peer.History2)
            || Same(own.History2, peer.History1) || Same(own.History2, peer.History2);
        return Plain(common ? SplitBrainByHistory : Unrelated, 100, own, peer);
    }

    /// <summary>
    /// The source set a new sync UUID, but the target, whose current UUID is still the source's former bitmap UUID,
    /// never learned of it.
    /// </summary>
    private static bool SyncUuidWasLost(in UuidSet source, in UuidSet target, int agreedVersion) =>
        agreedVersion < 96
            ? Same(source.History2, target.History1)
            : Same(source.History1 + UuidSet.SyncUuidStep, source.Bitmap);

    private static UuidSet WithoutLostSyncUuid(in UuidSet source) =>
        source with { Bitmap = source.History1, History1 = source.History2 };

    private static bool Same(ulong a, ulong b) => UuidSet.Masked(a) == UuidSet.Masked(b);

    private static bool IsEmpty(ulong current) => UuidSet.Masked(current) is 0 or UuidSet.JustCreated;

    private static GenerationVerdict Plain(int result, int rule, in UuidSet own, in UuidSet peer) =>
        new(result, rule, own, peer, null);

    private static GenerationVerdict Lacking(int rule, in UuidSet own, in UuidSet peer) =>
        new(NeedsVersion91, rule, own, peer, "protocol version 91");
}
