using System.Globalization;
using System.Text.RegularExpressions;
using BlockRepl.Nodes;

namespace BlockRepl.Interop.Tests;

/// <summary>A line for each script that ran: artifacts/interop/results.txt.</summary>
internal static partial class Record
{
    public static void Add(string name, Setup setup, Side primary, string result, TimeSpan time)
    {
        string folder = Path.Combine(Programs.RepositoryRoot, "artifacts", "interop");
        File.AppendAllText(
            Path.Combine(folder, "results.txt"),
            string.Create(
                CultureInfo.InvariantCulture,
                $"{DateTime.Now:HH:mm:ss} {Laboratory.Series} {result} {time.TotalSeconds:F1} s {setup} "
                + $"{primary} {name}\n"));
    }

    public static string FileName(string name)
    {
        string file = Unusual().Replace(name, "-").Trim('-');
        return Laboratory.Series + "-" + file[Math.Max(0, file.Length - 120)..];
    }

    [GeneratedRegex(@"[^A-Za-z0-9_]+")]
    private static partial Regex Unusual();
}
