using System.Globalization;
using System.Text.RegularExpressions;
using BlockRepl.Nodes;
using Xunit;

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

    /// <summary>The script that runs, with its variant, and how it ended.</summary>
    public static void Add(string result, TimeSpan time)
    {
        string now = DateTime.Now.ToString("yyyy-MM-dd HH:mm:ss", CultureInfo.InvariantCulture);
        string seconds = time.TotalSeconds.ToString("F1", CultureInfo.InvariantCulture);
        Note("results.txt", $"{now} {Laboratory.Series} {result} {seconds} s {Script()}");
    }

    public static string FileName(string name)
    {
        string file = Unusual().Replace(name, "-").Trim('-');
        return Laboratory.Series + "-" + file[Math.Max(0, file.Length - 120)..];
    }

    private static string Script() =>
        TestContext.Current.Test?.TestDisplayName.Split('.', 4) is [_, _, _, string script] ? script : "script";

    [GeneratedRegex(@"[^A-Za-z0-9_]+")]
    private static partial Regex Unusual();
}
