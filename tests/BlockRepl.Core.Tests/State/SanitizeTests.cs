using BlockRepl.Core.Options;
using BlockRepl.Core.State;
using Xunit;
using static BlockRepl.Core.State.ConnectionState;
using static BlockRepl.Core.State.DiskState;

namespace BlockRepl.Core.Tests.State;

public sealed class SanitizeTests
{
    private static readonly RuleContext Plain = new() { AgreedVersion = 101, HasNetConfig = true };

    private static VolumeState S(
        ConnectionState connection,
        DiskState disk,
        DiskState peerDisk,
        Role role = Role.Secondary,
        Role peerRole = Role.Secondary) =>
        new() { Role = role, PeerRole = peerRole, Connection = connection, Disk = disk, PeerDisk = peerDisk };

    private static VolumeState Sanitize(VolumeState wanted) => StateRules.Sanitize(wanted, wanted, Plain, out _);

    [Theory]
    [InlineData(UpToDate, DUnknown)]
    [InlineData(Consistent, DUnknown)]
    [InlineData(Diskless, DUnknown)]
    [InlineData(Failed, DUnknown)]
    [InlineData(Negotiating, DUnknown)]
    [InlineData(Inconsistent, Inconsistent)]
    [InlineData(Outdated, Outdated)]
    [InlineData(DUnknown, DUnknown)]
    public void Without_connection_only_a_bad_peer_disk_is_remembered(DiskState peerDisk, DiskState expected)
    {
        VolumeState wanted = S(WFConnection, UpToDate, peerDisk, peerRole: Role.Primary) with { PausedByPeer = true };

        VolumeState s = Sanitize(wanted);

        Assert.Equal(expected, s.PeerDisk);
        Assert.Equal(Role.Unknown, s.PeerRole);
        Assert.False(s.PausedByPeer);
    }

    [Fact]
    public void WFReportParams_still_knows_nothing_of_the_peer() =>
        Assert.Equal(Role.Unknown, Sanitize(S(WFReportParams, UpToDate, UpToDate)).PeerRole);

    [Fact]
    public void An_unused_volume_waits_for_no_other()
    {
        VolumeState unused = VolumeState.Initial with { PausedByDependency = true };

        Assert.False(Sanitize(unused).PausedByDependency);
        Assert.True(Sanitize(unused with { Disk = UpToDate }).PausedByDependency);
        Assert.True(Sanitize(unused with { Role = Role.Primary }).PausedByDependency);
    }

    [Theory]
    [InlineData(SyncSource, UpToDate, Diskless)]
    [InlineData(SyncTarget, Failed, UpToDate)]
    [InlineData(VerifyS, Attaching, UpToDate)]
    [InlineData(WFBitMapT, UpToDate, Failed)]
    public void A_lost_disk_ends_resync_and_verify(ConnectionState connection, DiskState disk, DiskState peerDisk)
    {
        VolumeState wanted = S(connection, disk, peerDisk);

        VolumeState s = StateRules.Sanitize(wanted, wanted, Plain, out bool aborted);

        Assert.True(aborted);
        Assert.Equal(Connected, s.Connection);
        Assert.Equal(disk, s.Disk);
        Assert.Equal(peerDisk, s.PeerDisk);
    }

    [Fact]
    public void Negotiating_disks_do_not_end_a_resync()
    {
        VolumeState wanted = S(WFBitMapT, Negotiating, UpToDate);

        VolumeState s = StateRules.Sanitize(wanted, wanted, Plain, out bool aborted);

        Assert.False(aborted);
        Assert.Equal(Inconsistent, s.Disk);
    }

    [Fact]
    public void A_broken_negotiation_keeps_a_disk_with_the_exposed_data()
    {
        VolumeState wanted = S(NetworkFailure, Negotiating, UpToDate);
        RuleContext c = Plain with
        {
            ExposedUuidMatchesDisk = true, NegotiatedDisk = UpToDate, NegotiatedPeerDisk = Outdated,
        };

        VolumeState s = StateRules.Sanitize(wanted, wanted, c, out _);

        Assert.Equal((UpToDate, Outdated), (s.Disk, s.PeerDisk));
    }

