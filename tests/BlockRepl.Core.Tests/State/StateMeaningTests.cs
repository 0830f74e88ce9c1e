using BlockRepl.Core.Options;
using BlockRepl.Core.State;
using Xunit;
using static BlockRepl.Core.State.ConnectionState;
using static BlockRepl.Core.State.DiskState;

namespace BlockRepl.Core.Tests.State;

public sealed class StateMeaningTests
{
    [Theory]
    [InlineData(Role.Secondary, Role.Unknown, WFConnection, Inconsistent, DUnknown, false, 0x000u)]
    [InlineData(Role.Secondary, Role.Unknown, WFConnection, Outdated, DUnknown, false, 0x001u)]
    [InlineData(Role.Secondary, Role.Unknown, WFConnection, Consistent, DUnknown, false, 0x011u)]
    [InlineData(Role.Primary, Role.Secondary, Connected, UpToDate, UpToDate, false, 0x017u)]
    [InlineData(Role.Secondary, Role.Primary, Connected, UpToDate, UpToDate, false, 0x015u)]
    [InlineData(Role.Secondary, Role.Primary, Connected, UpToDate, Diskless, false, 0x017u)]
    [InlineData(Role.Primary, Role.Secondary, SyncSource, UpToDate, Inconsistent, false, 0x037u)]
    [InlineData(Role.Primary, Role.Unknown, WFConnection, UpToDate, Outdated, true, 0x073u)]
    [InlineData(Role.Secondary, Role.Secondary, WFReportParams, UpToDate, DUnknown, false, 0x011u)]
    public void A_state_implies_superblock_flags(
        Role role, Role peer, ConnectionState connection, DiskState disk, DiskState peerDisk, bool crashed, uint flags)
    {
        VolumeState state = new()
        {
            Role = role, PeerRole = peer, Connection = connection, Disk = disk, PeerDisk = peerDisk,
        };

        Assert.Equal(flags, StateRules.MetaDataFlags(state, crashed));
        Assert.Equal(0u, flags & ~StateRules.MetaDataFlagsMask);
    }

    [Theory]
    [InlineData(0x000u, FencingPolicy.DontCare, Inconsistent, DUnknown)]
    [InlineData(0x010u, FencingPolicy.DontCare, Inconsistent, DUnknown)]
    [InlineData(0x001u, FencingPolicy.DontCare, Outdated, DUnknown)]
    [InlineData(0x011u, FencingPolicy.DontCare, UpToDate, DUnknown)]
    [InlineData(0x011u, FencingPolicy.ResourceOnly, Consistent, DUnknown)]
    [InlineData(0x031u, FencingPolicy.ResourceAndStonith, UpToDate, Outdated)]
    [InlineData(0x020u, FencingPolicy.ResourceOnly, Inconsistent, Outdated)]
    public void Flags_decide_the_disk_state_at_attach(
        uint flags, FencingPolicy fencing, DiskState disk, DiskState peerDisk)
    {
        Assert.Equal(disk, StateRules.DiskStateAtAttach(flags, fencing));
        Assert.Equal(peerDisk, StateRules.PeerDiskAtAttach(flags));
    }

    [Theory]
    [InlineData(Connected, UpToDate, true, false)]
    [InlineData(Connected, Inconsistent, false, false)]
    [InlineData(Connected, Diskless, false, false)]
    [InlineData(WFConnection, DUnknown, false, false)]
    [InlineData(WFBitMapS, Consistent, false, true)]
    [InlineData(WFBitMapT, UpToDate, true, false)]
    [InlineData(SyncSource, Inconsistent, true, false)]
    [InlineData(SyncTarget, UpToDate, true, false)]
    [InlineData(PausedSyncS, Inconsistent, true, false)]
    [InlineData(VerifyS, UpToDate, true, false)]
    [InlineData(Ahead, Inconsistent, false, true)]
    [InlineData(StartingSyncS, Consistent, false, false)]
    public void A_write_is_replicated_or_reported_or_local(
        ConnectionState connection, DiskState peerDisk, bool replicates, bool reports)
    {
        VolumeState state = new()
        {
            Role = Role.Primary, Connection = connection, Disk = UpToDate, PeerDisk = peerDisk,
        };

        Assert.Equal(replicates, StateRules.IsReplicating(state));
        Assert.Equal(reports, StateRules.SendsOutOfSync(state, 101));
    }

    [Fact]
    public void Before_protocol_96_the_bitmap_exchange_stops_writes_instead_of_reporting_them()
    {
        VolumeState state =
            new() { Role = Role.Primary, Connection = WFBitMapS, Disk = UpToDate, PeerDisk = Consistent };

        Assert.False(StateRules.SendsOutOfSync(state, 95));
        Assert.False(StateRules.AllowsApplicationIo(state, 95));
        Assert.True(StateRules.AllowsApplicationIo(state, 96));
    }

    [Fact]
    public void Io_waits_for_bitmap_exchange_attach_and_suspension_only()
    {
        VolumeState fine = new() { Role = Role.Primary, Connection = Connected, Disk = UpToDate, PeerDisk = UpToDate };
        foreach (ConnectionState connection in Enum.GetValues<ConnectionState>())
        {
            bool expected = connection is not (WFBitMapT or WFSyncUUID);
            Assert.Equal(expected, StateRules.AllowsApplicationIo(fine with { Connection = connection }, 101));
        }

        Assert.False(StateRules.AllowsApplicationIo(fine with { Disk = Attaching }, 101));
        Assert.False(StateRules.AllowsApplicationIo(fine with { Disk = Negotiating }, 101));
        Assert.True(StateRules.AllowsApplicationIo(fine with { Disk = Diskless }, 101));
        Assert.False(StateRules.AllowsApplicationIo(fine with { Suspended = true }, 101));
        Assert.False(StateRules.AllowsApplicationIo(fine with { SuspendedNoData = true }, 101));
        Assert.False(StateRules.AllowsApplicationIo(fine with { SuspendedFencing = true }, 101));
    }

    [Fact]
    public void Data_are_up_to_date_if_one_disk_is()
    {
        Assert.True(StateRules.HasUpToDateData(new VolumeState { Disk = UpToDate, PeerDisk = DUnknown }));
        Assert.True(StateRules.HasUpToDateData(new VolumeState { Disk = Diskless, PeerDisk = UpToDate }));
        Assert.False(StateRules.HasUpToDateData(new VolumeState { Disk = Consistent, PeerDisk = Inconsistent }));
    }
}
