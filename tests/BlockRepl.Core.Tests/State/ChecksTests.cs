using BlockRepl.Core.Options;
using BlockRepl.Core.State;
using Xunit;
using static BlockRepl.Core.State.ConnectionState;
using static BlockRepl.Core.State.DiskState;

namespace BlockRepl.Core.Tests.State;

public sealed class ChecksTests
{
    private static readonly RuleContext Plain = new()
    {
        AgreedVersion = 101, HasNetConfig = true, HasVerifyAlgorithm = true,
    };

    private static VolumeState S(
        ConnectionState connection,
        DiskState disk = UpToDate,
        DiskState peerDisk = UpToDate,
        Role role = Role.Secondary,
        Role peerRole = Role.Secondary) =>
        new() { Role = role, PeerRole = peerRole, Connection = connection, Disk = disk, PeerDisk = peerDisk };

    // ---- A ----

    [Theory]
    [InlineData(Connected, Connected, StateChangeResult.NothingToDo)]
    [InlineData(StandAlone, Disconnecting, StateChangeResult.AlreadyStandAlone)]
    [InlineData(StandAlone, WFConnection, StateChangeResult.NeedConnection)]
    [InlineData(StandAlone, Unconnected, StateChangeResult.Success)]
    [InlineData(WFConnection, Connected, StateChangeResult.NeedConnection)]
    [InlineData(Unconnected, SyncSource, StateChangeResult.NeedConnection)]
    [InlineData(WFReportParams, Connected, StateChangeResult.Success)]
    [InlineData(ConnectionState.Timeout, WFConnection, StateChangeResult.InTransientState)]
    [InlineData(TearDown, NetworkFailure, StateChangeResult.InTransientState)]
    [InlineData(BrokenPipe, Unconnected, StateChangeResult.Success)]
    [InlineData(ProtocolError, Disconnecting, StateChangeResult.Success)]
    [InlineData(NetworkFailure, Connected, StateChangeResult.NeedConnection)]
    [InlineData(Disconnecting, Unconnected, StateChangeResult.InTransientState)]
    [InlineData(Disconnecting, StandAlone, StateChangeResult.Success)]
    [InlineData(Connected, NetworkFailure, StateChangeResult.Success)]
    public void Some_connection_states_do_not_follow_each_other(
        ConnectionState from, ConnectionState to, StateChangeResult expected) =>
        Assert.Equal(expected, StateRules.CheckTransition(S(from), S(to)));

    [Fact]
    public void A_disk_that_is_gone_cannot_fail() =>
        Assert.Equal(
            StateChangeResult.IsDiskless,
            StateRules.CheckTransition(S(StandAlone, Diskless), S(Disconnecting, Failed)));

    [Fact]
    public void Facts_are_checked_for_the_transition_only()
    {
        VolumeState old = S(Connected, UpToDate, UpToDate, Role.Primary);
        VolumeState bad = S(Connected, Failed, Failed, Role.Primary, Role.Primary);

        Assert.Equal(StateChangeResult.Success, StateRules.Check(old, bad, Plain, hard: true));
        Assert.Equal(StateChangeResult.TwoPrimaries, StateRules.Check(old, bad, Plain, hard: false));
        Assert.Equal(
            StateChangeResult.NeedConnection,
            StateRules.Check(S(WFConnection), S(Connected), Plain, hard: true));
        Assert.Equal(StateChangeResult.NothingToDo, StateRules.Check(old, old, Plain, hard: true));
    }

    // ---- B: a state that is refused, and its neighbour that is not ----

    public static TheoryData<int, VolumeState, StateChangeResult, VolumeState> Validity => new()
    {
        {
            1, S(Connected, role: Role.Primary, peerRole: Role.Primary), StateChangeResult.TwoPrimaries,
            S(Connected, role: Role.Primary)
        },
        {
            4, S(WFConnection, Consistent, DUnknown, Role.Primary), StateChangeResult.NoUpToDateDisk,
            S(WFConnection, UpToDate, DUnknown, Role.Primary)
        },
        {
            6, S(Connected, Inconsistent, Inconsistent, Role.Primary), StateChangeResult.NoUpToDateDisk,
            S(Connected, Inconsistent, UpToDate, Role.Primary)
        },
        { 7, S(SyncTarget, Negotiating), StateChangeResult.NoLocalDisk, S(SyncTarget, Inconsistent) },
        {
            8, S(SyncSource, UpToDate, Negotiating), StateChangeResult.NoRemoteDisk,
            S(SyncSource, UpToDate, Inconsistent)
        },
        { 9, S(WFBitMapT, Outdated, Consistent), StateChangeResult.NoUpToDateDisk, S(WFBitMapT, Outdated) },
        { 10, S(Connected, Outdated), StateChangeResult.ConnectedOutdates, S(Behind, Outdated) },
        { 10, S(WFBitMapS, Outdated), StateChangeResult.ConnectedOutdates, S(WFBitMapT, Outdated) },
        { 10, S(SyncSource, Outdated), StateChangeResult.ConnectedOutdates, S(SyncSource) },
        { 10, S(PausedSyncS, Outdated), StateChangeResult.ConnectedOutdates, S(PausedSyncT, Outdated) },
        {
            13, S(Connected, Consistent, Outdated, Role.Primary), StateChangeResult.NoUpToDateDisk,
            S(Connected, Consistent, UpToDate, Role.Primary)
        },
        { 14, S(StartingSyncS, UpToDate, DUnknown), StateChangeResult.NeedConnection, S(StartingSyncS) },
        { 14, S(StartingSyncT, UpToDate, DUnknown), StateChangeResult.NeedConnection, S(StartingSyncT) },
        {
            15, S(Connected, UpToDate, DUnknown), StateChangeResult.ConnectedOutdates,
            S(WFReportParams, UpToDate, DUnknown)
        },
    };

