using BlockRepl.Core.Generations;
using BlockRepl.Core.Protocol;
using BlockRepl.Core.State;
using Xunit;

namespace BlockRepl.Core.Tests.Generations;

public sealed class GenerationDecisionTests
{
    private const ulong Step = UuidSet.SyncUuidStep;

    private static readonly CompareContext Plain = new()
    {
        AgreedVersion = 101, Features = FeatureFlags.All, OwnRole = Role.Secondary, PeerRole = Role.Secondary,
    };

    private static UuidSet U(ulong current, ulong bitmap = 0, ulong history1 = 0, ulong history2 = 0) =>
        new(current, bitmap, history1, history2);

    public static TheoryData<int, int, UuidSet, UuidSet> Rules => new()
    {
        { 10, 0, U(4), U(4) },
        { 10, 0, U(4), U(5) },
        { 20, -2, U(4), U(0x100) },
        { 20, -2, U(0), U(0x100) },
        { 20, -2, U(1), U(0x100) },
        { 20, -2, U(4), U(0) },
        { 30, 2, U(0x100), U(4) },
        { 30, 2, U(0x100), U(0) },
        { 30, 2, U(0), U(4) },
        { 34, 1, U(0x100, 0x200, 0x300), U(0x100, 0, 0x200, 0x300) },
        { 36, 1, U(0x100, 0x200, 0x300), U(0x100, 0, 0x200, 0x400) },
        { 35, -1, U(0x100, 0, 0x200, 0x300), U(0x100, 0x200, 0x300) },
        { 37, -1, U(0x100, 0, 0x200, 0x400), U(0x100, 0x200, 0x300) },
        { 40, 0, U(0x100), U(0x101) },
        { 40, 0, U(0x100, 0x200), U(0x100, 0x300) },
        { 50, -1, U(0x100), U(0x200, 0x101) },
        { 51, -1, U(0x100, 0, 0x300), U(0x200, 0x100 + Step, 0x100, 0x500) },
        { 60, -2, U(0x100), U(0x200, 0x300, 0x100) },
        { 60, -2, U(0x100), U(0x200, 0x300, 0x400, 0x100) },
        { 70, 1, U(0x200, 0x101), U(0x100) },
        { 71, 1, U(0x200, 0x100 + Step, 0x100, 0x500), U(0x100, 0, 0x300) },
        { 80, 2, U(0x200, 0x300, 0x100), U(0x100) },
        { 80, 2, U(0x200, 0x300, 0x400, 0x100), U(0x100) },
        { 90, 100, U(0x200, 0x100), U(0x300, 0x101) },
        { 100, -100, U(0x200, 0x10, 0x700, 0x800), U(0x300, 0x20, 0x900, 0x701) },
        { 100, -100, U(0x200, 0x10, 0x700), U(0x300, 0x20, 0x900) },
        { 100, -1000, U(0x200, 0x10, 0x700, 0x800), U(0x300, 0x20, 0x900, 0xa00) },
        { 100, -1000, U(0x200, 0x10, 0x700, 0x800), U(0x300) },
    };

    [Theory]
    [MemberData(nameof(Rules), DisableDiscoveryEnumeration = true)]
    public void Each_rule_has_its_result(int rule, int result, UuidSet own, UuidSet peer)
    {
        GenerationVerdict verdict = GenerationDecision.Compare(own, peer, Plain);

        Assert.Equal((result, rule), (verdict.Result, verdict.Rule));
        Assert.Null(verdict.Needs);
        Assert.NotEmpty(GenerationDecision.RuleMeaning(rule));
        if (rule is not (34 or 71))
        {
            Assert.Equal(own, verdict.OwnAfter);
        }

        if (rule is not (35 or 51))
        {
            Assert.Equal(peer, verdict.PeerAfter);
        }
    }

    [Fact]
    public void Rules_34_and_35_finish_what_one_node_has_finished()
    {
        UuidSet source = U(0x101, 0x200, 0x300, 0x400);
        UuidSet target = U(0x100, 0, 0x201, 0x301);

        Assert.Equal(
            U(0x101, 0, 0x200, 0x300), GenerationDecision.Compare(source, target, Plain).OwnAfter);
        Assert.Equal(
            U(0x101, 0, 0x200, 0x300), GenerationDecision.Compare(target, source, Plain).PeerAfter);
    }

