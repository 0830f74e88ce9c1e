using BlockRepl.Core.Generations;
using BlockRepl.Core.State;
using Xunit;

namespace BlockRepl.Core.Tests.Generations;

public sealed class UuidSetTests
{
    private static readonly UuidSet Some = new(0x11, 0x22, 0x33, 0x44);

    [Fact]
    public void A_push_shifts_the_history() =>
        Assert.Equal(new UuidSet(0x11, 0x22, 0x55, 0x33), Some.PushHistory(0x55));

    [Fact]
    public void A_bitmap_uuid_that_was_set_goes_to_the_history()
    {
        Assert.Equal(new UuidSet(0x11, 0x55, 0x22, 0x33), Some.SetBitmapRotating(0x55));
        Assert.Equal(
            new UuidSet(0x11, 0x55, 0x33, 0x44), (Some with { Bitmap = 0 }).SetBitmapRotating(0x55));
    }

    [Fact]
    public void Clearing_a_bitmap_uuid_twice_changes_nothing()
    {
        UuidSet once = Some.ClearBitmap();

        Assert.Equal(new UuidSet(0x11, 0, 0x22, 0x33), once);
        Assert.Equal(once, once.ClearBitmap());
    }

    [Theory]
    [InlineData(true, 0x101)]
    [InlineData(false, 0x100)]
    public void A_new_generation_keeps_the_old_current_uuid_as_its_base(bool primary, int expected) =>
        Assert.Equal(new UuidSet((ulong)expected, 0x11, 0x33, 0x44), Some.NewCurrent(0x101, primary));

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(4)]
    [InlineData(5)]
    public void A_random_uuid_never_is_a_special_one(ulong random)
    {
        ulong current = UuidSet.Masked(Some.NewCurrent(random, primary: true).Current);

        Assert.NotEqual(0ul, current);
        Assert.NotEqual(UuidSet.JustCreated, current);
        (Some with { Bitmap = 0 }).StartSyncSource(random, out ulong sync);
        Assert.NotEqual(0ul, UuidSet.Masked(sync));
        Assert.NotEqual(UuidSet.JustCreated, UuidSet.Masked(sync));
    }

    [Fact]
    public void The_role_mark_is_bit_0_of_the_current_uuid()
    {
        Assert.Equal(0x10ul, Some.WithRole(primary: false).Current);
        Assert.Equal(0x11ul, Some.WithRole(primary: true).Current);
        Assert.Equal(0x77ul, Some.SetCurrent(0x76, primary: true).Current);
        Assert.Equal(0x76ul, Some.SetCurrent(0x77, primary: false).Current);
    }

    [Fact]
    public void The_sync_uuid_follows_the_open_generation()
    {
        UuidSet after = Some.StartSyncSource(0x99, out ulong sync);

        Assert.Equal(0x0001_0000_0000_0022ul, sync);
        Assert.Equal(new UuidSet(0x11, sync, 0x22, 0x33), after);
    }

    [Fact]
    public void After_pulling_ahead_from_Connected_nothing_is_pushed_in_between()
    {
        UuidSet source = new(0x11, 0, 0x33, 0x44);
        UuidSet target = new(0x10, 0, 0x33, 0x44);

        UuidSet started = source.StartSyncSource(0x90, out ulong sync);
        UuidSet syncing = target.StartSyncTarget(sync, primary: false);

        Assert.Equal(new UuidSet(0x10, 0, 0x90, 0x33), syncing.FinishSyncTarget(source, primary: false));
        Assert.Equal(new UuidSet(0x11, 0, 0x90, 0x33), started.FinishSyncSource());
    }

    [Fact]
    public void Pulling_ahead_during_a_resync_leaves_another_last_history_until_the_next_end()
    {
        const ulong c = 0xa1;
        UuidSet source = new(c, 0x4, 0, 0);
        UuidSet copy = source;
        source = source.StartSyncSource(0x1000, out ulong first);
        UuidSet target = new UuidSet(0x4, 0, 0, 0).StartSyncTarget(first, primary: false);

        // Ahead and back: a second sync UUID while the first one is open.
        source = source.StartSyncSource(0, out ulong second);
        target = target.StartSyncTarget(second, primary: false);
        source = source.FinishSyncSource();
        target = target.FinishSyncTarget(copy, primary: false);
        Assert.Equal(new UuidSet(c, 0, second, first), source);
        Assert.Equal(new UuidSet(c - 1, 0, second, 0x4), target);

        // The next resync makes them equal again; a node that finished takes its own set for the peer's.
        copy = target;
        source = source.StartSyncSource(0x3000, out ulong third);
        target = target.StartSyncTarget(third, primary: false);
        Assert.Equal(new UuidSet(c, 0, third, second), source.FinishSyncSource());
        Assert.Equal(new UuidSet(c - 1, 0, third, second), target.FinishSyncTarget(copy, primary: false));
    }
}

/// <summary>
/// The life of two nodes' UUIDs, from two new disks to a lost end of a resync, each step with its numbers.
/// </summary>
public sealed class UuidLifeTests
{
    private const ulong J = UuidSet.JustCreated;
    private const ulong A0 = 0xa0a0a0a0a0a0a0a0;
    private const ulong S1 = 0x5151515151515150;
    private const ulong B0 = 0xb0b0b0b0b0b0b0b0;
    private const ulong A1 = 0xa0a1a0a0a0a0a0a0;

