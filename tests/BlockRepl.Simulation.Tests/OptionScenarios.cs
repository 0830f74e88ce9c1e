using BlockRepl.Core;
using BlockRepl.Core.Options;
using BlockRepl.Core.Protocol;
using BlockRepl.Core.State;
using BlockRepl.Simulation.Nodes;
using BlockRepl.Simulation.Scenarios;
using Xunit;

namespace BlockRepl.Simulation.Tests;

/// <summary>Options that change under a running pair.</summary>
public sealed class OptionScenarios
{
    [Fact]
    public void A_running_primary_lives_by_its_new_options()
    {
        Scenario s = new Scenario().InSync();
        s.StartWrite(s.A, 800, 65536);
        SetDisk(s, s.A, disk => disk with { Fencing = FencingPolicy.ResourceAndStonith });
        s.Until(() => s.A.FrontEnd.RunningCount == 0, "the write under way is answered");
        s.A.HandlerExitCode = handler => handler == HandlerKind.FencePeer ? 1 : 0;
        s.LinkDown().UntilApart(s.A);
        bool written = false;
        s.A.FrontEnd.Submit(RequestKind.Write, 0, 0, 4096, false, _ => written = true);
        s.Wait(20 * Duration.Second);
        Assert.False(written, "written without the peer although there is fencing now");
        s.LinkUp().Until(() => written, "the write is answered").UntilInSync().ReadAll(s.A);
    }

    [Fact]
    public void A_new_rate_of_resync_counts_on_both_nodes_at_once()
    {
        ResyncOptions slow = new() { PlanAheadDeciseconds = 0, RateKiBPerSecond = 250 };
        Scenario s = new Scenario(new SimOptions { Disk = new DiskOptions { Resync = slow } }).InSync().LinkDown();
        s.UntilApart(s.A).UntilApart(s.B).WriteEverywhere(s.A, 5000).LinkUp();
        s.UntilConnection(s.B, ConnectionState.SyncTarget).Wait(10 * Duration.Second);
        Assert.True(s.B.Status[0].OutOfSyncKiB > 10_000, "250 KiB/s would have taken 80 s");
        SetDisk(s, s.A, disk => disk with { Resync = slow with { RateKiBPerSecond = 20_000 } });
        s.Wait(5 * Duration.Second);
        Assert.Equal(ConnectionState.Connected, s.B.Status[0].Connection);
        s.UntilInSync();
    }

    [Fact]
    public void What_was_agreed_on_changes_with_the_connection_only()
    {
        Scenario s = new Scenario().InSync();
        ResourceOptions Wanted(SimNode node)
        {
            ResourceOptions now = s.Cluster.Options.Resource(node.Index);
            return now with { Net = now.Net with { Protocol = ReplicationProtocol.B } };
        }

        Assert.Equal(ErrorNumber.NetConfigured, s.Try(s.A, new AdminCommand.SetOptions(Wanted(s.A))).Code);
        s.WriteEverywhere(s.A, 10);
        Assert.Equal(ReplicationProtocol.C, s.A.Status[0].Protocol);
        s.Disconnect(s.A).Disconnect(s.B);
        s.Do(s.A, new AdminCommand.SetOptions(Wanted(s.A))).Do(s.B, new AdminCommand.SetOptions(Wanted(s.B)));
        s.WriteEverywhere(s.A, 20).Connect(s.A).Connect(s.B).UntilInSync().ReadAll(s.A);
        Assert.Equal(ReplicationProtocol.B, s.A.Status[0].Protocol);
        Assert.Equal(Role.Primary, s.A.Status[0].Role);
    }

    [Fact]
    public void What_attaching_settles_is_refused_while_a_disk_is_attached()
    {
        Scenario s = new Scenario().InSync();
        AdminCommand.SetOptions more = new(WithDisk(s, s.B, disk => disk with { ActivityLogExtents = 67 }));
        Assert.Equal(ErrorNumber.DiskConfigured, s.Try(s.B, more).Code);
        s.Detach(s.B).Do(s.B, more).Attach(s.B).UntilInSync();
    }

    private static void SetDisk(Scenario s, SimNode node, Func<DiskOptions, DiskOptions> change) =>
        s.Do(node, new AdminCommand.SetOptions(WithDisk(s, node, change)));

    private static ResourceOptions WithDisk(Scenario s, SimNode node, Func<DiskOptions, DiskOptions> change)
    {
        ResourceOptions now = s.Cluster.Options.Resource(node.Index);
        return now with { Volumes = [.. now.Volumes.Select(v => v with { Disk = change(v.Disk) })] };
    }
}
