using BlockRepl.Simulation.Planted;
using BlockRepl.Simulation.Runs;
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
