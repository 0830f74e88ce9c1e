using BlockRepl.Core;
using BlockRepl.Core.Options;
using BlockRepl.Core.State;
using BlockRepl.Simulation.Checks;
using BlockRepl.Simulation.Nodes;
using BlockRepl.Simulation.Scenarios;
using Xunit;

namespace BlockRepl.Simulation.Tests;

/// <summary>What becomes of a node without its peer is decided by what the fence-peer handler finds out.</summary>
public sealed class FencingScenarios
{
    private readonly List<HandlerKind> _called = [];

    [Theory]
    [InlineData(3, 0, DiskState.UpToDate)]
    [InlineData(4, 0, DiskState.UpToDate)]
    [InlineData(5, 0, DiskState.UpToDate)]
    [InlineData(7, 0, DiskState.UpToDate)]
    [InlineData(1, -7, DiskState.UpToDate)]
    [InlineData(6, -2, DiskState.Outdated)]
    public void A_secondary_is_promoted_if_the_handler_says_that_the_peer_is_out(int answer, int code, DiskState disk)
    {
        Scenario s = Fenced(FencingPolicy.ResourceOnly).InSync();
        Answer(s.B, answer);
        s.WriteEverywhere(s.A, 30).PowerLoss(s.A).UntilApart(s.B);
        CommandResult result = s.Try(s.B, new AdminCommand.SetRole(true, false));
        Assert.Equal(code == 0, result.Succeeded);
        Assert.True(code == 0 || result.Code == code, $"{result.Code} {result.Message}");
        Assert.Equal([HandlerKind.FencePeer], _called);
        s.Until(() => s.B.Status[0].Disk == disk, $"the disk is {disk}");
        if (code == 0)
        {
            s.ReadAll(s.B).WriteEverywhere(s.B, 10).Restart(s.A).UntilInSync();
            Assert.Equal([HandlerKind.FencePeer, HandlerKind.UnfencePeer], _called);
        }
    }

    /// <summary>
    /// Both lose their power, and one comes back alone: of its disk it only knows that it is consistent.
    /// </summary>
    [Theory]
    [InlineData(4, true)]
    [InlineData(7, true)]
    [InlineData(5, false)]
    [InlineData(1, false)]
    public void A_consistent_disk_is_good_if_the_peer_is_known_to_be_out(int answer, bool promoted)
    {
        Scenario s = Fenced(FencingPolicy.ResourceOnly, volumes: 2).InSync();
        s.Write(s.A, 0, 4096).Flush(s.A).Demote(s.A).PowerLoss(s.A).PowerLoss(s.B);
        Answer(s.B, answer);
        s.Restart(s.B);
        Assert.All(s.B.Status, volume => Assert.Equal(DiskState.Consistent, volume.Disk));
        CommandResult result = s.Try(s.B, new AdminCommand.SetRole(true, false));
        Assert.Equal(promoted, result.Succeeded);
        Assert.Equal([HandlerKind.FencePeer], _called);
        if (!promoted)
        {
            Assert.Equal(-2, result.Code);
            s.Restart(s.A).UntilInSync();
            return;
        }

        Assert.All(s.B.Status, volume => Assert.Equal(DiskState.UpToDate, volume.Disk));
        s.ReadAll(s.B).WriteEverywhere(s.B, 10).Restart(s.A).UntilInSync();
        Assert.Equal([HandlerKind.FencePeer, HandlerKind.UnfencePeer], _called);
    }

    /// <summary>
    /// The handler lies, or is late: the peer was Primary all the time and is back before it answers.
    /// </summary>
    [Fact]
    public void Whoever_asks_for_a_peer_that_comes_back_does_not_become_primary_beside_it()
    {
        Scenario s = Fenced(FencingPolicy.ResourceOnly).InSync();
        Answer(s.A, 1);
        Answer(s.B, 7);
        s.B.FencePeerNs = 5 * Duration.Second;
        s.LinkDown().UntilApart(s.A).UntilApart(s.B).WriteEverywhere(s.A, 20);
        CommandResult? answer = null;
        s.B.Command(new AdminCommand.SetRole(true, false), result => answer = result);
        s.Until(() => _called.Contains(HandlerKind.FencePeer), "the handler runs").LinkUp().UntilInSync();
        s.Until(() => answer is not null, "the promotion is answered");
        Assert.False(answer!.Value.Succeeded);
        Assert.Equal(DiskState.UpToDate, s.B.Status[0].Disk);
        s.ReadAll(s.A);
    }

    /// <summary>See the comment at ResourceCore.FencePeer.</summary>
    [Fact]
    public void What_a_handler_says_of_an_earlier_loss_is_void()
    {
        Scenario s = Fenced(FencingPolicy.ResourceOnly).InSync();
        Answer(s.A, 4);
        s.A.FencePeerNs = 60 * Duration.Second;
        s.LinkDown().UntilApart(s.A).UntilApart(s.B).LinkUp().UntilInSync();
        Answer(s.A, 1);
        s.LinkDown().UntilApart(s.A).UntilApart(s.B).Wait(70 * Duration.Second);
        Assert.Equal(2, _called.Count(handler => handler == HandlerKind.FencePeer));
        Assert.Equal(DiskState.DUnknown, s.A.Status[0].PeerDisk);
    }

    [Theory]
    [InlineData(7, true)]
    [InlineData(1, false)]
    public void With_stonith_a_primary_answers_no_write_before_its_peer_is_out(int answer, bool goesOn)
    {
        Scenario s = Fenced(FencingPolicy.ResourceAndStonith).InSync();
        Answer(s.A, answer);
        s.A.FencePeerNs = 3 * Duration.Second;
        s.LinkDown().UntilApart(s.A);
        bool written = false;
        s.A.FrontEnd.Submit(RequestKind.Write, 0, 0, 4096, false, _ => written = true);
        s.Wait(2 * Duration.Second);
        Assert.False(written, "a write was answered before the handler");
        VolumeStatus waiting = s.A.Status[0];
        Assert.Equal(
            (false, false, true), (waiting.SuspendedByUser, waiting.SuspendedNoData, waiting.SuspendedFencing));
        s.Wait(2 * Duration.Second);
        Assert.Equal(goesOn, written);
        Assert.Equal(goesOn ? DiskState.Outdated : DiskState.DUnknown, s.A.Status[0].PeerDisk);
        s.LinkUp().Until(() => written, "the write is answered").UntilInSync().ReadAll(s.A);
    }

    [Fact]
    public void Without_fencing_no_handler_runs()
    {
        Scenario s = Fenced(FencingPolicy.DontCare).InSync();
        Answer(s.A, 1);
        Answer(s.B, 1);
        s.LinkDown().UntilApart(s.A).UntilApart(s.B).WriteEverywhere(s.A, 10).LinkUp().UntilInSync();
        s.PowerLoss(s.A).UntilApart(s.B).Promote(s.B);
        Assert.DoesNotContain(HandlerKind.FencePeer, _called);
        Assert.DoesNotContain(HandlerKind.UnfencePeer, _called);
    }

    private static Scenario Fenced(FencingPolicy policy, int volumes = 1) =>
        new(new SimOptions { Volumes = volumes, Disk = new DiskOptions { Fencing = policy } });

    /// <summary>From now on fence-peer exits with this code; every call of the two handlers is noted.</summary>
    private void Answer(SimNode node, int exitCode) => node.HandlerExitCode = handler =>
    {
        if (handler is HandlerKind.FencePeer or HandlerKind.UnfencePeer)
        {
            _called.Add(handler);
        }

        return handler == HandlerKind.FencePeer ? exitCode : 0;
    };
}
