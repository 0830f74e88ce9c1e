using BlockRepl.Core.Generations;
using BlockRepl.Core.Options;
using BlockRepl.Core.Protocol;
using BlockRepl.Core.State;
using Xunit;
using static BlockRepl.Core.State.DiskState;

namespace BlockRepl.Core.Tests.Generations;

public sealed class SyncDecisionTests
{
    private static readonly UuidSet Same = new(0x100, 0, 0x10, 0x20);
    private static readonly UuidSet Older = new(0x100, 0, 0x10, 0x20);
    private static readonly UuidSet Newer = new(0x200, 0x100, 0x10, 0x20);
    private static readonly UuidSet Split = new(0x300, 0x100, 0x10, 0x20);
    private static readonly UuidSet Stranger = new(0x900, 0x910, 0x920, 0x930);

    /// <summary>Related by history only: rule 100.</summary>
    private static readonly UuidSet DistantA = new(0x400, 0x410, 0x10, 0x20);
    private static readonly UuidSet DistantB = new(0x500, 0x510, 0x530, 0x10);

    internal static SyncDecisionInput Input(UuidSet own, UuidSet peer) => new()
    {
        Own = own,
        Peer = peer,
        OwnDisk = UpToDate,
        ActualOwnDisk = UpToDate,
        PeerDisk = UpToDate,
        OwnRole = Role.Secondary,
        PeerRole = Role.Secondary,
        AgreedVersion = 101,
        Features = FeatureFlags.All,
        Net = new NetOptions(),
    };

    private static SyncDirection Direction(SyncDecisionInput input) => SyncDecision.Decide(input).Direction;

    [Fact]
    public void Numbers_become_directions()
    {
        Assert.Equal(SyncDirection.None, Direction(Input(Same, Same)));
        Assert.Equal(SyncDirection.SourceBitmap, Direction(Input(Newer, Older)));
        Assert.Equal(SyncDirection.TargetBitmap, Direction(Input(Older, Newer)));
        Assert.Equal(SyncDirection.SourceFull, Direction(Input(Newer, new UuidSet(4, 0, 0, 0))));
        Assert.Equal(SyncDirection.TargetFull, Direction(Input(new UuidSet(4, 0, 0, 0), Newer)));
    }

    [Fact]
    public void Unrelated_data_are_refused_whatever_else_there_is()
    {
        SyncDecisionInput input = Input(Newer, Stranger) with
        {
            OwnDisk = Inconsistent, OwnDiscardMyData = true, Net = new NetOptions { AlwaysAfterSplitBrain = true },
        };

        SyncVerdict verdict = SyncDecision.Decide(input);

        Assert.Equal((SyncDirection.Refuse, RefuseReason.UnrelatedData), (verdict.Direction, verdict.Reason));
        Assert.False(verdict.SplitBrainDetected);
    }