    [Fact]
    public void Rules_51_and_71_take_the_lost_sync_uuid_back()
    {
        UuidSet target = U(0x100, 0, 0x300);
        UuidSet source = U(0x201, 0x101 + Step, 0x101, 0x500);
        UuidSet expected = U(0x201, 0x101, 0x500, 0x500);

        Assert.Equal(expected, GenerationDecision.Compare(target, source, Plain).PeerAfter);
        Assert.Equal(expected, GenerationDecision.Compare(source, target, Plain).OwnAfter);
    }

    [Fact]
    public void Before_protocol_96_a_lost_sync_uuid_is_known_by_the_history()
    {
        UuidSet target = U(0x100, 0, 0x500);
        UuidSet source = U(0x201, 0x777, 0x101, 0x500);
        CompareContext c = Plain with { AgreedVersion = 95 };

        GenerationVerdict atTarget = GenerationDecision.Compare(target, source, c);
        GenerationVerdict atSource = GenerationDecision.Compare(source, target, c);

        Assert.Equal((-1, 51), (atTarget.Result, atTarget.Rule));
        Assert.Equal((1, 71), (atSource.Result, atSource.Rule));
        Assert.Equal(-2, GenerationDecision.Compare(target, source, Plain).Result);
        Assert.Equal(2, GenerationDecision.Compare(source, target, Plain).Result);
    }

    public static TheoryData<int, UuidSet, UuidSet> NewRules => new()
    {
        { 34, U(0x100, 0x200, 0x300), U(0x100, 0, 0x200, 0x300) },
        { 35, U(0x100, 0, 0x200, 0x300), U(0x100, 0x200, 0x300) },
        { 36, U(0x100, 0x200), U(0x100) },
        { 37, U(0x100), U(0x100, 0x200) },
        { 51, U(0x100, 0, 0x500), U(0x201, 0x777, 0x101, 0x500) },
        { 71, U(0x201, 0x777, 0x101, 0x500), U(0x100, 0, 0x500) },
    };

    [Theory]
    [MemberData(nameof(NewRules), DisableDiscoveryEnumeration = true)]
    public void Some_rules_need_protocol_91(int rule, UuidSet own, UuidSet peer)
    {
        GenerationVerdict verdict = GenerationDecision.Compare(own, peer, Plain with { AgreedVersion = 90 });

        Assert.Equal((GenerationDecision.NeedsVersion91, rule), (verdict.Result, verdict.Rule));
        Assert.NotNull(verdict.Needs);
        Assert.Equal((own, peer), (verdict.OwnAfter, verdict.PeerAfter));
        Assert.Null(GenerationDecision.Compare(own, peer, Plain with { AgreedVersion = 91 }).Needs);
    }

    [Theory]
    [InlineData(false, false, false, 0)]
    [InlineData(true, false, false, 1)]
    [InlineData(true, false, true, 1)]
    [InlineData(false, true, false, -1)]
    [InlineData(false, true, true, -1)]
    [InlineData(true, true, false, 1)]
    [InlineData(true, true, true, -1)]
    public void Rule_40_makes_the_crashed_Primary_the_source(
        bool ownCrashed, bool peerCrashed, bool resolveConflicts, int expected)
    {
        CompareContext c = Plain with
        {
            OwnCrashed = ownCrashed, PeerCrashed = peerCrashed, ResolveConflicts = resolveConflicts,
        };

        GenerationVerdict verdict = GenerationDecision.Compare(U(0x100), U(0x100), c);

        Assert.Equal((expected, 40), (verdict.Result, verdict.Rule));
    }

    [Theory]
    [InlineData(Role.Primary, Role.Secondary, 1)]
    [InlineData(Role.Secondary, Role.Primary, -1)]
    [InlineData(Role.Primary, Role.Primary, -100)]
    public void Rule_41_makes_a_present_Primary_the_source(Role own, Role peer, int expected)
    {
        CompareContext c = Plain with { PeerCrashed = true, OwnRole = own, PeerRole = peer };

        GenerationVerdict verdict = GenerationDecision.Compare(U(0x100), U(0x100), c);

        Assert.Equal((expected, 41), (verdict.Result, verdict.Rule));
        Assert.Equal(verdict, GenerationDecision.Compare(
            U(0x100), U(0x100), c with { PeerCrashed = false, OwnCrashed = true }));
        Assert.Equal(
            GenerationDecision.NeedsWriteSame,
            GenerationDecision.Compare(U(0x100), U(0x100), c with { Features = FeatureFlags.Trim }).Result);
    }

