using System.Globalization;

namespace BlockRepl.Nodes.Measuring;

/// <summary>Prints the figures and the ratios between them.</summary>
public static class Report
{
    private const int NameWidth = 44;
    private const int ColumnWidth = 19;

    public static void Heading(string text) => Console.WriteLine("\n== " + text);

    public static void Columns() => Row("", Workload.All.Select(w => w.Name));

    public static void Figures(string name, Figure[] figures) =>
        Row(name, Workload.All.Zip(figures, (w, f) => f.Show(w)));

    /// <summary>A row of quotients; above 1 the first is the faster one.</summary>
    public static void Ratio(string name, IEnumerable<double> quotients) =>
        Row(name, quotients.Select(times => times.ToString("N2", CultureInfo.InvariantCulture)));

    public static void Line(string name, string value) => Console.WriteLine(name.PadRight(NameWidth) + value);

    public static string Rate(double bytesPerSecond) =>
        (bytesPerSecond / 1e6).ToString("N0", CultureInfo.InvariantCulture) + " MB/s";

    /// <summary>The aims against the other replicator, each with what was reached.</summary>
    /// <param name="judge">False: the figures are of runs too short for a verdict.</param>
    public static void Aims(double[] reached, bool judge)
    {
        foreach ((Workload workload, double times) in Workload.All.Zip(reached))
        {
            string verdict = !judge ? "a whole run tells" : times >= workload.Aim ? "reached" : "MISSED";
            Line(
                "  " + workload.Name,
                string.Create(CultureInfo.InvariantCulture, $"{times:N2} times, aim {workload.Aim:N1}: {verdict}"));
        }
    }

    private static void Row(string name, IEnumerable<string> cells) =>
        Console.WriteLine(name.PadRight(NameWidth) + string.Concat(cells.Select(c => c.PadLeft(ColumnWidth))));
}
