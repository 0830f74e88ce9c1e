namespace BlockRepl.Nodes.Measuring;

/// <summary>A device that fio can write to.</summary>
public interface IDevice
{
    string Name { get; }

    Figure Measure(Workload workload, double seconds);
}

/// <summary>
/// Devices measured in turns, pattern by pattern and round by round: what else the machine does meanwhile, and how fast
/// its disk happens to be, meets all of them alike.
/// </summary>
public static class Contest
{
    /// <returns>For each device, for each pattern of <see cref="Workload.All"/>, a figure of each round.</returns>
    public static Figure[][][] Run(IReadOnlyList<IDevice> devices, int rounds, double seconds)
    {
        Figure[][][] figures = devices
            .Select(_ => Workload.All.Select(_ => new Figure[rounds]).ToArray())
            .ToArray();
        for (int pattern = 0; pattern < Workload.All.Length; pattern++)
        {
            for (int round = 0; round < rounds; round++)
            {
                for (int device = 0; device < devices.Count; device++)
                {
                    figures[device][pattern][round] = devices[device].Measure(Workload.All[pattern], seconds);
                }
            }
        }

        return figures;
    }

    /// <summary>The figure in the middle, of each pattern.</summary>
    public static Figure[] Medians(Figure[][] rounds) =>
        rounds.Select((r, i) => r.OrderBy(f => f.Of(Workload.All[i])).ElementAt(r.Length / 2)).ToArray();

    /// <summary>
    /// How many times as fast as the other in the same round; the quotient in the middle, of each pattern.
    /// </summary>
    public static double[] Quotients(Figure[][] ours, Figure[][] other) =>
        Workload.All
            .Select((w, i) => ours[i].Zip(other[i], (a, b) => a.Of(w) / b.Of(w)).Order().ElementAt(ours[i].Length / 2))
            .ToArray();
}