    [Theory]
    [MemberData(nameof(Validity), DisableDiscoveryEnumeration = true)]
    public void Some_states_may_not_be(int row, VolumeState refused, StateChangeResult expected, VolumeState allowed)
    {
        Assert.InRange(row, 1, 15);
        Assert.Equal(expected, StateRules.CheckState(refused, Plain));
        Assert.Equal(StateChangeResult.Success, StateRules.CheckState(allowed, Plain));
    }

    [Fact]
    public void Two_primaries_may_be_if_allowed()
    {
        VolumeState both = S(Connected, role: Role.Primary, peerRole: Role.Primary);

        Assert.Equal(StateChangeResult.Success, StateRules.CheckState(both, Plain with { AllowTwoPrimaries = true }));
        Assert.Equal(StateChangeResult.Success, StateRules.CheckState(both, Plain with { HasNetConfig = false }));
    }

    [Fact]
    public void The_peer_may_not_be_Primary_in_another_volume()
    {
        RuleContext c = Plain with { OtherVolumePeerPrimary = true };

        Assert.Equal(
            StateChangeResult.OtherVolumePeerPrimary, StateRules.CheckState(S(Connected, role: Role.Primary), c));
        Assert.Equal(StateChangeResult.Success, StateRules.CheckState(S(Connected), c));
    }

    [Fact]
    public void An_open_device_stays_Primary()
    {
        RuleContext c = Plain with { DeviceOpen = true };

        Assert.Equal(StateChangeResult.DeviceInUse, StateRules.CheckState(S(Connected), c));
        Assert.Equal(StateChangeResult.Success, StateRules.CheckState(S(Connected, role: Role.Primary), c));
    }

    [Theory]
    [InlineData(FencingPolicy.DontCare, DUnknown, StateChangeResult.Success)]
    [InlineData(FencingPolicy.ResourceOnly, DUnknown, StateChangeResult.PrimaryNotOutdatedPeer)]
    [InlineData(FencingPolicy.ResourceAndStonith, DUnknown, StateChangeResult.PrimaryNotOutdatedPeer)]
    [InlineData(FencingPolicy.ResourceOnly, Outdated, StateChangeResult.Success)]
    [InlineData(FencingPolicy.ResourceOnly, Inconsistent, StateChangeResult.Success)]
    public void With_fencing_a_lone_Primary_knows_that_the_peer_is_outdated(
        FencingPolicy fencing, DiskState peerDisk, StateChangeResult expected)
    {
        RuleContext c = Plain with { Fencing = fencing };

        Assert.Equal(expected, StateRules.CheckState(S(WFConnection, UpToDate, peerDisk, Role.Primary), c));
    }

    [Fact]
    public void The_fencing_policy_counts_only_with_a_disk()
    {
        RuleContext c = Plain with { Fencing = FencingPolicy.ResourceOnly };
        VolumeState old = S(WFConnection, Attaching, DUnknown);
        VolumeState wanted = S(WFConnection, UpToDate, DUnknown, Role.Primary);

        Assert.Equal(StateChangeResult.Success, StateRules.Check(old, wanted, c, hard: false));
        Assert.Equal(
            StateChangeResult.PrimaryNotOutdatedPeer,
            StateRules.Check(old with { Disk = UpToDate }, wanted, c, hard: false));
    }