    [Fact]
    public void A_broken_negotiation_drops_a_disk_with_other_data()
    {
        VolumeState s = Sanitize(S(NetworkFailure, Negotiating, Outdated));

        Assert.Equal((Diskless, DUnknown), (s.Disk, s.PeerDisk));
    }

    [Theory]
    [InlineData(Consistent, Outdated)]
    [InlineData(Outdated, Consistent)]
    public void Connected_nodes_with_equal_data_are_UpToDate(DiskState disk, DiskState peerDisk)
    {
        VolumeState s = Sanitize(S(Connected, disk, peerDisk));

        Assert.Equal((UpToDate, UpToDate), (s.Disk, s.PeerDisk));
    }

    [Fact]
    public void Behind_keeps_Outdated() => Assert.Equal(Outdated, Sanitize(S(Behind, Outdated, UpToDate)).Disk);

    [Theory]
    [InlineData(StartingSyncS, Inconsistent, UpToDate, UpToDate, Consistent)]
    [InlineData(WFBitMapS, UpToDate, UpToDate, UpToDate, Consistent)]
    [InlineData(WFBitMapS, UpToDate, Inconsistent, UpToDate, Inconsistent)]
    [InlineData(Ahead, UpToDate, UpToDate, UpToDate, Consistent)]
    [InlineData(Ahead, UpToDate, Inconsistent, UpToDate, Inconsistent)]
    [InlineData(StartingSyncT, UpToDate, Inconsistent, Outdated, UpToDate)]
    [InlineData(WFBitMapT, UpToDate, UpToDate, Outdated, UpToDate)]
    [InlineData(WFBitMapT, Inconsistent, UpToDate, Inconsistent, UpToDate)]
    [InlineData(WFSyncUUID, UpToDate, UpToDate, Outdated, UpToDate)]
    [InlineData(Behind, UpToDate, UpToDate, Outdated, UpToDate)]
    [InlineData(SyncSource, UpToDate, UpToDate, UpToDate, Inconsistent)]
    [InlineData(SyncTarget, UpToDate, UpToDate, Inconsistent, UpToDate)]
    [InlineData(VerifyS, UpToDate, Inconsistent, UpToDate, UpToDate)]
    [InlineData(VerifyT, Inconsistent, UpToDate, UpToDate, UpToDate)]
    public void A_connection_state_has_its_range_of_disk_states(
        ConnectionState connection, DiskState disk, DiskState peerDisk, DiskState expected, DiskState expectedPeer)
    {
        VolumeState s = Sanitize(S(connection, disk, peerDisk));

        Assert.Equal((connection, expected, expectedPeer), (s.Connection, s.Disk, s.PeerDisk));
    }

    [Theory]
    [InlineData(PausedSyncS, UpToDate, UpToDate, UpToDate, Consistent)]
    [InlineData(PausedSyncT, UpToDate, UpToDate, Outdated, UpToDate)]
    public void Paused_resyncs_have_the_range_of_the_bitmap_exchange(
        ConnectionState connection, DiskState disk, DiskState peerDisk, DiskState expected, DiskState expectedPeer)
    {
        VolumeState s = Sanitize(S(connection, disk, peerDisk) with { PausedByUser = true });

        Assert.Equal((connection, expected, expectedPeer), (s.Connection, s.Disk, s.PeerDisk));
    }

    [Theory]
    [InlineData(SyncSource, PausedSyncS)]
    [InlineData(SyncTarget, PausedSyncT)]
    [InlineData(WFBitMapS, WFBitMapS)]
    [InlineData(VerifyS, VerifyS)]
    public void Any_pause_flag_pauses_a_resync_and_only_that(ConnectionState running, ConnectionState paused)
    {
        bool source = running is SyncSource or WFBitMapS;
        VolumeState s = S(running, source ? UpToDate : Inconsistent, source ? Inconsistent : UpToDate);

        Assert.Equal(paused, Sanitize(s with { PausedByUser = true }).Connection);
        Assert.Equal(paused, Sanitize(s with { PausedByPeer = true }).Connection);
        Assert.Equal(paused, Sanitize(s with { PausedByDependency = true }).Connection);
        Assert.Equal(running, Sanitize(s with { Connection = paused }).Connection);
    }

