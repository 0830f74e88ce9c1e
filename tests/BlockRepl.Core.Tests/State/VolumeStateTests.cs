using BlockRepl.Core.State;
using Xunit;
using static BlockRepl.Core.State.ConnectionState;
using static BlockRepl.Core.State.DiskState;

namespace BlockRepl.Core.Tests.State;

public sealed class VolumeStateTests
{
    [Theory]
    [InlineData(Role.Secondary, Role.Unknown, WFConnection, UpToDate, DUnknown, 0x0000d082u)]
    [InlineData(Role.Primary, Role.Unknown, WFConnection, UpToDate, DUnknown, 0x0000d081u)]
    [InlineData(Role.Secondary, Role.Primary, Connected, UpToDate, UpToDate, 0x000110a6u)]
    [InlineData(Role.Primary, Role.Secondary, Connected, UpToDate, UpToDate, 0x000110a9u)]
    [InlineData(Role.Primary, Role.Secondary, WFBitMapS, UpToDate, Consistent, 0x0000f0d9u)]
    [InlineData(Role.Secondary, Role.Primary, WFBitMapT, Outdated, UpToDate, 0x00010ae6u)]
    [InlineData(Role.Secondary, Role.Primary, WFBitMapT, Inconsistent, UpToDate, 0x000108e6u)]
    [InlineData(Role.Secondary, Role.Primary, SyncTarget, Inconsistent, UpToDate, 0x00010916u)]
    [InlineData(Role.Primary, Role.Secondary, SyncSource, UpToDate, Inconsistent, 0x00009109u)]
    [InlineData(Role.Primary, Role.Secondary, Ahead, UpToDate, Consistent, 0x0000f169u)]
    [InlineData(Role.Primary, Role.Secondary, Ahead, UpToDate, Inconsistent, 0x00009169u)]
    [InlineData(Role.Secondary, Role.Secondary, VerifyS, UpToDate, UpToDate, 0x0001112au)]
    [InlineData(Role.Primary, Role.Secondary, Connected, Diskless, UpToDate, 0x000100a9u)]
    public void A_state_becomes_the_word_that_the_kernel_sends(
        Role role, Role peer, ConnectionState connection, DiskState disk, DiskState peerDisk, uint word)
    {
        VolumeState state = new()
        {
            Role = role, PeerRole = peer, Connection = connection, Disk = disk, PeerDisk = peerDisk,
        };

        Assert.Equal(word, state.ToWord());
        Assert.Equal(state, VolumeState.FromWord(word));
        Assert.True(VolumeState.IsWellFormed(word));
    }

    [Fact]
    public void A_resync_paused_by_the_user_has_bit_20()
    {
        VolumeState state = VolumeState.FromWord(0x00110956);

        Assert.Equal(PausedSyncT, state.Connection);
        Assert.True(state.PausedByUser);
        Assert.True(state.IsPaused);
        Assert.Equal(0x00110956u, state.ToWord());
    }

    [Fact]
    public void Every_flag_has_its_own_bit()
    {
        Assert.Equal(0x020000u, (default(VolumeState) with { Suspended = true }).ToWord());
        Assert.Equal(0x040000u, (default(VolumeState) with { PausedByDependency = true }).ToWord());
        Assert.Equal(0x080000u, (default(VolumeState) with { PausedByPeer = true }).ToWord());
        Assert.Equal(0x100000u, (default(VolumeState) with { PausedByUser = true }).ToWord());
        Assert.Equal(0x200000u, (default(VolumeState) with { SuspendedNoData = true }).ToWord());
        Assert.Equal(0x400000u, (default(VolumeState) with { SuspendedFencing = true }).ToWord());
    }

    [Fact]
    public void All_low_23_bits_survive_the_way_there_and_back()
    {
        for (uint word = 0; word < 1u << 23; word += 61)
        {
            Assert.Equal(word, VolumeState.FromWord(word).ToWord());
        }
    }

    [Theory]
    [InlineData(0x00800000u)] // a bit without a meaning
    [InlineData(0x00000003u)] // role 3
    [InlineData(0x0000000cu)] // peer role 3
    [InlineData(24u << 4)]
    [InlineData(9u << 9)]
    [InlineData(9u << 13)]
    public void A_word_with_a_nameless_value_is_not_well_formed(uint word) =>
        Assert.False(VolumeState.IsWellFormed(word));

    [Fact]
    public void A_state_reads_as_operators_know_it()
    {
        VolumeState state = VolumeState.FromWord(0x000110a6);

        Assert.Equal("Secondary/Primary Connected UpToDate/UpToDate", state.ToString());
        Assert.Equal(
            "Secondary/Primary Connected UpToDate/UpToDate susp susp_nod susp_fen aftr_isp peer_isp user_isp",
            (state with
            {
                Suspended = true,
                SuspendedNoData = true,
                SuspendedFencing = true,
                PausedByDependency = true,
                PausedByPeer = true,
                PausedByUser = true,
            }).ToString());
    }

    [Fact]
    public void A_new_volume_is_a_Secondary_without_disk_and_network() =>
        Assert.Equal("Secondary/Unknown StandAlone Diskless/DUnknown", VolumeState.Initial.ToString());
}
