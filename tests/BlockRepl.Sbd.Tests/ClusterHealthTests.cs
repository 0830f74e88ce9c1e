using Xunit;

namespace BlockRepl.Sbd.Tests;

public sealed class ClusterHealthTests
{
    private static readonly PacemakerNode Good = new(
        HasController: true, HasQuorum: true, KeepsRunningWithoutQuorum: true, IsOnline: true, IsUnclean: false,
        IsPending: false);

    [Theory]
    [InlineData(PacemakerdState.Starting, 0, Health.Unknown)]
    [InlineData(PacemakerdState.WaitingForPing, 0, Health.Unknown)]
    [InlineData(PacemakerdState.Running, 0, Health.Healthy)]
    [InlineData(PacemakerdState.Running, 4, Health.Healthy)]
    [InlineData(PacemakerdState.Running, 5, Health.Unknown)]
    [InlineData(PacemakerdState.ShuttingDown, 0, Health.Healthy)]
    [InlineData(PacemakerdState.ShutDown, 0, Health.Left)]
    public void Pacemakerd_must_run_and_have_looked_at_its_daemons_lately(
        PacemakerdState state, long age, Health expected) =>
        Assert.Equal(expected, new PacemakerJudge(true, 5).Judge(state, age, Good).Health);

    [Fact]
    public void A_shutdown_is_told_once_and_the_next_start_is_a_new_one()
    {
        var judge = new PacemakerJudge(false, 5);
        Assert.Equal(Health.Healthy, judge.Judge(PacemakerdState.Running, 0, Good).Health);
        Assert.Equal(Health.Left, judge.Judge(PacemakerdState.ShutDown, 0, null).Health);
        Assert.Equal(Health.Unknown, judge.Judge(PacemakerdState.ShutDown, 0, null).Health);
        Assert.Equal(
            Health.Healthy, judge.Judge(PacemakerdState.Running, 0, Good with { HasQuorum = false }).Health);
        Assert.Equal(Health.Left, judge.Judge(PacemakerdState.ShutDown, 0, null).Health);
    }

    [Fact]
    public void What_cannot_be_read_says_nothing() => Assert.Equal(
        Health.Unknown, new PacemakerJudge(true, 5).Judge(PacemakerdState.Running, 0, null).Health);

    [Theory]
    [InlineData("no DC", Health.Unknown)]
    [InlineData("no DC, offline", Health.Unknown)]
    [InlineData("offline", Health.Unhealthy)]
    [InlineData("unclean", Health.Unhealthy)]
    [InlineData("unclean, offline", Health.Unhealthy)]
    [InlineData("pending", Health.Unknown)]
    [InlineData("no quorum", Health.Unhealthy)]
    [InlineData("", Health.Healthy)]
    public void The_node_must_be_online_in_a_partition_with_quorum(string what, Health expected) =>
        Assert.Equal(expected, new PacemakerJudge(true, 5).Judge(PacemakerdState.Running, 0, Node(what)).Health);

    [Theory]
    [InlineData(false, true, Health.Healthy)]
    [InlineData(false, false, Health.Healthy)]
    [InlineData(true, true, Health.Unknown)]
    [InlineData(true, false, Health.Unhealthy)]
    public void Without_devices_a_loss_of_quorum_counts_as_the_cluster_says(
        bool hadQuorum, bool keepsRunning, Health expected)
    {
        var judge = new PacemakerJudge(hasDisks: false, 5);
        if (hadQuorum)
        {
            judge.Judge(PacemakerdState.Running, 0, Good);
        }

        var lost = Good with { HasQuorum = false, KeepsRunningWithoutQuorum = keepsRunning };
        Assert.Equal(expected, judge.Judge(PacemakerdState.Running, 0, lost).Health);
    }

    [Fact]
    public void A_node_that_is_leaving_may_be_offline() => Assert.Equal(
        Health.Unknown, new PacemakerJudge(false, 5).Judge(PacemakerdState.ShuttingDown, 0, Node("offline")).Health);

    [Theory]
    [InlineData(false, "1", Health.Healthy)]
    [InlineData(false, "2 1", Health.Healthy)]
    [InlineData(true, "1", Health.Healthy)]
    [InlineData(true, "2", Health.Healthy)]
    [InlineData(true, "2 1", Health.Unhealthy)]
    [InlineData(true, "2 1 2", Health.Healthy)]
    [InlineData(false, "0", Health.Unhealthy)]
    public void Of_two_nodes_neither_lives_without_the_other_once_it_was_seen(
        bool isTwoNode, string members, Health expected)
    {
        var judge = new CorosyncJudge(5);
        var last = default(HealthVerdict);
        foreach (var count in members.Split(' '))
        {
            last = judge.Judge(new CorosyncView(int.Parse(count, null), isTwoNode, 0));
        }

        Assert.Equal(expected, last.Health);
    }

    [Theory]
    [InlineData(5000, Health.Healthy)]
    [InlineData(5001, Health.Unhealthy)]
    public void A_quorum_device_must_not_be_waited_for_longer_than_the_watchdog(long milliseconds, Health expected) =>
        Assert.Equal(expected, new CorosyncJudge(5).Judge(new CorosyncView(3, false, milliseconds)).Health);

    private static PacemakerNode Node(string what) => new(
        HasController: !what.Contains("no DC", StringComparison.Ordinal),
        HasQuorum: !what.Contains("no quorum", StringComparison.Ordinal),
        KeepsRunningWithoutQuorum: true,
        IsOnline: !what.Contains("offline", StringComparison.Ordinal),
        IsUnclean: what.Contains("unclean", StringComparison.Ordinal),
        IsPending: what.Contains("pending", StringComparison.Ordinal));
}
