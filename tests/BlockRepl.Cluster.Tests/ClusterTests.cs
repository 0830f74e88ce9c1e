using BlockRepl.Nodes;
using Xunit;

namespace BlockRepl.Cluster.Tests;

/// <summary>
/// The article's cluster, its mistakes corrected, with Debian's corosync and Pacemaker and DRBD's own resource agent,
/// byte for byte: the service survives whatever happens to one node, and so does every write that was acknowledged.
/// </summary>
public sealed class ClusterTests
{
    [Fact]
    public void The_service_and_its_data_survive_what_happens_to_one_node()
    {
        using var cluster = new Cluster();
        Step("start");
        cluster.Start();
        ClusterNode active = cluster.WaitUntilWhole();
        cluster.StartApplication(active);

        Step("crm resource move");
        active = Move(cluster, active);

        Step("the Primary's daemon is killed, and comes back");
        KillDaemon(active);
        cluster.WaitForWrites(cluster.Acknowledged);
        Assert.Same(active, cluster.WaitUntilWhole());

        Step("the replication link is cut");
        CutReplication(cluster, active);

        Step("the Primary is killed");
        active.Kill();
        active = TakeOver(cluster, active);

        Step("the disks are compared");
        active.Run("drbdadm", "verify", "r0").OrThrow();
        cluster.WaitFor("verify is done", () => Cluster.ReplicationOf(active) == "Connected Primary UpToDate UpToDate");
        Assert.Contains("oos:0", active.Run("blockrepl", "status", "r0").OrThrow().Output, StringComparison.Ordinal);
    }

    /// <summary>Nothing on the node can be demoted or stopped any more: it is shot.</summary>
    [Fact]
    [Trait("Time", "Long")]
    public void A_node_whose_daemon_stays_dead_is_fenced_and_the_other_one_serves()
    {
        using var cluster = new Cluster();
        Step("start");
        cluster.Start();
        ClusterNode active = cluster.WaitUntilWhole();
        cluster.StartApplication(active);

        Step("the Primary's daemon is killed, and does not come back");
        active.Run("touch", "/run/masked").OrThrow();
        KillDaemon(active);
        active.WaitForEnd(240);
        TakeOver(cluster, active);
    }

    private static ClusterNode Move(Cluster cluster, ClusterNode active)
    {
        ClusterNode target = cluster.Other(active);
        active.Run("crm", "resource", "move", "g_r0", target.Name).OrThrow();
        cluster.WaitUntilWhole(target);
        cluster.CheckData(target);
        target.Run("crm", "resource", "clear", "g_r0").OrThrow();
        cluster.StartApplication(target);
        return target;
    }

    /// <summary>The other node is not shot: it only cannot take over any more, until it has what was written.</summary>
    private static void CutReplication(Cluster cluster, ClusterNode active)
    {
        ClusterNode other = cluster.Other(active);
        cluster.SetReplicationCable(other, plugged: false);
        cluster.WaitFor("the other node may not be promoted", cluster.HasFenceConstraint);
        cluster.WaitFor(
            "the Primary goes on alone",
            () => Cluster.ReplicationOf(active) == "WFConnection Primary UpToDate Outdated");
        cluster.WaitForWrites(cluster.Acknowledged);
        Assert.True(other.IsRunning);
        cluster.SetReplicationCable(other, plugged: true);
        Assert.Same(active, cluster.WaitUntilWhole());
        cluster.CheckData(active);
    }

    /// <summary>The other node serves what the dead one had, then the dead one comes back as its Secondary.</summary>
    private static ClusterNode TakeOver(Cluster cluster, ClusterNode dead)
    {
        ClusterNode active = cluster.WaitForService(cluster.Other(dead));
        cluster.CheckData(active);
        cluster.StartApplication(active);
        cluster.Boot(dead);
        cluster.WaitUntilWhole(active);
        return active;
    }

    private static void KillDaemon(ClusterNode node) => node.Shell("kill -KILL $(pidof blockrepld)").OrThrow();

    private static void Step(string name) =>
        Console.WriteLine($"{DateTime.UtcNow:HH:mm:ss} {name}");
}