    private static CompareContext Context(Role own, Role peer) => new()
    {
        AgreedVersion = 101, OwnRole = own, PeerRole = peer,
    };

    private static (int Result, int Rule) AtA(UuidSet a, UuidSet b)
    {
        GenerationVerdict v = GenerationDecision.Compare(a, b, Context(Role.Primary, Role.Secondary));
        return (v.Result, v.Rule);
    }

    private static (int Result, int Rule) AtB(UuidSet a, UuidSet b)
    {
        GenerationVerdict v = GenerationDecision.Compare(b, a, Context(Role.Secondary, Role.Primary));
        return (v.Result, v.Rule);
    }

    [Fact]
    public void Two_new_disks_live_through_syncs_and_losses()
    {
        UuidSet a = new(J, 0, 0, 0);
        UuidSet b = new(J, 0, 0, 0);
        Assert.Equal((0, 10), AtA(a, b));

        a = a.NewCurrent(A0, primary: true);
        Assert.Equal(new UuidSet(A0 | 1, J, 0, 0), a);
        Assert.Equal((2, 30), AtA(a, b));
        Assert.Equal((-2, 20), AtB(a, b));
        UuidSet copyAtB = a;

        a = a.StartSyncSource(S1, out ulong sync);
        b = b.StartSyncTarget(sync, primary: false);
        Assert.Equal(new UuidSet(A0 | 1, S1, J, 0), a);
        Assert.Equal(new UuidSet(S1, 0, 0, 0), b);

        a = a.FinishSyncSource();
        b = b.FinishSyncTarget(copyAtB, primary: false);
        Assert.Equal(new UuidSet(A0 | 1, 0, S1, J), a);
        Assert.Equal(new UuidSet(A0, 0, S1, J), b);
        Assert.Equal((0, 40), AtA(a, b));

        // The link is lost and A writes on.
        a = a.NewCurrent(B0, primary: true);
        Assert.Equal(new UuidSet(B0 | 1, A0 | 1, S1, J), a);
        Assert.Equal((1, 70), AtA(a, b));
        Assert.Equal((-1, 50), AtB(a, b));
        copyAtB = a;

        // The resync starts, but its UUID is lost on the way.
        UuidSet started = a.StartSyncSource(0, out sync);
        Assert.Equal(A1 | 1, sync);
        Assert.Equal(new UuidSet(B0 | 1, A1 | 1, A0 | 1, S1), started);
        GenerationVerdict lostAtA = GenerationDecision.Compare(started, b, Context(Role.Primary, Role.Secondary));
        Assert.Equal((1, 71), (lostAtA.Result, lostAtA.Rule));
        Assert.Equal(new UuidSet(B0 | 1, A0 | 1, S1, S1), lostAtA.OwnAfter);
        GenerationVerdict lostAtB = GenerationDecision.Compare(b, started, Context(Role.Secondary, Role.Primary));
        Assert.Equal((-1, 51), (lostAtB.Result, lostAtB.Rule));
        Assert.Equal(new UuidSet(B0 | 1, A0 | 1, S1, S1), lostAtB.PeerAfter);

        // It arrives; the link is lost during the resync.
        a = started;
        b = b.StartSyncTarget(sync, primary: false);
        Assert.Equal(new UuidSet(A1, 0, S1, J), b);
        Assert.Equal((1, 70), AtA(a, b));
        Assert.Equal((-1, 50), AtB(a, b));
        a.StartSyncSource(0, out ulong next);
        Assert.Equal(0xa0a2a0a0a0a0a0a1ul, next);

        // The target finishes and the link is lost before the source knows.
        b = b.FinishSyncTarget(copyAtB, primary: false);
        Assert.Equal(new UuidSet(B0, 0, A1, A0 | 1), b);
        GenerationVerdict endAtA = GenerationDecision.Compare(a, b, Context(Role.Primary, Role.Secondary));
        Assert.Equal((1, 34), (endAtA.Result, endAtA.Rule));
        GenerationVerdict endAtB = GenerationDecision.Compare(b, a, Context(Role.Secondary, Role.Primary));
        Assert.Equal((-1, 35), (endAtB.Result, endAtB.Rule));
        Assert.Equal(endAtA.OwnAfter, endAtB.PeerAfter);

        a = a.FinishSyncSource();
        Assert.Equal(new UuidSet(B0 | 1, 0, A1 | 1, A0 | 1), a);
        Assert.Equal(a, endAtA.OwnAfter);
    }

    [Fact]
    public void Both_promoted_alone_is_a_split_brain_that_the_bitmaps_cover()
    {
        UuidSet common = new(A0, 0, S1, J);
        UuidSet a = (common with { Current = A0 | 1 }).NewCurrent(0xc0c0, primary: true);
        UuidSet b = common.NewCurrent(0xd0d0, primary: true);

        Assert.Equal(A0 | 1, a.Bitmap);
        Assert.Equal(A0, b.Bitmap);
        Assert.Equal((100, 90), AtA(a, b));
        Assert.Equal((100, 90), AtB(a, b));
    }
}
