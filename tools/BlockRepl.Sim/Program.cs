using System.CommandLine;
using System.Diagnostics;
using System.Globalization;
using BlockRepl.Simulation.Planted;
using BlockRepl.Simulation.Runs;

Option<ulong[]> seeds = new("--seeds")
{
    Description = "FROM COUNT: run that many seeds, spread over the cores.",
    AllowMultipleArgumentsPerToken = true,
    Arity = new ArgumentArity(2, 2),
};
Option<ulong?> seed = new("--seed") { Description = "Run one seed and print everything that happens." };
Option<bool> brief =
    new("--brief") { Description = "With --seed: print only the outcome and, after a failure, the last lines." };
Option<string?> bug = new("--plant") { Description = "Put a named defect into the nodes; 'list' prints the names." };
Option<int?> jobs = new("--jobs") { Description = "Runs at once; all cores if not given." };
RootCommand root =
    new("Two nodes of the replication core over simulated disks, network and clock.") { seeds, seed, brief, bug, jobs };
root.SetAction(parsed =>
{
    string? planted = parsed.GetValue(bug);
    if (planted == "list")
    {
        PlantedBugs.All.ToList().ForEach(b => Console.WriteLine($"{b.Name,-36} {b.What}"));
        return 0;
    }

    PlantedBug? defect = planted is null ? null : PlantedBugs.Find(planted);
    if (parsed.GetValue(seed) is { } one)
    {
        return RunOne(one, defect, parsed.GetValue(brief));
    }

    ulong[] range = parsed.GetValue(seeds) ?? [1, 100];
    return RunMany(range[0], range[1], parsed.GetValue(jobs) ?? Environment.ProcessorCount, defect);
});
return root.Parse(args).Invoke();

static int RunOne(ulong seed, PlantedBug? bug, bool brief)
{
    using StreamWriter output = new(Console.OpenStandardOutput(), bufferSize: 1 << 16);
    RandomRun run = new(seed, brief ? null : output.WriteLine, bug);
    output.WriteLine(run.Settings);
    RunReport report = run.Run();
    if (brief)
    {
        report.Tail.ToList().ForEach(output.WriteLine);
    }

    output.WriteLine(RandomRun.Describe(report));
    output.WriteLine($"trace hash {report.TraceHash:x16}");
    if (report.Failure?.InnerException is { } cause)
    {
        output.WriteLine(cause);
    }

    return report.Failure is null ? 0 : 1;
}

static int RunMany(ulong from, ulong count, int jobs, PlantedBug? bug)
{
    Stopwatch watch = Stopwatch.StartNew();
    Totals totals = new();
    ParallelOptions parallel = new() { MaxDegreeOfParallelism = jobs };
    Parallel.For(0L, (long)count, parallel, i =>
    {
        RunReport report = new RandomRun(from + (ulong)i, null, bug).Run();
        totals.Add(report);
        if (report.Failure is not null)
        {
            Console.WriteLine(RandomRun.Describe(report));
            Console.WriteLine(
                $"    replay: tools/sim --seed {report.Seed}{(bug is null ? "" : " --plant " + bug.Name)}");
        }
    });
    totals.Print(watch.Elapsed);
    return totals.Failures == 0 ? 0 : 1;
}

/// <summary>What many runs come to.</summary>
internal sealed class Totals
{
    private readonly Lock _lock = new();
    private readonly SortedDictionary<string, long> _faults = new(StringComparer.Ordinal);
    private long _runs;
    private long _steps;
    private long _requests;
    private long _sectors;
    private double _virtualSeconds;

    public int Failures { get; private set; }

    public void Add(RunReport report)
    {
        lock (_lock)
        {
            _runs++;
            _steps += report.Steps;
            _requests += report.Requests;
            _sectors += report.SectorsChecked;
            _virtualSeconds += report.VirtualNs / 1e9;
            Failures += report.Failure is null ? 0 : 1;
            foreach ((string kind, int hits) in report.Faults)
            {
                _faults[kind] = _faults.GetValueOrDefault(kind) + hits;
            }
        }
    }

    public void Print(TimeSpan elapsed)
    {
        CultureInfo c = CultureInfo.InvariantCulture;
        Console.WriteLine("faults and acts:");
        foreach ((string kind, long hits) in _faults)
        {
            Console.WriteLine(string.Create(c, $"    {kind,-24} {hits,10}"));
        }

        Console.WriteLine(string.Create(
            c,
            $"{_runs} runs, {_steps} steps, {_requests} requests, {_sectors} sectors checked, ")
            + string.Create(c, $"{_virtualSeconds:F0} s virtual, {elapsed.TotalSeconds:F1} s real"));
        Console.WriteLine($"{Failures} failures");
    }
}
