using BlockRepl.Simulation.Net;
using BlockRepl.Simulation.Planted;
using BlockRepl.Simulation.Runs;
using BlockRepl.Simulation.Scenarios;
using Xunit;

namespace BlockRepl.Simulation.Tests;

/// <summary>Random runs: those that once found something, and a range of others.</summary>
public sealed class SeedTests
{
    private const int FreshSeeds = 60;

    [Fact]
    public void Seeds_that_once_failed_pass()
    {
        ulong[] seeds =
        [
            .. File.ReadLines(Path.Combine(AppContext.BaseDirectory, "seeds.txt"))
                .Select(line => line.Split('#')[0].Trim())
                .Where(line => line.Length > 0)
                .Select(ulong.Parse),
        ];
        AssertAllPass(seeds);
    }

    [Fact]
    public void A_range_of_seeds_passes() => AssertAllPass([.. Enumerable.Range(1, FreshSeeds).Select(i => (ulong)i)]);

    private static void AssertAllPass(ulong[] seeds)
    {
        List<string> failures = [];
        Parallel.ForEach(seeds, new ParallelOptions { MaxDegreeOfParallelism = 2 }, seed =>
        {
            RunReport report = new RandomRun(seed).Run();
            if (report.Failure is not null)
            {
                lock (failures)
                {
                    failures.Add($"{RandomRun.Describe(report)}\n    replay: tools/sim --seed {seed}");
                }
            }
        });
        Assert.True(failures.Count == 0, string.Join('\n', failures.Order()));
    }
}

/// <summary>Nothing in a run comes from outside of its seed.</summary>
public sealed class DeterminismTests
{
    [Theory]
    [InlineData(3UL)]
    [InlineData(17UL)]
    [InlineData(101UL)]
    public void The_same_seed_gives_the_same_run(ulong seed)
    {
        RunReport first = new RandomRun(seed).Run();
        RunReport second = new RandomRun(seed).Run();
        Assert.Equal(first.TraceHash, second.TraceHash);
        Assert.Equal(first.Steps, second.Steps);
        Assert.NotEqual(first.TraceHash, new RandomRun(seed + 1).Run().TraceHash);
    }
}

/// <summary>
/// Each planted defect must be found within a bounded number of seeds, or the checkers prove nothing.
/// </summary>
public sealed class PlantedDefectTests
{
    public static TheoryData<string> PlantedNames => [.. PlantedBugs.All.Select(b => b.Name)];

    [Theory]
    [MemberData(nameof(PlantedNames))]
    public void A_planted_defect_is_found(string name)
    {
        PlantedBug bug = PlantedBugs.Find(name);
        for (ulong seed = 1; seed <= 120; seed++)
        {
            if (new RandomRun(seed, null, bug).Run().Failure is not null)
            {
                return;
            }
        }

        Assert.Fail($"{name} ({bug.What}) was not found");
    }
}

/// <summary>
/// Defects that need a rare moment, led to it; the same without them shows that nothing else is wrong there.
/// </summary>
public sealed class PlantedDefectScenarios
{
    [Theory]
    [InlineData(null)]
    [InlineData("complete-before-peer")]
    [InlineData("early-completion")]
    public void Failover_right_after_an_answer(string? defect) => AssertFound(defect, s =>
        s.Write(s.A, 800, 4096).PowerLoss(s.A).UntilApart(s.B).Promote(s.B).ReadAll(s.B));

    [Theory]
    [InlineData(null)]
    [InlineData("no-bits-on-connection-loss")]
    public void Power_loss_of_a_secondary_right_after_its_acks(string? defect) => AssertFound(defect, s =>
        s.WriteEverywhere(s.A, 30).PowerLoss(s.B).UntilApart(s.A).Restart(s.B).UntilInSync());

    private static void AssertFound(string? defect, Action<Scenario> run)
    {
        Scenario s = new(new SimOptions
        {
            MaxDiskLatencyNs = 100 * Duration.Microsecond,
            Network = new NetworkSettings
            {
                MinLatencyNs = 1 * Duration.Millisecond,
                MaxLatencyNs = 2 * Duration.Millisecond,
            },
        });
        if (defect is not null)
        {
            s.Cluster.Plant(PlantedBugs.Find(defect));
        }

        s.InSync().Write(s.A, 0, 512);
        if (defect is null)
        {
            run(s);
        }
        else
        {
            Assert.Throws<SimulationException>(() => run(s));
        }
    }
}