    [Fact]
    public void Losing_the_peer_with_stonith_freezes_a_Primary_once()
    {
        RuleContext c = Plain with { Fencing = FencingPolicy.ResourceAndStonith };
        VolumeState connected = S(Connected, UpToDate, UpToDate, Role.Primary);
        VolumeState lost = connected with { Connection = NetworkFailure };

        VolumeState s = StateRules.Sanitize(connected, lost, c, out _);
        Assert.True(s.SuspendedFencing);

        VolumeState thawed = s with { SuspendedFencing = false };
        Assert.False(StateRules.Sanitize(s, thawed, c, out _).SuspendedFencing);
    }

    [Theory]
    [InlineData(FencingPolicy.ResourceOnly, Role.Primary, UpToDate, UpToDate)]
    [InlineData(FencingPolicy.DontCare, Role.Primary, UpToDate, UpToDate)]
    [InlineData(FencingPolicy.ResourceAndStonith, Role.Secondary, UpToDate, UpToDate)]
    [InlineData(FencingPolicy.ResourceAndStonith, Role.Primary, Outdated, UpToDate)]
    [InlineData(FencingPolicy.ResourceAndStonith, Role.Primary, UpToDate, Diskless)]
    public void Others_are_not_frozen(FencingPolicy fencing, Role role, DiskState peerDisk, DiskState disk)
    {
        RuleContext c = Plain with { Fencing = fencing };
        VolumeState old = S(Connected, disk, peerDisk, role);

        VolumeState s = StateRules.Sanitize(old, old with { Connection = NetworkFailure }, c, out _);

        Assert.False(s.SuspendedFencing);
    }

    [Fact]
    public void A_Primary_that_loses_its_last_data_is_suspended_if_so_configured()
    {
        RuleContext c = Plain with { OnNoData = OnNoData.SuspendIo };
        VolumeState old = S(Connected, Diskless, UpToDate, Role.Primary);
        VolumeState lost = old with { Connection = NetworkFailure };

        Assert.True(StateRules.Sanitize(old, lost, c, out _).SuspendedNoData);
        Assert.False(StateRules.Sanitize(old, lost, Plain, out _).SuspendedNoData);
        VolumeState secondary = old with { Role = Role.Secondary };
        Assert.False(
            StateRules.Sanitize(secondary, secondary with { Connection = NetworkFailure }, c, out _).SuspendedNoData);
    }

    [Fact]
    public void Without_data_before_nothing_is_suspended_anew()
    {
        RuleContext c = Plain with { OnNoData = OnNoData.SuspendIo };
        VolumeState old = S(WFConnection, Diskless, DUnknown, Role.Primary);

        Assert.False(StateRules.Sanitize(old, old with { Connection = Unconnected }, c, out _).SuspendedNoData);
    }

    [Fact]
    public void A_sanitised_state_stays_as_it_is()
    {
        foreach (VolumeState wanted in AllStates())
        {
            VolumeState once = Sanitize(wanted);

            // The order of the steps is fixed, so the end of a pause or of a negotiation, which comes late in it, has
            // its own implications only next time.
            bool endsLate = once.Connection != wanted.Connection || wanted.Disk == Negotiating;
            VolumeState settled = endsLate ? Sanitize(once) : once;
            Assert.Equal(settled, StateRules.Sanitize(settled, settled, Plain, out bool aborted));
            Assert.False(aborted);
        }
    }

    private static IEnumerable<VolumeState> AllStates()
    {
        for (uint word = 0; word < 1u << 21; word++)
        {
            bool pauseVariant = (word >> 17) is 0 or 2 or 4 or 8;
            if (pauseVariant && VolumeState.IsWellFormed(word))
            {
                VolumeState s = VolumeState.FromWord(word);
                if (s.Role != Role.Unknown && s.Disk != DUnknown)
                {
                    yield return s;
                }
            }
        }
    }
}
