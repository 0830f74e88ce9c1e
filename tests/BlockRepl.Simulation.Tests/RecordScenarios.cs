using BlockRepl.Core.Options;
using BlockRepl.Core.Protocol;
using BlockRepl.Simulation.Net;
using BlockRepl.Simulation.Scenarios;
using Xunit;

namespace BlockRepl.Simulation.Tests;

/// <summary>
/// A Primary's process is killed and another takes its place: what is marked for the resync, and that it is enough (the
/// checkers compare the disks).
/// </summary>
public sealed class RecordScenarios
{
    /// <summary>The meta data take the place of the last one.</summary>
    private const int Extents = 8;
    private const ulong KiBPerExtent = 4096;

    [Fact]
    public void Nothing_is_marked_when_no_write_was_under_way()
    {
        Scenario s = InSync();
        s.WriteEverywhere(s.A, Extents).Flush(s.A).Kill(s.A).Up(s.A);
        Assert.Equal(0UL, s.A.Status[0].OutOfSyncKiB);
        s.Connect(s.A).UntilInSync();
    }

    [Fact]
    public void The_writes_under_way_are_marked_and_nothing_else()
    {
        Scenario s = InSync();
        s.WriteEverywhere(s.A, Extents).Flush(s.A);
        s.StartWrite(s.A, 8, 4096).StartWrite(s.A, 40_000, 8192).Wait(20 * Duration.Microsecond);
        s.Kill(s.A).Up(s.A);
        Assert.Equal(12UL, s.A.Status[0].OutOfSyncKiB);
        s.Connect(s.A).UntilInSync();
    }

    [Fact]
    public void Answered_writes_of_an_epoch_that_the_peer_did_not_confirm_are_marked()
    {
        Scenario s = InSync();
        s.Write(s.A, 8, 4096).Kill(s.A).PowerLoss(s.B).Up(s.A);
        Assert.Equal(4UL, s.A.Status[0].OutOfSyncKiB);
        s.Connect(s.A).Restart(s.B).UntilInSync();
    }

    [Fact]
    public void After_a_power_failure_the_activity_log_counts()
    {
        Scenario s = InSync();
        s.WriteEverywhere(s.A, Extents).Flush(s.A).PowerLoss(s.A).Up(s.A);
        Assert.Equal((Extents - 1) * KiBPerExtent, s.A.Status[0].OutOfSyncKiB);
        s.Connect(s.A).UntilInSync();
    }

    [Fact]
    public void Marks_that_were_in_memory_only_are_found_by_way_of_the_activity_log()
    {
        Scenario s = InSync();
        s.Disconnect(s.B).UntilApart(s.A).Write(s.A, 8, 4096).Kill(s.A).Up(s.A);
        Assert.Equal(KiBPerExtent, s.A.Status[0].OutOfSyncKiB);
        s.Connect(s.A).Connect(s.B).UntilInSync();
    }

    [Fact]
    public void A_process_that_ends_for_its_successor_leaves_nothing_to_resynchronise()
    {
        Scenario s = InSync();
        s.WriteEverywhere(s.A, Extents).StartWrite(s.A, 8, 4096).StartWrite(s.A, 40_000, 8192);
        s.Wait(20 * Duration.Microsecond).StartWrite(s.A, 800, 4096).Do(s.A, new Core.AdminCommand.Quiesce());
        Assert.InRange(s.A.FrontEnd.RunningCount, 0, 1);
        s.StartWrite(s.A, 1600, 4096).Wait(50 * Duration.Millisecond);
        Assert.InRange(s.A.FrontEnd.RunningCount, 1, 2);
        s.Kill(s.A).Up(s.A);
        Assert.Equal(0UL, s.A.Status[0].OutOfSyncKiB);
        s.Connect(s.A).UntilInSync();
    }

    [Fact]
    public void So_does_one_whose_peer_was_away_with_what_the_peer_lacks()
    {
        Scenario s = InSync();
        s.Disconnect(s.B).UntilApart(s.A).Write(s.A, 8, 4096).Do(s.A, new Core.AdminCommand.Quiesce());
        s.Kill(s.A).Up(s.A);
        Assert.Equal(4UL, s.A.Status[0].OutOfSyncKiB);
        s.Connect(s.A).Connect(s.B).UntilInSync();
    }

    [Fact]
    public void A_second_kill_in_the_middle_of_the_attach_loses_nothing()
    {
        for (int ms = 0; ms < 12; ms++)
        {
            Scenario s = InSync();
            s.StartWrite(s.A, 8, 4096).StartWrite(s.A, 40_000, 8192).Wait(20 * Duration.Microsecond).Kill(s.A);
            s.A.Start();
            s.A.Command(new Core.AdminCommand.Attach(0, s.A.Volume(0).Facts));
            s.Wait(ms * 50 * Duration.Microsecond).Kill(s.A).Up(s.A);
            Assert.InRange(s.A.Status[0].OutOfSyncKiB, 12UL, 2 * KiBPerExtent);
            s.Connect(s.A).UntilInSync();
        }
    }

    private static Scenario InSync() => new Scenario(new SimOptions
    {
        DeviceBytes = Extents * (long)KiBPerExtent << 10,
        Net = new NetOptions { Protocol = ReplicationProtocol.C },
        Network = new NetworkSettings { MaxLatencyNs = 100 * Duration.Microsecond },
        MaxDiskLatencyNs = 100 * Duration.Microsecond,
    }).InSync();
}
