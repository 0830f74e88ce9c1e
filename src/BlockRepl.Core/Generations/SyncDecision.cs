using BlockRepl.Core.Options;
using BlockRepl.Core.State;

namespace BlockRepl.Core.Generations;

/// <summary>
/// From two UUID sets to who gets whose data. Both nodes run it on their own; what is not symmetric about the inputs
/// (resolve-conflicts, the policies discard-local and discard-remote) is mirrored between them.
/// </summary>
public static class SyncDecision
{
    /// <summary>The steps in DRBD's order; each may replace the result of the one before.</summary>
    public static SyncVerdict Decide(SyncDecisionInput input)
    {
        GenerationVerdict compared = GenerationDecision.Compare(input.Own, input.Peer, ContextOf(input));
        SyncVerdict verdict = Begin(compared);
        if (compared.Result <= GenerationDecision.Unrelated)
        {
            return RefuseUncomparable(verdict, compared);
        }

        verdict = ApplyDiskStates(verdict, input);
        if (IsSplitBrain(verdict.Result))
        {
            verdict = verdict with { SplitBrainDetected = input.Demotion == Demotion.NotTried };
            verdict = ApplyPolicies(verdict, input);
            if (verdict.PrimaryMustDemote)
            {
                return verdict;
            }

            verdict = ApplyDiscardMyData(verdict, input);
            if (IsSplitBrain(verdict.Result))
            {
                return Refuse(verdict with { SplitBrainUnsolved = true }, RefuseReason.SplitBrain,
                    "split brain is not solved: discard the changes of one node (connect --discard-my-data)");
            }
        }

        return Accept(verdict, input);
    }

    private static CompareContext ContextOf(SyncDecisionInput input) => new()
    {
        AgreedVersion = input.AgreedVersion,
        Features = input.Features,
        OwnCrashed = input.OwnCrashedPrimary,
        PeerCrashed = input.PeerCrashedPrimary,
        OwnRole = input.OwnRole,
        PeerRole = input.PeerRole,
        ResolveConflicts = input.ResolveConflicts,
    };

    private static SyncVerdict Begin(in GenerationVerdict compared) => new(
        SyncDirection.None,
        compared.Result,
        compared.Rule,
        compared.OwnAfter,
        compared.PeerAfter,
        RefuseReason.None,
        SplitBrainDetected: false,
        SplitBrainUnsolved: false,
        PrimaryMustDemote: false,
        RunPrimaryLost: false,
        RunPrimaryLostAfterSplitBrain: false,
        $"UUID rule {compared.Rule} gives {compared.Result} ({GenerationDecision.RuleMeaning(compared.Rule)})");

    private static SyncVerdict RefuseUncomparable(SyncVerdict verdict, in GenerationVerdict compared) =>
        compared.Needs is null
            ? Refuse(verdict, RefuseReason.UnrelatedData,
                "unrelated data: if one of the disks may be overwritten, create its meta data anew")
            : Refuse(verdict, RefuseReason.NeedsNewerPeer, $"to decide this needs {compared.Needs}: update the peer");

    private static bool IsSplitBrain(int result) =>
        result is GenerationDecision.SplitBrain or GenerationDecision.SplitBrainByHistory;

    /// <summary>If only one of the disks is Inconsistent, the other one is the source whatever the UUIDs say.</summary>
    private static SyncVerdict ApplyDiskStates(SyncVerdict verdict, SyncDecisionInput input)
    {
        bool ownBad = input.OwnDisk == DiskState.Inconsistent && input.PeerDisk > DiskState.Inconsistent;
        bool peerBad = input.PeerDisk == DiskState.Inconsistent && input.OwnDisk > DiskState.Inconsistent;
        if (!ownBad && !peerBad)
        {
            return verdict;
        }

        bool full = verdict.Result is GenerationDecision.SplitBrainByHistory or 2 or -2;
        int result = (peerBad ? 1 : -1) * (full ? 2 : 1);
        string whose = peerBad ? "the peer's" : "the own";
        return Explain(verdict with { Result = result }, $"only {whose} disk is Inconsistent: {result}");
    }