    [Fact]
    public void A_rule_that_the_protocol_lacks_refuses()
    {
        SyncDecisionInput input = Input(Same with { Bitmap = 0x50 }, Same) with { AgreedVersion = 90 };

        SyncVerdict verdict = SyncDecision.Decide(input);

        Assert.Equal((SyncDirection.Refuse, RefuseReason.NeedsNewerPeer), (verdict.Direction, verdict.Reason));
        Assert.Contains("91", verdict.Explanation, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(Inconsistent, UpToDate, SyncDirection.TargetBitmap)]
    [InlineData(Inconsistent, Outdated, SyncDirection.TargetBitmap)]
    [InlineData(UpToDate, Inconsistent, SyncDirection.SourceBitmap)]
    [InlineData(Consistent, Inconsistent, SyncDirection.SourceBitmap)]
    [InlineData(Inconsistent, Inconsistent, SyncDirection.None)]
    [InlineData(UpToDate, UpToDate, SyncDirection.None)]
    public void A_single_Inconsistent_disk_is_the_target_though_the_uuids_are_equal(
        DiskState own, DiskState peer, SyncDirection expected) =>
        Assert.Equal(
            expected, Direction(Input(Same, Same) with { OwnDisk = own, ActualOwnDisk = own, PeerDisk = peer }));

    [Fact]
    public void A_single_Inconsistent_disk_also_decides_a_split_brain()
    {
        SyncDecisionInput covered = Input(Newer, Split) with { PeerDisk = Inconsistent };
        SyncDecisionInput distant = Input(DistantA, DistantB) with { PeerDisk = Inconsistent };
        SyncDecisionInput full = Input(new UuidSet(4, 0, 0, 0), Newer) with { PeerDisk = Inconsistent };

        Assert.Equal(SyncDirection.SourceBitmap, Direction(covered));
        Assert.False(SyncDecision.Decide(covered).SplitBrainDetected);
        Assert.Equal(SyncDirection.SourceFull, Direction(distant));
        Assert.Equal(SyncDirection.SourceFull, Direction(full));
    }

    [Fact]
    public void A_negotiating_disk_counts_as_what_it_will_be()
    {
        SyncDecisionInput input = Input(Older, Newer) with
        {
            OwnRole = Role.Primary, OwnDisk = UpToDate, ActualOwnDisk = Negotiating,
        };

        // The disk is not in use yet, so a Primary may become target with it.
        Assert.Equal(SyncDirection.TargetBitmap, Direction(input));
    }

    [Fact]
    public void Split_brain_is_detected_and_refused_without_policies()
    {
        SyncVerdict verdict = SyncDecision.Decide(Input(Newer, Split));

        Assert.Equal((SyncDirection.Refuse, RefuseReason.SplitBrain), (verdict.Direction, verdict.Reason));
        Assert.True(verdict.SplitBrainDetected);
        Assert.True(verdict.SplitBrainUnsolved);
        Assert.Contains("rule 90", verdict.Explanation, StringComparison.Ordinal);
        Assert.Contains("after-sb-0pri disconnect", verdict.Explanation, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(true, false, SyncDirection.TargetBitmap)]
    [InlineData(false, true, SyncDirection.SourceBitmap)]
    [InlineData(true, true, SyncDirection.Refuse)]
    [InlineData(false, false, SyncDirection.Refuse)]
    public void The_administrator_may_discard_one_side(bool own, bool peer, SyncDirection expected)
    {
        SyncDecisionInput covered = Input(Newer, Split) with { OwnDiscardMyData = own, PeerDiscardMyData = peer };
        SyncDecisionInput distant = Input(DistantA, DistantB) with { OwnDiscardMyData = own, PeerDiscardMyData = peer };

        Assert.Equal(expected, Direction(covered));
        Assert.Equal(expected, Direction(distant));
        Assert.True(SyncDecision.Decide(covered).SplitBrainDetected);
        Assert.Equal(expected == SyncDirection.Refuse, SyncDecision.Decide(covered).SplitBrainUnsolved);
    }

    [Fact]
    public void The_policies_come_before_the_administrators_flag()
    {
        SyncDecisionInput input = Input(Newer, Split) with
        {
            OwnDiscardMyData = true,
            Net = new NetOptions { AfterSplitBrain0Primaries = AfterSplitBrain.DiscardRemote },
        };

        Assert.Equal(SyncDirection.SourceBitmap, Direction(input));
    }

    [Fact]
    public void Without_always_asbp_the_policies_do_not_touch_distant_histories()
    {
        NetOptions net = new() { AfterSplitBrain0Primaries = AfterSplitBrain.DiscardRemote };
        SyncDecisionInput input = Input(DistantA, DistantB) with { Net = net };

        Assert.Equal(SyncDirection.Refuse, Direction(input));
        Assert.Equal(
            SyncDirection.SourceFull,
            Direction(input with { Net = net with { AlwaysAfterSplitBrain = true } }));
    }

    [Theory]
    [InlineData(Inconsistent)]
    [InlineData(Negotiating)]
    public void A_bad_disk_is_no_source(DiskState disk)
    {
        SyncVerdict verdict = SyncDecision.Decide(
            Input(Newer, Older) with { OwnDisk = disk, ActualOwnDisk = disk, PeerDisk = disk });

        Assert.Equal((SyncDirection.Refuse, RefuseReason.SourceInconsistent), (verdict.Direction, verdict.Reason));
    }

    [Theory]
    [InlineData(ResyncRoleConflict.Disconnect, SyncDirection.Refuse, false)]
    [InlineData(ResyncRoleConflict.CallPrimaryLost, SyncDirection.Refuse, true)]
    [InlineData(ResyncRoleConflict.Violently, SyncDirection.TargetBitmap, false)]
    public void A_Primary_with_data_becomes_target_only_violently(
        ResyncRoleConflict policy, SyncDirection expected, bool runsHandler)
    {
        SyncDecisionInput input = Input(Older, Newer) with
        {
            OwnRole = Role.Primary, Net = new NetOptions { ResyncRoleConflict = policy },
        };

        SyncVerdict verdict = SyncDecision.Decide(input);

        Assert.Equal(expected, verdict.Direction);
        Assert.Equal(runsHandler, verdict.RunPrimaryLost);
        Assert.Equal(
            expected == SyncDirection.Refuse ? RefuseReason.PrimaryWouldBeTarget : RefuseReason.None, verdict.Reason);
        SyncDecisionInput worse = input with { OwnDisk = Outdated, ActualOwnDisk = Outdated };
        Assert.Equal(SyncDirection.TargetBitmap, Direction(worse));
    }

    [Fact]
    public void A_dry_run_says_what_would_happen()
    {
        SyncVerdict own = SyncDecision.Decide(Input(Newer, Older) with { Tentative = true });
        SyncVerdict peers = SyncDecision.Decide(Input(Newer, Older) with { PeerDryRun = true });

        Assert.Equal((SyncDirection.Refuse, RefuseReason.DryRun), (own.Direction, own.Reason));
        Assert.Equal((SyncDirection.Refuse, RefuseReason.PeerDryRun), (peers.Direction, peers.Reason));
        Assert.Contains("sync by bitmap, this node is the source", own.Explanation, StringComparison.Ordinal);
        Assert.Equal(
            RefuseReason.SplitBrain, SyncDecision.Decide(Input(Newer, Split) with { Tentative = true }).Reason);
    }

    [Fact]
    public void Corrections_of_the_uuids_stay_even_when_refused()
    {
        UuidSet source = new(0x101, 0x200, 0x300, 0x400);
        UuidSet target = new(0x100, 0, 0x201, 0x301);

        SyncVerdict verdict =
            SyncDecision.Decide(Input(source, target) with { OwnDisk = Negotiating, PeerDisk = Negotiating });

        Assert.Equal(SyncDirection.Refuse, verdict.Direction);
        Assert.Equal(34, verdict.Rule);
        Assert.Equal(new UuidSet(0x101, 0, 0x200, 0x300), verdict.OwnAfter);
    }

    [Fact]
    public void An_explanation_names_rule_and_outcome() =>
        Assert.Equal(
            "UUID rule 70 gives 1 (this node went on from the data of the peer); sync by bitmap, "
            + "this node is the source",
            SyncDecision.Decide(Input(Newer, Older)).Explanation);

    [Fact]
    public void Both_nodes_decide_alike()
    {
        int solved = 0;
        Seeded.Run(1, 60_000, random =>
        {
            SyncDecisionInput a = RandomInput(random);
            SyncDecisionInput b = Mirror(a);
            SyncVerdict atA = SyncDecision.Decide(a);
            SyncVerdict atB = SyncDecision.Decide(b);

            // Roles and disks may make one node refuse what the other one accepts; else they agree.
            if (atA.Direction != SyncDirection.Refuse && atB.Direction != SyncDirection.Refuse
                && !atA.PrimaryMustDemote && !atB.PrimaryMustDemote)
            {
                Assert.Equal(atA.Direction, MirrorDirection(atB.Direction));
                solved += atA.SplitBrainDetected ? 1 : 0;
            }

            Assert.Equal(atA.SplitBrainDetected, atB.SplitBrainDetected);
            Assert.Equal(atA.Result, -atB.Result, (x, y) => x == y || Math.Abs(x) >= 100 || PendingDemotion(atA, atB));
        });
        Assert.True(solved > 500, $"only {solved} split brains were solved");
    }

    private static bool PendingDemotion(SyncVerdict a, SyncVerdict b) => a.PrimaryMustDemote || b.PrimaryMustDemote;

    private static SyncDecisionInput RandomInput(Random random)
    {
        UuidSet[] sets = [Same, Newer, Split, DistantA, DistantB, Stranger, new UuidSet(4, 0, 0, 0)];
        DiskState[] disks = [Inconsistent, Outdated, Consistent, UpToDate];
        DiskState own = disks[random.Next(disks.Length)];
        AfterSplitBrain[] zero = Enum.GetValues<AfterSplitBrain>()[..7];
        AfterSplitBrain[] others =
        [
            AfterSplitBrain.Disconnect, AfterSplitBrain.Consensus, AfterSplitBrain.DiscardSecondary,
            AfterSplitBrain.CallPrimaryLostAfterSplitBrain, AfterSplitBrain.ViolentlyAs0Primaries,
        ];
        return Input(sets[random.Next(sets.Length)], sets[random.Next(sets.Length)]) with
        {
            OwnDisk = own,
            ActualOwnDisk = own,
            PeerDisk = disks[random.Next(disks.Length)],
            OwnRole = random.Next(3) == 0 ? Role.Primary : Role.Secondary,
            PeerRole = random.Next(3) == 0 ? Role.Primary : Role.Secondary,
            OwnBits = (ulong)random.Next(3),
            PeerBits = (ulong)random.Next(3),
            OwnDiscardMyData = random.Next(4) == 0,
            PeerDiscardMyData = random.Next(4) == 0,
            OwnCrashedPrimary = random.Next(4) == 0,
            PeerCrashedPrimary = random.Next(4) == 0,
            ResolveConflicts = random.Next(2) == 0,
            Net = new NetOptions
            {
                AlwaysAfterSplitBrain = random.Next(2) == 0,
                AfterSplitBrain0Primaries = zero[random.Next(zero.Length)],
                AfterSplitBrain1Primary = others[random.Next(others.Length)],
                AfterSplitBrain2Primaries = others[random.Next(others.Length)],
            },
        };
    }

    private static SyncDecisionInput Mirror(SyncDecisionInput a) => a with
    {
        Own = a.Peer,
        Peer = a.Own,
        OwnDisk = a.PeerDisk,
        ActualOwnDisk = a.PeerDisk,
        PeerDisk = a.OwnDisk,
        OwnRole = a.PeerRole,
        PeerRole = a.OwnRole,
        OwnBits = a.PeerBits,
        PeerBits = a.OwnBits,
        OwnDiscardMyData = a.PeerDiscardMyData,
        PeerDiscardMyData = a.OwnDiscardMyData,
        OwnCrashedPrimary = a.PeerCrashedPrimary,
        PeerCrashedPrimary = a.OwnCrashedPrimary,
        ResolveConflicts = !a.ResolveConflicts,
        Net = a.Net with
        {
            AfterSplitBrain0Primaries = a.Net.AfterSplitBrain0Primaries switch
            {
                AfterSplitBrain.DiscardLocal => AfterSplitBrain.DiscardRemote,
                AfterSplitBrain.DiscardRemote => AfterSplitBrain.DiscardLocal,
                AfterSplitBrain other => other,
            },
        },
    };

    private static SyncDirection MirrorDirection(SyncDirection direction) => direction switch
    {
        SyncDirection.SourceBitmap => SyncDirection.TargetBitmap,
        SyncDirection.TargetBitmap => SyncDirection.SourceBitmap,
        SyncDirection.SourceFull => SyncDirection.TargetFull,
        SyncDirection.TargetFull => SyncDirection.SourceFull,
        _ => direction,
    };
}
