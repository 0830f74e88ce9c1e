using System.Globalization;
using BlockRepl.Core.Options;
using BlockRepl.Core.State;

namespace BlockRepl.Core.Generations;

/// <summary>What a policy says.</summary>
/// <param name="Result">+1: this node's data win; -1: the peer's; 0: no decision.</param>
/// <param name="PrimaryMustDemote">The result is -1, but this node is Primary and must step down for it.</param>
/// <param name="Option">The option that was asked, with its value, for the log.</param>
internal readonly record struct SplitBrainVote(int Result, bool PrimaryMustDemote, string Option);

/// <summary>after-sb-0pri, after-sb-1pri and after-sb-2pri.</summary>
internal static class SplitBrainPolicies
{
    /// <summary>Asks the policy for the present number of Primaries.</summary>
    public static SplitBrainVote Vote(SyncDecisionInput input)
    {
        int primaries = (input.OwnRole == Role.Primary ? 1 : 0) + (input.PeerRole == Role.Primary ? 1 : 0);
        AfterSplitBrain policy = primaries switch
        {
            0 => input.Net.AfterSplitBrain0Primaries,
            1 => input.Net.AfterSplitBrain1Primary,
            _ => input.Net.AfterSplitBrain2Primaries,
        };
        string option = string.Create(CultureInfo.InvariantCulture, $"after-sb-{primaries}pri {NameOf(policy)}");
        int result = primaries switch
        {
            0 => WithoutPrimary(input),
            1 => WithOnePrimary(policy, input),
            _ => WithTwoPrimaries(policy, input),
        };
        bool mustDemote = policy == AfterSplitBrain.CallPrimaryLostAfterSplitBrain
            && primaries > 0
            && result < 0
            && input.OwnRole == Role.Primary;
        return new SplitBrainVote(result, mustDemote, option);
    }

    /// <summary>The policy's name in the configuration.</summary>
    public static string NameOf(AfterSplitBrain policy) => policy switch
    {
        AfterSplitBrain.Disconnect => "disconnect",
        AfterSplitBrain.DiscardYoungerPrimary => "discard-younger-primary",
        AfterSplitBrain.DiscardOlderPrimary => "discard-older-primary",
        AfterSplitBrain.DiscardZeroChanges => "discard-zero-changes",
        AfterSplitBrain.DiscardLeastChanges => "discard-least-changes",
        AfterSplitBrain.DiscardLocal => "discard-local",
        AfterSplitBrain.DiscardRemote => "discard-remote",
        AfterSplitBrain.Consensus => "consensus",
        AfterSplitBrain.DiscardSecondary => "discard-secondary",
        AfterSplitBrain.CallPrimaryLostAfterSplitBrain => "call-pri-lost-after-sb",
        AfterSplitBrain.ViolentlyAs0Primaries => "violently-as0p",
        _ => ((int)policy).ToString(CultureInfo.InvariantCulture),
    };

    private static int WithoutPrimary(SyncDecisionInput input)
    {
        // Bit 0 of the bitmap UUID: was this node Primary when it left the common generation?
        bool ownWasPrimary = (input.Own.Bitmap & 1) != 0;
        bool peerWasPrimary = (input.Peer.Bitmap & 1) != 0;
        bool differ = ownWasPrimary != peerWasPrimary;
        switch (input.Net.AfterSplitBrain0Primaries)
        {
            case AfterSplitBrain.DiscardYoungerPrimary:
                return differ ? (ownWasPrimary ? 1 : -1) : ByLeastChanges(input);
            case AfterSplitBrain.DiscardOlderPrimary:
                return differ ? (ownWasPrimary ? -1 : 1) : ByLeastChanges(input);
            case AfterSplitBrain.DiscardZeroChanges:
                return input.OwnBits != 0 && input.PeerBits != 0 ? 0 : ByLeastChanges(input);
            case AfterSplitBrain.DiscardLeastChanges:
                return ByLeastChanges(input);
            case AfterSplitBrain.DiscardLocal:
                return -1;
            case AfterSplitBrain.DiscardRemote:
                return 1;
            default:
                return 0;
        }
    }

    /// <summary>Fewer changes lose. With equal numbers the flag makes the nodes choose the same one.</summary>
    private static int ByLeastChanges(SyncDecisionInput input)
    {
        if (input.OwnBits == input.PeerBits)
        {
            return input.ResolveConflicts ? -1 : 1;
        }

        return input.OwnBits < input.PeerBits ? -1 : 1;
    }

    private static int WithOnePrimary(AfterSplitBrain policy, SyncDecisionInput input)
    {
        int favoursPrimary = input.OwnRole == Role.Primary ? 1 : -1;
        switch (policy)
        {
            case AfterSplitBrain.Consensus:
                return WithoutPrimary(input) == favoursPrimary ? favoursPrimary : 0;
            case AfterSplitBrain.DiscardSecondary:
                return favoursPrimary;
            case AfterSplitBrain.ViolentlyAs0Primaries:
            case AfterSplitBrain.CallPrimaryLostAfterSplitBrain:
                return WithoutPrimary(input);
            default:
                return 0;
        }
    }

    private static int WithTwoPrimaries(AfterSplitBrain policy, SyncDecisionInput input) =>
        policy is AfterSplitBrain.ViolentlyAs0Primaries or AfterSplitBrain.CallPrimaryLostAfterSplitBrain
            ? WithoutPrimary(input)
            : 0;
}