    private static SyncVerdict ApplyPolicies(SyncVerdict verdict, SyncDecisionInput input)
    {
        bool byHistory = verdict.Result == GenerationDecision.SplitBrainByHistory;
        if (byHistory && !input.Net.AlwaysAfterSplitBrain)
        {
            return verdict;
        }

        SplitBrainVote vote = SplitBrainPolicies.Vote(input);
        if (vote.PrimaryMustDemote && input.Demotion == Demotion.NotTried)
        {
            return Explain(verdict with { PrimaryMustDemote = true },
                $"{vote.Option} sacrifices this Primary: it must become Secondary first");
        }

        if (vote.PrimaryMustDemote && input.Demotion == Demotion.Refused)
        {
            return Explain(
                verdict with
                {
                    Result = GenerationDecision.SplitBrainByHistory,
                    RunPrimaryLostAfterSplitBrain = true,
                },
                $"{vote.Option} sacrifices this Primary, but it could not become Secondary");
        }

        if (vote.Result == 0)
        {
            return Explain(verdict with { Result = GenerationDecision.SplitBrainByHistory },
                $"{vote.Option} does not decide");
        }

        // The bitmaps cover the time since the common generation only if that is known: rule 90. Else everything is
        // copied.
        int result = byHistory ? 2 * vote.Result : vote.Result;
        return Explain(verdict with { Result = result }, $"split brain solved by {vote.Option}: {result}");
    }

    /// <summary>
    /// The administrator's word, if only one node has it. By bitmap, also after rule 100: that is what DRBD does.
    /// </summary>
    private static SyncVerdict ApplyDiscardMyData(SyncVerdict verdict, SyncDecisionInput input)
    {
        if (!IsSplitBrain(verdict.Result) || input.OwnDiscardMyData == input.PeerDiscardMyData)
        {
            return verdict;
        }

        int result = input.OwnDiscardMyData ? -1 : 1;
        string whose = input.OwnDiscardMyData ? "this node" : "the peer";
        return Explain(verdict with { Result = result },
            $"split brain solved by hand: {whose} connected with discard-my-data: {result}");
    }

    /// <summary>The last steps: may the result be carried out?</summary>
    private static SyncVerdict Accept(SyncVerdict verdict, SyncDecisionInput input)
    {
        if (verdict.Result > 0 && input.OwnDisk <= DiskState.Inconsistent)
        {
            return Refuse(verdict, RefuseReason.SourceInconsistent,
                $"this node would be the source, but its disk is {input.OwnDisk}");
        }

        bool primary = input.OwnRole == Role.Primary && input.Demotion != Demotion.Done;
        if (verdict.Result < 0 && primary && input.ActualOwnDisk >= DiskState.Consistent)
        {
            if (input.Net.ResyncRoleConflict != ResyncRoleConflict.Violently)
            {
                bool call = input.Net.ResyncRoleConflict == ResyncRoleConflict.CallPrimaryLost;
                return Refuse(verdict with { RunPrimaryLost = call }, RefuseReason.PrimaryWouldBeTarget,
                    "this node is Primary and would lose its data (rr-conflict): make it Secondary first");
            }

            verdict = Explain(verdict, "rr-conflict violently: a Primary with data becomes the target");
        }

        SyncDirection direction = DirectionOf(verdict.Result);
        if (input.Tentative || input.PeerDryRun)
        {
            RefuseReason reason = input.PeerDryRun ? RefuseReason.PeerDryRun : RefuseReason.DryRun;
            return Refuse(verdict, reason, $"dry run: {OutcomeOf(direction)}");
        }

        return Explain(verdict with { Direction = direction }, OutcomeOf(direction));
    }

    private static SyncDirection DirectionOf(int result) => result switch
    {
        2 => SyncDirection.SourceFull,
        1 => SyncDirection.SourceBitmap,
        0 => SyncDirection.None,
        -1 => SyncDirection.TargetBitmap,
        -2 => SyncDirection.TargetFull,
        _ => throw new InvariantException("a decision is a number from -2 to 2"),
    };

    private static string OutcomeOf(SyncDirection direction) => direction switch
    {
        SyncDirection.SourceFull => "full sync, this node is the source",
        SyncDirection.SourceBitmap => "sync by bitmap, this node is the source",
        SyncDirection.TargetBitmap => "sync by bitmap, this node is the target",
        SyncDirection.TargetFull => "full sync, this node is the target",
        _ => "no sync",
    };

    private static SyncVerdict Refuse(SyncVerdict verdict, RefuseReason reason, string why) =>
        Explain(verdict with { Direction = SyncDirection.Refuse, Reason = reason }, why);

    private static SyncVerdict Explain(SyncVerdict verdict, string step) =>
        verdict with { Explanation = $"{verdict.Explanation}; {step}" };
}
