using BlockRepl.Core.Generations;
using BlockRepl.Core.Options;
using BlockRepl.Core.State;
using Xunit;

namespace BlockRepl.Core.Tests.Generations;

/// <summary>Every policy for every number of Primaries; 1 this node wins, -1 the peer, 0 no decision.</summary>
public sealed class SplitBrainPolicyTests
{
    private const AfterSplitBrain Younger = AfterSplitBrain.DiscardYoungerPrimary;
    private const AfterSplitBrain Elder = AfterSplitBrain.DiscardOlderPrimary;
    private const AfterSplitBrain Zero = AfterSplitBrain.DiscardZeroChanges;
    private const AfterSplitBrain Least = AfterSplitBrain.DiscardLeastChanges;
    private const AfterSplitBrain Local = AfterSplitBrain.DiscardLocal;
    private const AfterSplitBrain Remote = AfterSplitBrain.DiscardRemote;
    private const AfterSplitBrain Call = AfterSplitBrain.CallPrimaryLostAfterSplitBrain;

    private static SyncDecisionInput Input(
        NetOptions net, Role own, Role peer, bool ownWas, bool peerWas, ulong ownBits, ulong peerBits, bool resolve) =>
        SyncDecisionTests.Input(
            new UuidSet(0x200, ownWas ? 0x101ul : 0x100, 0x10, 0x20),
            new UuidSet(0x300, peerWas ? 0x101ul : 0x100, 0x10, 0x20)) with
        {
            Net = net,
            OwnRole = own,
            PeerRole = peer,
            OwnBits = ownBits,
            PeerBits = peerBits,
            ResolveConflicts = resolve,
        };

    private static int Outcome(SyncVerdict verdict) => verdict.Direction switch
    {
        SyncDirection.SourceBitmap => 1,
        SyncDirection.TargetBitmap => -1,
        SyncDirection.Refuse when verdict.Reason == RefuseReason.SplitBrain => 0,
        _ => throw new InvalidOperationException(verdict.ToString()),
    };

    [Theory]
    [InlineData(AfterSplitBrain.Disconnect, true, false, 1, 2, false, 0)]
    [InlineData(Younger, false, true, 1, 2, false, -1)]
    [InlineData(Younger, true, false, 1, 2, false, 1)]
    [InlineData(Younger, true, true, 1, 2, false, -1)]
    [InlineData(Younger, false, false, 2, 1, false, 1)]
    [InlineData(Younger, false, false, 0, 0, true, -1)]
    [InlineData(Younger, true, true, 0, 5, false, -1)]
    [InlineData(Elder, false, true, 2, 1, false, 1)]
    [InlineData(Elder, true, false, 2, 1, false, -1)]
    [InlineData(Elder, true, true, 3, 0, false, 1)]
    [InlineData(Elder, false, false, 3, 3, false, 1)]
    [InlineData(Elder, false, false, 3, 3, true, -1)]
    [InlineData(Zero, true, false, 0, 0, true, -1)]
    [InlineData(Zero, true, false, 0, 0, false, 1)]
    [InlineData(Zero, true, false, 7, 0, true, 1)]
    [InlineData(Zero, true, false, 0, 7, false, -1)]
    [InlineData(Zero, true, false, 1, 2, false, 0)]
    [InlineData(Least, true, false, 1, 2, false, -1)]
    [InlineData(Least, true, false, 2, 1, true, 1)]
    [InlineData(Least, true, false, 2, 2, true, -1)]
    [InlineData(Least, true, false, 2, 2, false, 1)]
    [InlineData(Local, true, false, 9, 0, false, -1)]
    [InlineData(Remote, true, false, 0, 9, true, 1)]
    [InlineData(AfterSplitBrain.Consensus, true, false, 0, 9, true, 0)]
    [InlineData(AfterSplitBrain.DiscardSecondary, true, false, 0, 9, true, 0)]
    [InlineData(Call, true, false, 0, 9, true, 0)]
    [InlineData(AfterSplitBrain.ViolentlyAs0Primaries, true, false, 0, 9, true, 0)]
    public void Without_a_Primary(
        AfterSplitBrain policy, bool ownWas, bool peerWas, int ownBits, int peerBits, bool resolve, int expected)
    {
        NetOptions net = new() { AfterSplitBrain0Primaries = policy };

        SyncVerdict verdict = SyncDecision.Decide(
            Input(net, Role.Secondary, Role.Secondary, ownWas, peerWas, (ulong)ownBits, (ulong)peerBits, resolve));

        Assert.Equal(expected, Outcome(verdict));
        Assert.True(verdict.SplitBrainDetected);
    }

