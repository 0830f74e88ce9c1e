using System.Globalization;
using System.Text.RegularExpressions;
using BlockRepl.Nodes;

namespace BlockRepl.Interop.Tests;

/// <summary>A line for each script that ran: artifacts/interop/results.txt.</summary>
internal static partial class Record
{
    private static readonly Lock Writing = new();

    /// <summary>Adds a line to a file below artifacts/interop, of which there is one for all scripts.</summary>
    public static void Note(string file, string line)
    {
        lock (Writing)
        {
            File.AppendAllText(Path.Combine(Programs.RepositoryRoot, "artifacts", "interop", file), line + "\n");
        }
    }

    public static void Add(string name, Setup setup, Side primary, string result, TimeSpan time) =>
        Note(
            "results.txt",
            string.Create(
                CultureInfo.InvariantCulture,
                $"{DateTime.Now:HH:mm:ss} {Laboratory.Series} {result} {time.TotalSeconds:F1} s {setup} "
                + $"{primary} {name}"));

    public static string FileName(string name)
    {
        string file = Unusual().Replace(name, "-").Trim('-');
        return Laboratory.Series + "-" + file[Math.Max(0, file.Length - 120)..];
    }

    [GeneratedRegex(@"[^A-Za-z0-9_]+")]
    private static partial Regex Unusual();
}