    [Fact]
    public void Both_nodes_come_to_mirrored_results()
    {
        int pairs = 0;
        Dictionary<int, int> seen = [];
        Seeded.Run(1, 150_000, random =>
        {
            (UuidSet a, UuidSet b) = (RandomSet(random), RandomSet(random));
            if (IsUnnatural(a, b))
            {
                return;
            }

            CompareContext c = RandomContext(random);
            GenerationVerdict atA = GenerationDecision.Compare(a, b, c);
            GenerationVerdict atB = GenerationDecision.Compare(b, a, Mirror(c));
            bool symmetric = atA.Result is 100 or -100 or < -100;
            Assert.Equal(symmetric ? atA.Result : -atA.Result, atB.Result);
            Assert.Equal(atA.OwnAfter, atB.PeerAfter);
            Assert.Equal(atA.PeerAfter, atB.OwnAfter);
            pairs++;
            seen[atA.Rule] = seen.GetValueOrDefault(atA.Rule) + 1;
        });

        Assert.True(pairs >= 100_000, $"only {pairs} pairs");
        foreach (int rule in new[] { 10, 20, 30, 34, 35, 36, 37, 40, 41, 50, 51, 60, 70, 71, 80, 90, 100 })
        {
            Assert.True(
                seen.GetValueOrDefault(rule) >= 10, $"rule {rule} was met {seen.GetValueOrDefault(rule)} times");
        }
    }

    [Fact]
    public void Two_sets_without_a_current_uuid_both_want_to_be_target()
    {
        Assert.Equal(-2, GenerationDecision.Compare(U(0, 1, 2, 3), U(1), Plain).Result);
        Assert.Equal(-2, GenerationDecision.Compare(U(1), U(0, 1, 2, 3), Plain).Result);
    }

    /// <summary>
    /// Two sets that are not mirrored: no current UUID at all, or each node the ancestor of the other.
    /// </summary>
    private static bool IsUnnatural(UuidSet a, UuidSet b)
    {
        bool bothUnset = UuidSet.Masked(a.Current) == 0 && UuidSet.Masked(b.Current) == 0;
        bool differ = UuidSet.Masked(a.Current) != UuidSet.Masked(b.Current);
        return bothUnset || (differ && Descends(a, b) && Descends(b, a));
    }

    private static bool Descends(UuidSet of, UuidSet from)
    {
        ulong ancestor = UuidSet.Masked(from.Current);
        return ancestor == UuidSet.Masked(of.Bitmap)
            || ancestor == UuidSet.Masked(of.History1)
            || ancestor == UuidSet.Masked(of.History2);
    }

    private static UuidSet RandomSet(Random random) => new(
        RandomUuid(random), RandomUuid(random), RandomUuid(random), RandomUuid(random));

    private static ulong RandomUuid(Random random)
    {
        ulong[] some = [0, 4, 0x10, 0x20, 0x30, 0x10 + Step, 0x20 + Step, 0x40];
        ulong uuid = some[random.Next(some.Length)];
        return uuid == 0 ? 0 : uuid | (random.Next(2) == 0 ? 0ul : 1ul);
    }

    private static CompareContext RandomContext(Random random) => new()
    {
        AgreedVersion = random.Next(86, 102),
        Features = random.Next(4) == 0 ? FeatureFlags.None : FeatureFlags.All,
        OwnCrashed = random.Next(3) == 0,
        PeerCrashed = random.Next(3) == 0,
        OwnRole = random.Next(3) == 0 ? Role.Primary : Role.Secondary,
        PeerRole = random.Next(3) == 0 ? Role.Primary : Role.Secondary,
        ResolveConflicts = random.Next(2) == 0,
    };

    private static CompareContext Mirror(CompareContext c) => c with
    {
        OwnCrashed = c.PeerCrashed,
        PeerCrashed = c.OwnCrashed,
        OwnRole = c.PeerRole,
        PeerRole = c.OwnRole,
        ResolveConflicts = !c.ResolveConflicts,
    };
}
