using BlockRepl.Core.Sizes;
using BlockRepl.Core.State;
using Xunit;
using static BlockRepl.Core.State.ConnectionState;
using static BlockRepl.Core.State.DiskState;

namespace BlockRepl.Core.Tests.Sizes;

public sealed class SizesDecisionTests
{
    private static SizesInput Input(ConnectionState connection, DiskState disk, DiskState peerDisk) => new()
    {
        State = new VolumeState
        {
            Role = Role.Secondary, PeerRole = Role.Secondary, Connection = connection, Disk = disk, PeerDisk = peerDisk,
        },
        OwnDiskSectors = disk >= Inconsistent ? 100_000ul : 0,
        LastAgreedSectors = disk >= Inconsistent ? 100_000ul : 0,
        DeviceSectors = 100_000,
        PeerDiskSectors = 100_000,
        PeerDeviceSectors = 100_000,
    };

    private static SizesInput Handshake => Input(WFReportParams, UpToDate, DUnknown);

    private static SizesInput Running => Input(Connected, UpToDate, UpToDate);

    [Fact]
    public void Equal_sizes_change_nothing()
    {
        SizesVerdict verdict = SizesDecision.Receive(Handshake);

        Assert.Equal(
            new SizesVerdict(100_000, 0, false, SizesRefusal.None, false, NewSpaceResync.None, null), verdict);
    }

    [Theory]
    [InlineData(WFReportParams, UpToDate, DUnknown, true)]
    [InlineData(WFReportParams, Outdated, DUnknown, true)]
    [InlineData(WFReportParams, Inconsistent, DUnknown, false)]
    [InlineData(Connected, UpToDate, Diskless, true)]
    [InlineData(Connected, UpToDate, UpToDate, false)]
    public void A_smaller_disk_that_joins_may_not_cut_off_usable_data(
        ConnectionState connection, DiskState disk, DiskState peerDisk, bool refused)
    {
        SizesVerdict verdict =
            SizesDecision.Receive(Input(connection, disk, peerDisk) with { PeerDiskSectors = 99_000 });

        Assert.Equal(refused ? SizesRefusal.PeerDiskTooSmall : SizesRefusal.None, verdict.Refusal);
        Assert.Equal(refused ? 100_000ul : 99_000ul, verdict.DeviceSectors);
        Assert.Equal(!refused, verdict.Resized);
    }

    [Theory]
    [InlineData(0, 0, 0)]
    [InlineData(90_000, 0, 90_000)]
    [InlineData(0, 80_000, 80_000)]
    [InlineData(90_000, 80_000, 80_000)]
    public void In_the_handshake_the_smaller_limit_counts(int own, int peer, int expected)
    {
        SizesInput input = Handshake with
        {
            OwnLimitSectors = (ulong)own, PeerLimitSectors = (ulong)peer, DeviceSectors = 0,
        };

        SizesVerdict verdict = SizesDecision.Receive(input);

        Assert.Equal((ulong)expected, verdict.LimitSectors);
        Assert.Equal(expected == 0 ? 100_000ul : (ulong)expected, verdict.DeviceSectors);
    }

    [Fact]
    public void Later_the_peers_limit_replaces_ours()
    {
        SizesInput input = Running with { OwnLimitSectors = 90_000, PeerLimitSectors = 0 };

        Assert.Equal(0ul, SizesDecision.Receive(input).LimitSectors);
        Assert.Equal(95_000ul, SizesDecision.Receive(input with { PeerLimitSectors = 95_000 }).DeviceSectors);
    }

    [Fact]
    public void A_diskless_peer_leaves_the_agreed_size()
    {
        SizesVerdict verdict = SizesDecision.Receive(Handshake with { PeerDiskSectors = 0, PeerDeviceSectors = 0 });

        Assert.Equal((100_000ul, SizesRefusal.None), (verdict.DeviceSectors, verdict.Refusal));
    }

