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
/// 0 equal; +1/-1 source/target by bitmap; +2/-2 source/target of a full sync; 100 split brain; -100 split brain for which
/// the automatic policies need always-asbp; -1000 unrelated; below -1000 (<see cref="GenerationDecision.NeedsVersion91"/>,
/// <see cref="GenerationDecision.NeedsWriteSame"/>) the agreed protocol cannot tell.
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

    public static GenerationVerdict Compare(in UuidSet own, in UuidSet peer, in CompareContext c) =>
        throw new NotImplementedException();
}
