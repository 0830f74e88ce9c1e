using System.Globalization;

namespace BlockRepl.Nodes;

/// <summary>How long I/O stalled when daemons ended, as a line of <c>artifacts/stalls.txt</c>.</summary>
public static class StallTable
{
    /// <summary>How often a daemon is to end: a few times, or so often as BLOCKREPL_RESTARTS says.</summary>
    public static int Times(int few) =>
        Environment.GetEnvironmentVariable("BLOCKREPL_RESTARTS") is { Length: > 0 } often
            ? int.Parse(often, CultureInfo.InvariantCulture)
            : few;

    /// <param name="what">Front end, kind of end, remarks.</param>
    /// <param name="stalls">Seconds.</param>
    public static void Add(string what, IEnumerable<double> stalls)
    {
        double[] sorted = [.. stalls.Order()];
        string all = string.Join(' ', sorted.Select(stall => stall.ToString("F2", CultureInfo.InvariantCulture)));
        string line = string.Create(
            CultureInfo.InvariantCulture,
            $"{DateTime.UtcNow:yyyy-MM-dd HH:mm} {what}, {sorted.Length}: median {At(sorted, 0.5):F2} s, "
            + $"p99 {At(sorted, 0.99):F2} s, max {sorted[^1]:F2} s; all: {all}\n");
        File.AppendAllText(Path.Combine(Programs.RepositoryRoot, "artifacts", "stalls.txt"), line);
    }

    private static double At(double[] sorted, double part) => sorted[(int)Math.Ceiling(part * sorted.Length) - 1];
}