    [Theory]
    // present, c_size, u_size, d_size -> size
    [InlineData(0, 70, 80, 90, 70)]
    [InlineData(0, 0, 80, 90, 80)]
    [InlineData(0, 0, 0, 90, 90)]
    [InlineData(0, 0, 0, 0, 0)]
    [InlineData(50, 0, 0, 0, 50)]
    [InlineData(50, 70, 0, 0, 50)]
    [InlineData(0, 70, 0, 0, 70)]
    [InlineData(50, 70, 0, 90, 70)]
    [InlineData(90, 70, 0, 90, 70)]
    public void A_diskless_node_takes_the_peers_size(int present, int device, int limit, int disk, int expected)
    {
        SizesInput input = Input(WFReportParams, Diskless, DUnknown) with
        {
            DeviceSectors = (ulong)present,
            PeerDeviceSectors = (ulong)device,
            PeerLimitSectors = (ulong)limit,
            PeerDiskSectors = (ulong)disk,
        };

        SizesVerdict verdict = SizesDecision.Receive(input);

        Assert.Equal((ulong)expected, verdict.DeviceSectors);
        Assert.Equal(expected != present, verdict.Resized);
    }

    [Fact]
    public void A_diskless_Primary_does_not_shrink()
    {
        SizesInput input = Input(WFReportParams, Diskless, DUnknown) with { PeerDeviceSectors = 99_000 };
        SizesInput primary = input with { State = input.State with { Role = Role.Primary } };

        Assert.Equal(SizesRefusal.WouldShrinkPrimary, SizesDecision.Receive(primary).Refusal);
        Assert.Equal(SizesRefusal.None, SizesDecision.Receive(input).Refusal);
        Assert.Equal(SizesRefusal.None, SizesDecision.Receive(primary with { PeerDeviceSectors = 200_000 }).Refusal);
    }

    [Fact]
    public void A_request_to_answer_is_answered_except_in_the_handshake()
    {
        Assert.True(SizesDecision.Receive(Running with { PeerDeviceSectors = 0 }).MustReply);
        Assert.True(SizesDecision.Receive(Running with { PeerDeviceSectors = 90_000 }).MustReply);
        Assert.True(SizesDecision.Receive(Running with { BackingDiskChanged = true }).MustReply);
        Assert.False(SizesDecision.Receive(Running).MustReply);
        Assert.False(SizesDecision.Receive(Handshake with { PeerDeviceSectors = 0 }).MustReply);
    }

    [Fact]
    public void New_space_is_resynced_when_both_disks_have_it()
    {
        SizesInput grown = Running with { OwnDiskSectors = 120_000, PeerDiskSectors = 120_000, PeerDeviceSectors = 0 };

        SizesVerdict verdict = SizesDecision.Receive(grown);

        Assert.Equal((120_000ul, NewSpaceResync.Now, true), (verdict.DeviceSectors, verdict.Resync, verdict.MustReply));
        Assert.Equal(
            NewSpaceResync.None, SizesDecision.Receive(grown with { NoResyncOfNewSpace = true }).Resync);
        Assert.Equal(NewSpaceResync.None, SizesDecision.Receive(grown with { LastAgreedSectors = 0 }).Resync);
        Assert.Equal(
            NewSpaceResync.None,
            SizesDecision.Receive(grown with { State = grown.State with { Connection = SyncSource } }).Resync);
        Assert.Equal(
            NewSpaceResync.AfterNegotiation,
            SizesDecision.Receive(grown with { State = grown.State with { PeerDisk = Diskless } }).Resync);
    }

    [Fact]
    public void The_answer_to_an_own_resize_starts_the_resync()
    {
        SizesInput answer = Running with { ResizePending = true };

        Assert.Equal(NewSpaceResync.Now, SizesDecision.Receive(answer).Resync);
    }

    [Fact]
    public void Odd_sizes_are_worth_a_warning()
    {
        Assert.NotNull(SizesDecision.Receive(Handshake with { PeerDiskSectors = 120_000 }).Warning);
        Assert.Null(SizesDecision.Receive(Handshake with { PeerDiskSectors = 110_000 }).Warning);
        Assert.NotNull(
            SizesDecision.Receive(Running with { OwnLimitSectors = 50_000, PeerLimitSectors = 90_000 }).Warning);
        Assert.NotNull(SizesDecision.Receive(Running with { PeerLimitSectors = 100_001 }).Warning);
    }
}