    [Theory]
    [InlineData(AfterSplitBrain.Disconnect, Remote, Role.Secondary, 0)]
    [InlineData(AfterSplitBrain.Consensus, Local, Role.Secondary, -1)]
    [InlineData(AfterSplitBrain.Consensus, Remote, Role.Secondary, 0)]
    [InlineData(AfterSplitBrain.Consensus, Remote, Role.Primary, 1)]
    [InlineData(AfterSplitBrain.Consensus, Local, Role.Primary, 0)]
    [InlineData(AfterSplitBrain.Consensus, AfterSplitBrain.Disconnect, Role.Primary, 0)]
    [InlineData(AfterSplitBrain.ViolentlyAs0Primaries, Local, Role.Secondary, -1)]
    [InlineData(AfterSplitBrain.ViolentlyAs0Primaries, Remote, Role.Secondary, 1)]
    [InlineData(AfterSplitBrain.ViolentlyAs0Primaries, Remote, Role.Primary, 1)]
    [InlineData(AfterSplitBrain.DiscardSecondary, AfterSplitBrain.Disconnect, Role.Primary, 1)]
    [InlineData(AfterSplitBrain.DiscardSecondary, AfterSplitBrain.Disconnect, Role.Secondary, -1)]
    [InlineData(Call, Remote, Role.Primary, 1)]
    [InlineData(Call, Remote, Role.Secondary, 1)]
    [InlineData(Call, Local, Role.Secondary, -1)]
    [InlineData(Call, AfterSplitBrain.Disconnect, Role.Primary, 0)]
    [InlineData(Younger, Remote, Role.Primary, 0)]
    [InlineData(Elder, Remote, Role.Primary, 0)]
    [InlineData(Zero, Remote, Role.Primary, 0)]
    [InlineData(Least, Remote, Role.Primary, 0)]
    [InlineData(Local, Remote, Role.Primary, 0)]
    [InlineData(Remote, Remote, Role.Primary, 0)]
    public void With_one_Primary(AfterSplitBrain policy, AfterSplitBrain zeroPolicy, Role own, int expected)
    {
        NetOptions net = new() { AfterSplitBrain0Primaries = zeroPolicy, AfterSplitBrain1Primary = policy };
        Role peer = own == Role.Primary ? Role.Secondary : Role.Primary;

        SyncVerdict verdict = SyncDecision.Decide(Input(net, own, peer, true, false, 1, 2, false));

        Assert.Equal(expected, Outcome(verdict));
    }

    [Fact]
    public void As0p_may_make_a_Primary_the_victim_and_then_rr_conflict_decides()
    {
        NetOptions net = new()
        {
            AfterSplitBrain0Primaries = Local, AfterSplitBrain1Primary = AfterSplitBrain.ViolentlyAs0Primaries,
        };
        SyncDecisionInput input = Input(net, Role.Primary, Role.Secondary, true, false, 1, 2, false);

        Assert.Equal(RefuseReason.PrimaryWouldBeTarget, SyncDecision.Decide(input).Reason);
        NetOptions violent = net with { ResyncRoleConflict = ResyncRoleConflict.Violently };
        Assert.Equal(SyncDirection.TargetBitmap, SyncDecision.Decide(input with { Net = violent }).Direction);
    }

    [Theory]
    [InlineData(AfterSplitBrain.Disconnect, Remote, 0)]
    [InlineData(AfterSplitBrain.ViolentlyAs0Primaries, Remote, 1)]
    [InlineData(Call, Remote, 1)]
    [InlineData(AfterSplitBrain.Consensus, Remote, 0)]
    [InlineData(AfterSplitBrain.DiscardSecondary, Remote, 0)]
    [InlineData(Younger, Remote, 0)]
    [InlineData(Elder, Remote, 0)]
    [InlineData(Zero, Remote, 0)]
    [InlineData(Least, Remote, 0)]
    [InlineData(Local, Remote, 0)]
    [InlineData(Remote, Remote, 0)]
    public void With_two_Primaries(AfterSplitBrain policy, AfterSplitBrain zeroPolicy, int expected)
    {
        NetOptions net = new() { AfterSplitBrain0Primaries = zeroPolicy, AfterSplitBrain2Primaries = policy };

        SyncVerdict verdict = SyncDecision.Decide(Input(net, Role.Primary, Role.Primary, true, false, 1, 2, false));

        Assert.Equal(expected, Outcome(verdict));
    }

    [Theory]
    [InlineData(Role.Secondary)]
    [InlineData(Role.Primary)]
    public void A_sacrificed_Primary_is_asked_to_step_down_first(Role peer)
    {
        NetOptions net = new()
        {
            AfterSplitBrain0Primaries = Local, AfterSplitBrain1Primary = Call, AfterSplitBrain2Primaries = Call,
        };
        SyncDecisionInput input = Input(net, Role.Primary, peer, true, false, 1, 2, false);

        SyncVerdict asked = SyncDecision.Decide(input);
        Assert.True(asked.PrimaryMustDemote);
        Assert.True(asked.SplitBrainDetected);
        Assert.Equal((SyncDirection.None, RefuseReason.None), (asked.Direction, asked.Reason));

        SyncVerdict done = SyncDecision.Decide(input with { Demotion = Demotion.Done });
        Assert.Equal(SyncDirection.TargetBitmap, done.Direction);
        Assert.False(done.SplitBrainDetected, "the handler ran before");
        Assert.False(done.PrimaryMustDemote);

        SyncVerdict refused = SyncDecision.Decide(input with { Demotion = Demotion.Refused });
        Assert.Equal((SyncDirection.Refuse, RefuseReason.SplitBrain), (refused.Direction, refused.Reason));
        Assert.True(refused.RunPrimaryLostAfterSplitBrain);
        Assert.True(refused.SplitBrainUnsolved);
    }

    [Fact]
    public void Every_policy_has_its_name_of_the_configuration()
    {
        HashSet<string> names = [];
        foreach (AfterSplitBrain policy in Enum.GetValues<AfterSplitBrain>())
        {
            Assert.True(names.Add(SplitBrainPolicies.NameOf(policy)));
        }

        Assert.Contains("call-pri-lost-after-sb", names);
        Assert.Equal("42", SplitBrainPolicies.NameOf((AfterSplitBrain)42));
    }
}
