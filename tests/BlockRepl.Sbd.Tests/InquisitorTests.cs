using Xunit;

namespace BlockRepl.Sbd.Tests;

public sealed class InquisitorTests
{
    private const long Second = 1_000_000_000;

    [Theory]
    [InlineData(1, 0, false)]
    [InlineData(1, 1, true)]
    [InlineData(2, 0, false)]
    [InlineData(2, 1, true)]
    [InlineData(3, 1, false)]
    [InlineData(3, 2, true)]
    [InlineData(3, 3, true)]
    public void A_majority_of_devices_wins_and_one_of_two_is_enough(int devices, int alive, bool wins)
    {
        var inquisitor = New(Enumerable.Repeat(InputKind.Disk, devices));
        for (var i = 0; i < alive; i++)
        {
            inquisitor.OnAlive(devices - 1 - i, 10 * Second);
        }

        var verdict = inquisitor.Judge(11 * Second);
        Assert.Equal((wins, wins), (verdict.MayArm, verdict.FeedUntilNs > 11 * Second));
        Assert.Equal(alive, inquisitor.CountHealthy(InputKind.Disk, 11 * Second));
    }

    [Fact]
    public void The_vote_ends_when_the_device_runs_out_that_makes_the_majority()
    {
        var inquisitor = New([InputKind.Disk, InputKind.Disk, InputKind.Disk]);
        inquisitor.OnAlive(0, 10 * Second);
        inquisitor.OnAlive(1, 12 * Second);
        inquisitor.OnAlive(2, 11 * Second);
        Assert.Equal(15 * Second, inquisitor.Judge(13 * Second).FeedUntilNs);
    }

    [Theory]
    [InlineData(false, true, true, true, false)]
    [InlineData(false, true, false, false, false)]
    [InlineData(true, true, true, true, true)]
    [InlineData(true, false, false, true, true)]
    [InlineData(false, false, false, false, false)]
    public void Without_a_majority_a_node_lives_on_while_all_of_the_cluster_is_healthy(
        bool disk, bool pacemaker, bool cluster, bool feeds, bool mayArm)
    {
        var inquisitor = New([InputKind.Disk, InputKind.Pacemaker, InputKind.Cluster]);
        Report(inquisitor, disk, pacemaker, cluster);
        var verdict = inquisitor.Judge(Second);
        Assert.Equal((feeds, mayArm), (verdict.FeedUntilNs > Second, verdict.MayArm));
    }

    [Fact]
    public void A_cluster_that_is_needed_is_so_from_its_first_health_on_until_it_leaves()
    {
        var inquisitor = new Inquisitor(
            new InquisitorOptions([InputKind.Disk, InputKind.Cluster], 4 * Second, 5 * Second, NeedCluster: true), 0);
        inquisitor.OnAlive(0, 100 * Second);
        Assert.True(Feeds(inquisitor, 101));
        inquisitor.OnAlive(1, 100 * Second);
        Assert.True(Feeds(inquisitor, 101));
        inquisitor.OnUnhealthy(1);
        Assert.False(Feeds(inquisitor, 102));
        inquisitor.OnLeft(1);
        Assert.True(Feeds(inquisitor, 102));
    }

    [Fact]
    public void Without_devices_all_of_the_cluster_is_needed_once_it_was_healthy()
    {
        var inquisitor = New([InputKind.Pacemaker, InputKind.Cluster]);
        Assert.False(Feeds(inquisitor, 1));
        inquisitor.OnAlive(1, Second);
        Assert.True(Feeds(inquisitor, 1));
        inquisitor.OnAlive(0, Second);
        Assert.True(Feeds(inquisitor, 1));
        inquisitor.OnUnhealthy(0);
        Assert.False(Feeds(inquisitor, 1));
    }

    [Theory]
    [InlineData(5, false)]
    [InlineData(6, true)]
    public void A_start_fails_when_the_vote_is_not_won_in_time(long seconds, bool fails)
    {
        var inquisitor = New([InputKind.Disk]);
        Assert.Equal(fails, inquisitor.Judge(seconds * Second).StartFailed);
        inquisitor.OnArmed();
        Assert.False(inquisitor.Judge(100 * Second).StartFailed);
    }

    [Fact]
    public void A_start_waits_while_the_cluster_alone_is_healthy_and_without_devices_as_long_as_it_takes()
    {
        var withDisk = New([InputKind.Disk, InputKind.Cluster]);
        withDisk.OnAlive(1, 6 * Second);
        Assert.False(withDisk.Judge(9 * Second).StartFailed);
        Assert.False(withDisk.Judge(14 * Second).StartFailed);
        Assert.True(withDisk.Judge(15 * Second).StartFailed);
        Assert.False(New([InputKind.Pacemaker]).Judge(1000 * Second).StartFailed);
    }

    [Fact]
    public void An_older_proof_does_not_take_the_place_of_a_newer()
    {
        var inquisitor = New([InputKind.Disk]);
        inquisitor.OnAlive(0, 10 * Second);
        inquisitor.OnAlive(0, 9 * Second);
        Assert.Equal(14 * Second, inquisitor.Judge(10 * Second).FeedUntilNs);
    }

    [Fact]
    public void A_servant_that_ends_at_once_is_restarted_once_and_then_after_a_while()
    {
        var inquisitor = New([InputKind.Disk]);
        Assert.Equal(-1, inquisitor.TakeRestart(0));
        inquisitor.OnEnded(0);
        Assert.Equal(0, inquisitor.TakeRestart(10 * Second));
        inquisitor.OnEnded(0);
        Assert.Equal(-1, inquisitor.TakeRestart(15 * Second));
        Assert.Equal(0, inquisitor.TakeRestart(15 * Second + 1));
        inquisitor.OnEnded(0);
        Assert.Equal(-1, inquisitor.TakeRestart(16 * Second));
        inquisitor.ForgetRestarts();
        Assert.Equal(0, inquisitor.TakeRestart(16 * Second));
    }

    [Theory]
    [InlineData(4.0, 14, 10, 5, FeedingStep.Feed)]
    [InlineData(4.0, 10, 10, 5, FeedingStep.Hold)]
    [InlineData(4.0, 14, 5, 5, FeedingStep.Hold)]
    [InlineData(5.1, 14, 10, 5, FeedingStep.Hold)]
    [InlineData(5.6, 14, 10, 5, FeedingStep.EndNode)]
    public void The_watchdog_is_fed_for_proofs_only_and_is_the_first_to_bite(
        double fedAgo, long voteUntil, long turn, long turnLimit, FeedingStep expected) =>
        Assert.Equal(
            expected,
            FeedingRule.Decide(
                10 * Second, (long)((10 - fedAgo) * Second), 5 * Second, voteUntil * Second, turn * Second,
                turnLimit * Second));

    private static void Report(Inquisitor inquisitor, params bool[] healthy)
    {
        for (var i = 0; i < healthy.Length; i++)
        {
            if (healthy[i])
            {
                inquisitor.OnAlive(i, 0);
            }
        }
    }

    private static bool Feeds(Inquisitor inquisitor, long second) =>
        inquisitor.Judge(second * Second).FeedUntilNs > second * Second;

    private static Inquisitor New(IEnumerable<InputKind> inputs) =>
        new(new InquisitorOptions([.. inputs], 4 * Second, 5 * Second), 0);
}