    [Theory]
    [InlineData(VerifyS)]
    [InlineData(VerifyT)]
    public void Verify_needs_an_algorithm_and_protocol_88(ConnectionState verify)
    {
        Assert.Equal(
            StateChangeResult.NoVerifyAlgorithm,
            StateRules.CheckState(S(verify), Plain with { HasVerifyAlgorithm = false, AgreedVersion = 87 }));
        Assert.Equal(
            StateChangeResult.NotSupported, StateRules.CheckState(S(verify), Plain with { AgreedVersion = 87 }));
        Assert.Equal(StateChangeResult.Success, StateRules.CheckState(S(verify), Plain with { AgreedVersion = 88 }));
    }

    [Fact]
    public void The_first_violation_decides()
    {
        // Rows 1, 4 and 13 hold.
        VolumeState s = S(WFConnection, Inconsistent, DUnknown, Role.Primary, Role.Primary);

        Assert.Equal(StateChangeResult.TwoPrimaries, StateRules.CheckState(s, Plain));
    }

    [Fact]
    public void A_state_that_is_bad_already_may_change_if_it_stays_bad_in_the_same_way()
    {
        VolumeState bad = S(WFConnection, Consistent, DUnknown, Role.Primary);
        VolumeState other = bad with { PausedByUser = true };
        VolumeState worse = S(Connected, UpToDate, UpToDate, Role.Primary, Role.Primary);

        Assert.Equal(StateChangeResult.Success, StateRules.Check(bad, other, Plain, hard: false));
        Assert.Equal(
            StateChangeResult.TwoPrimaries,
            StateRules.Check(bad with { Connection = WFReportParams }, worse, Plain, hard: false));
    }

    [Fact]
    public void A_bad_state_that_may_stay_bad_still_passes_the_soft_check()
    {
        VolumeState bad = S(WFConnection, Consistent, DUnknown, Role.Primary);
        RuleContext c = Plain with { HandshakeRunning = true };

        Assert.Equal(
            StateChangeResult.InTransientState,
            StateRules.Check(bad, bad with { PausedByUser = true }, c, hard: false));
    }

    // ---- C ----

    public static TheoryData<int, VolumeState, VolumeState, StateChangeResult> Soft => new()
    {
        { 1, S(SyncSource), S(StartingSyncS), StateChangeResult.ResyncRunning },
        { 1, S(VerifyT), S(StartingSyncT), StateChangeResult.ResyncRunning },
        { 2, S(StandAlone), S(Disconnecting), StateChangeResult.AlreadyStandAlone },
        { 3, S(StandAlone, Diskless), S(StandAlone, Inconsistent), StateChangeResult.IsDiskless },
        { 4, S(StandAlone), S(WFConnection), StateChangeResult.NoNetConfig },
        { 4, S(Disconnecting), S(WFConnection), StateChangeResult.NoNetConfig },
        { 5, S(StandAlone, Inconsistent), S(StandAlone, Outdated), StateChangeResult.LowerThanOutdated },
        { 6, S(Unconnected), S(Disconnecting), StateChangeResult.InTransientState },
        {
            8, S(Connected, Inconsistent), S(Connected, Inconsistent, role: Role.Primary),
            StateChangeResult.InTransientState
        },
        {
            8, S(WFBitMapT, Outdated), S(WFSyncUUID, Outdated, role: Role.Primary),
            StateChangeResult.InTransientState
        },
        {
            8, S(WFSyncUUID, Outdated), S(SyncTarget, Inconsistent, role: Role.Primary),
            StateChangeResult.InTransientState
        },
        { 9, S(WFConnection), S(VerifyS), StateChangeResult.NeedConnection },
        { 10, S(SyncSource), S(VerifyS), StateChangeResult.ResyncRunning },
        { 10, S(VerifyS), S(VerifyT), StateChangeResult.ResyncRunning },
        { 11, S(WFReportParams), S(StartingSyncS), StateChangeResult.NeedConnection },
        { 12, S(WFConnection), S(SyncTarget), StateChangeResult.NeedConnection },
        { 12, S(WFConnection), S(SyncSource), StateChangeResult.NeedConnection },
        {
            13, S(WFConnection, UpToDate, DUnknown), S(Disconnecting, UpToDate, Outdated),
            StateChangeResult.OutdateWithoutConnection
        },
        // neighbours that are fine
        { 1, S(Connected), S(StartingSyncS), StateChangeResult.Success },
        { 3, S(StandAlone, Diskless), S(StandAlone, Attaching), StateChangeResult.Success },
        { 4, S(Unconnected), S(WFConnection), StateChangeResult.Success },
        { 5, S(StandAlone, Attaching), S(StandAlone, Outdated), StateChangeResult.Success },
        { 5, S(StandAlone, Consistent), S(StandAlone, Outdated), StateChangeResult.Success },
        { 6, S(WFConnection), S(Disconnecting), StateChangeResult.Success },
        { 8, S(Connected, Diskless), S(Connected, Diskless, role: Role.Primary), StateChangeResult.Success },
        { 8, S(SyncTarget, Inconsistent), S(SyncTarget, Inconsistent, role: Role.Primary), StateChangeResult.Success },
        { 9, S(Connected), S(VerifyS), StateChangeResult.Success },
        { 10, S(VerifyS), S(VerifyS, role: Role.Primary), StateChangeResult.Success },
        { 12, S(WFReportParams), S(SyncTarget), StateChangeResult.Success },
        { 13, S(Connected), S(Disconnecting, UpToDate, Outdated), StateChangeResult.Success },
        {
            13, S(WFConnection, UpToDate, Outdated), S(Disconnecting, UpToDate, Outdated), StateChangeResult.Success
        },
    };

