using BlockRepl.Core;
using BlockRepl.Core.Options;
using BlockRepl.Core.State;
using BlockRepl.Simulation.Disk;
using BlockRepl.Simulation.Scenarios;
using Xunit;

namespace BlockRepl.Simulation.Tests;

/// <summary>
/// The Primary's disk stops answering; with a disk-timeout the application goes on with the peer's copy.
/// </summary>
public sealed class DiskTimeoutScenarios
{
    private static readonly SimOptions Options = new() { Disk = new DiskOptions { DiskTimeoutDeciseconds = 10 } };

    [Fact]
    public void Writes_and_flushes_are_answered_by_the_peer_after_the_timeout()
    {
        Scenario s = new Scenario(Options).InSync();
        long before = s.Cluster.Queue.NowNs;
        Stall(s, 30 * Duration.Second);
        s.Write(s.A, 800, 4096).Flush(s.A).ReadAll(s.A);
        Assert.InRange(s.Cluster.Queue.NowNs - before, 1 * Duration.Second, 5 * Duration.Second);
        Assert.Equal(DiskState.Failed, s.A.Status[0].Disk);
    }

    [Fact]
    public void The_disk_comes_back_with_a_resync_of_what_it_missed()
    {
        Scenario s = new Scenario(Options).InSync();
        Stall(s, 3 * Duration.Second);
        s.Write(s.A, 800, 4096).WriteEverywhere(s.A, 30);
        s.Until(() => s.A.Status[0].Disk == DiskState.Diskless, "the stalled write has ended");
        s.A.Volumes[0].Data.Faults.Clear();
        s.Attach(s.A).UntilInSync().ReadAll(s.A);
    }

    [Fact]
    public void Without_a_timeout_the_write_waits()
    {
        Scenario s = new Scenario().InSync();
        Stall(s, 30 * Duration.Second);
        s.StartWrite(s.A, 800, 4096).Wait(20 * Duration.Second);
        Assert.Equal(1, s.A.FrontEnd.RunningCount);
        s.Until(() => s.A.FrontEnd.RunningCount == 0, "the write is answered at last");
    }

    [Fact]
    public void A_forced_detach_lets_the_stalled_write_go_on_with_the_peer()
    {
        Scenario s = new Scenario().InSync();
        Stall(s, 30 * Duration.Second);
        s.StartWrite(s.A, 800, 4096).Wait(Duration.Second);
        s.A.Command(new AdminCommand.Detach(0, true));
        s.Wait(Duration.Second);
        Assert.Equal(0, s.A.FrontEnd.RunningCount);
    }

    /// <summary>Only the data area: the extent of what is written is hot already.</summary>
    private static void Stall(Scenario s, long ns)
    {
        s.Write(s.A, 0, 512);
        s.A.Volumes[0].Data.Faults.Add(new DiskFault(DiskFaultKind.Stall) { EndByte = 20 << 20, StallNs = ns });
    }
}
