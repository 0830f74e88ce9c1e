using BlockRepl.Core.State;
using Xunit;

namespace BlockRepl.Core.Tests.State;

public sealed class StateRequestTests
{
    public static TheoryData<string, StateRequest, uint, uint> Requests => new()
    {
        { nameof(StateRequest.BecomePrimary), StateRequest.BecomePrimary, 0x00000003, 0x00000001 },
        { nameof(StateRequest.ForcePrimary), StateRequest.ForcePrimary, 0x00001e03, 0x00001001 },
        { nameof(StateRequest.StartingSyncT), StateRequest.StartingSyncT, 0x000001f0, 0x000000c0 },
        { nameof(StateRequest.StartingSyncS), StateRequest.StartingSyncS, 0x000001f0, 0x000000b0 },
        { nameof(StateRequest.VerifyS), StateRequest.VerifyS, 0x000001f0, 0x00000120 },
        { nameof(StateRequest.DetachFailed), StateRequest.DetachFailed, 0x00001e00, 0x00000400 },
        { nameof(StateRequest.Disconnect), StateRequest.Disconnect, 0x000001f0, 0x00000010 },
        { nameof(StateRequest.DisconnectPeerOutdated), StateRequest.DisconnectPeerOutdated, 0x0001e1f0, 0x0000a010 },
        { nameof(StateRequest.DisconnectOwnOutdated), StateRequest.DisconnectOwnOutdated, 0x00001ff0, 0x00000a10 },
    };

    [Theory]
    [MemberData(nameof(Requests), DisableDiscoveryEnumeration = true)]
    public void A_named_request_has_the_mask_and_value_of_the_protocol(
        string name, StateRequest request, uint mask, uint value)
    {
        Assert.NotEmpty(name);
        Assert.Equal(mask, request.Mask);
        Assert.Equal(value, request.Value);
    }

    [Fact]
    public void Applying_changes_only_the_fields_of_the_mask()
    {
        VolumeState state = VolumeState.FromWord(0x000110a6);

        VolumeState after = StateRequest.ForcePrimary.Apply(state);

        Assert.Equal(state with { Role = Role.Primary, Disk = DiskState.UpToDate }, after);
    }

    [Fact]
    public void The_peers_promotion_becomes_the_peer_role()
    {
        StateRequest seen = StateRequest.ForcePrimary.TranslateFromPeer();

        VolumeState after = seen.Apply(VolumeState.FromWord(0x000088aa));

        Assert.Equal(Role.Primary, after.PeerRole);
        Assert.Equal(DiskState.UpToDate, after.PeerDisk);
        Assert.Equal(Role.Secondary, after.Role);
    }

    [Theory]
    [InlineData(ConnectionState.StartingSyncS, ConnectionState.StartingSyncT)]
    [InlineData(ConnectionState.StartingSyncT, ConnectionState.StartingSyncS)]
    [InlineData(ConnectionState.VerifyS, ConnectionState.VerifyT)]
    [InlineData(ConnectionState.Disconnecting, ConnectionState.TearDown)]
    [InlineData(ConnectionState.WFReportParams, ConnectionState.WFReportParams)]
    [InlineData(ConnectionState.Connected, ConnectionState.Connected)]
    [InlineData(ConnectionState.SyncSource, ConnectionState.StandAlone)]
    [InlineData(ConnectionState.VerifyT, ConnectionState.StandAlone)]
    [InlineData(ConnectionState.TearDown, ConnectionState.StandAlone)]
    public void The_peers_connection_is_mirrored(ConnectionState asked, ConnectionState seen)
    {
        StateRequest request = StateRequest.Conn(asked).TranslateFromPeer();

        Assert.Equal(0x000001f0u, request.Mask);
        Assert.Equal(seen, request.Apply(default).Connection);
    }

    [Theory]
    [InlineData(0x040000u)]
    [InlineData(0x100000u)]
    [InlineData(0x140000u)]
    public void Any_pause_of_the_peer_is_paused_by_peer(uint flags)
    {
        StateRequest request = new StateRequest(flags, flags).TranslateFromPeer();

        Assert.Equal(new StateRequest(0x080000, 0x080000), request);
    }

    [Fact]
    public void Suspend_flags_of_the_peer_mean_nothing_here() =>
        Assert.Equal(default, new StateRequest(0x620000, 0x620000).TranslateFromPeer());

    [Fact]
    public void Disks_are_swapped()
    {
        StateRequest request = StateRequest.DisconnectPeerOutdated.TranslateFromPeer();

        Assert.Equal(0x00001ff0u, request.Mask);
        Assert.Equal(DiskState.Outdated, request.Apply(default).Disk);
        Assert.Equal(ConnectionState.TearDown, request.Apply(default).Connection);
    }
}