    [Theory]
    [MemberData(nameof(Soft), DisableDiscoveryEnumeration = true)]
    public void Some_wishes_must_wait_or_are_refused(
        int row, VolumeState old, VolumeState wanted, StateChangeResult expected)
    {
        Assert.InRange(row, 1, 13);
        Assert.Equal(expected, StateRules.CheckSoftTransition(old, wanted, Plain));
    }

    [Theory]
    [InlineData(WFConnection, WFReportParams, StateChangeResult.Success)]
    [InlineData(WFReportParams, Connected, StateChangeResult.Success)]
    [InlineData(WFReportParams, WFBitMapT, StateChangeResult.Success)]
    [InlineData(WFReportParams, Disconnecting, StateChangeResult.InTransientState)]
    [InlineData(Connected, Disconnecting, StateChangeResult.InTransientState)]
    public void While_the_handshake_runs_only_its_own_steps_are_taken(
        ConnectionState from, ConnectionState to, StateChangeResult expected) =>
        Assert.Equal(
            expected, StateRules.CheckSoftTransition(S(from), S(to), Plain with { HandshakeRunning = true }));

    [Theory]
    [InlineData(Inconsistent, Inconsistent)]
    [InlineData(Inconsistent, UpToDate)]
    [InlineData(UpToDate, Inconsistent)]
    public void Verify_does_not_lift_a_bad_disk(DiskState disk, DiskState peerDisk)
    {
        VolumeState old = S(Connected, disk, peerDisk);
        foreach (ConnectionState verify in new[] { VerifyS, VerifyT })
        {
            VolumeState wanted = StateRules.Sanitize(old, old with { Connection = verify }, Plain, out _);
            Assert.Equal(StateChangeResult.NoUpToDateDisk, StateRules.Check(old, wanted, Plain, hard: false));
        }
    }

    [Fact]
    public void The_last_condition_decides()
    {
        // Rows 2 and 7: the later one wins.
        Assert.Equal(
            StateChangeResult.InTransientState,
            StateRules.CheckSoftTransition(
                S(StandAlone), S(Disconnecting), Plain with { HandshakeRunning = true }));

        // Rows 7 and 13.
        Assert.Equal(
            StateChangeResult.OutdateWithoutConnection,
            StateRules.CheckSoftTransition(
                S(WFReportParams, UpToDate, DUnknown),
                S(Disconnecting, UpToDate, Outdated),
                Plain with { HandshakeRunning = true }));
    }

    // ---- asking the peer ----

    public static TheoryData<VolumeState, VolumeState, bool> Consent => new()
    {
        { S(Connected), S(Connected, role: Role.Primary), true },
        { S(Connected, role: Role.Primary), S(Connected), false },
        { S(WFConnection), S(WFConnection, role: Role.Primary), false },
        { S(Connected), S(StartingSyncS), true },
        { S(Connected), S(StartingSyncT), true },
        { S(StartingSyncT), S(StartingSyncT, role: Role.Secondary), false },
        { S(Connected), S(Connected, Failed), true },
        { S(Connected, Failed), S(Connected, Failed, role: Role.Primary), true },
        { S(WFConnection), S(WFConnection, Failed), false },
        { S(Connected), S(Disconnecting), true },
        { S(SyncTarget), S(Disconnecting), true },
        { S(WFReportParams), S(Disconnecting), false },
        { S(Connected), S(VerifyS), true },
        { S(Connected), S(VerifyT), false },
        { S(Connected), S(WFReportParams), true },
        { S(SyncSource), S(WFReportParams), false },
        { S(Connected), S(NetworkFailure), false },
    };

    [Theory]
    [MemberData(nameof(Consent), DisableDiscoveryEnumeration = true)]
    public void Some_changes_need_the_peers_consent(VolumeState old, VolumeState wanted, bool expected) =>
        Assert.Equal(expected, StateRules.NeedsPeer(old, wanted));
}
