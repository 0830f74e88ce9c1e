using Xunit;

namespace BlockRepl.Sbd.Tests.Simulation;

public sealed class SimulationTests
{
    /// <summary>SBD_SEEDS=FIRST,COUNT runs others.</summary>
    [Fact]
    public void Nobody_is_taken_for_dead_while_he_lives_and_nobody_dies_without_a_reason()
    {
        var range = (Environment.GetEnvironmentVariable("SBD_SEEDS") ?? "1,1500").Split(',');
        var first = int.Parse(range[0], null);
        var (shots, deaths) = (0, 0);
        for (var seed = first; seed < first + int.Parse(range[1], null); seed++)
        {
            var schedule = Schedule.Run(seed);
            Assert.True(
                schedule.Violations.Count == 0,
                $"seed {seed}:\n{string.Join('\n', schedule.Trace.TakeLast(60).Concat(schedule.Violations))}");
            shots += schedule.Shots;
            deaths += schedule.Deaths;
        }

        Assert.True(shots > 100 && deaths > 100, $"{shots} shots, {deaths} deaths: too little happens");
    }

    /// <summary>
    /// The sender's disk fails just when it looks again whether its reset is still there, and it was wiped out.
    /// </summary>
    [Theory]
    [InlineData(71699)]
    public void A_seed_that_failed_once_is_well(int seed) => Assert.Empty(Schedule.Run(seed).Violations);

    [Theory]
    [InlineData(PlantedBug.SenderDoesNotWait)]
    [InlineData(PlantedBug.SendFailureIgnored)]
    [InlineData(PlantedBug.FeederIgnoresProofs)]
    [InlineData(PlantedBug.OneOfThreeIsEnough)]
    [InlineData(PlantedBug.ServantIgnoresReset)]
    [InlineData(PlantedBug.ProofDatedAtItsEnd)]
    [InlineData(PlantedBug.FeedsTooOldProofs)]
    public void A_planted_bug_is_found(object bug)
    {
        for (var seed = 1; seed <= 30_000; seed++)
        {
            if (Schedule.Run(seed, (PlantedBug)bug).Violations.Count > 0)
            {
                TestContext.Current.TestOutputHelper?.WriteLine($"{bug}: seed {seed}");
                return;
            }
        }

        Assert.Fail($"{bug} was not found");
    }

    [Fact]
    public void A_node_without_devices_that_is_cut_off_is_dead_when_the_others_say_so()
    {
        var (cut, deaths) = (0, 0);
        for (var seed = 1; seed <= 5000; seed++)
        {
            var schedule = ClusterSchedule.Run(seed);
            Assert.True(
                schedule.Violations.Count == 0,
                $"seed {seed}:\n{string.Join('\n', schedule.Trace.Concat(schedule.Violations))}");
            cut += schedule.WasCutWhileUp ? 1 : 0;
            deaths += schedule.IsDead ? 1 : 0;
        }

        Assert.True(cut > 1000 && deaths > cut, $"{cut} cut off, {deaths} deaths: too little happens");
    }

    [Theory]
    [InlineData(PlantedBug.UnhealthyIgnored)]
    [InlineData(PlantedBug.LeftIsMissed)]
    [InlineData(PlantedBug.ProofDatedAtItsEnd)]
    public void A_bug_planted_into_the_cluster_is_found(object bug) => Assert.Contains(
        Enumerable.Range(1, 5000), seed => ClusterSchedule.Run(seed, (PlantedBug)bug).Violations.Count > 0);
}
