using System.Diagnostics;
using System.Text.RegularExpressions;
using Xunit;

namespace BlockRepl.Configuration.Tests;

/// <summary>
/// Configurations of the corpus with a word or more changed at random, by a seed: Debian's drbdadm and we accept or
/// refuse the same ones, and print the same. <c>CONFIGURATION_SEEDS=FIRST,COUNT</c> runs others.
/// </summary>
public sealed partial class MutatedConfigurationTests
{
    [Fact]
    public async Task Mutated_configurations_are_accepted_and_printed_as_by_the_installed_drbdadm()
    {
        Assert.SkipUnless(
            File.Exists(DrbdadmComparisonTests.Original), $"{DrbdadmComparisonTests.Original} is not installed");
        string seeds = Environment.GetEnvironmentVariable("CONFIGURATION_SEEDS") ?? "0,100";
        int[] range = [.. seeds.Split(',').Select(int.Parse)];
        string path = Path.GetTempFileName();
        string[] texts =
        [
            .. Directory.EnumerateFiles(DrbdadmComparisonTests.Corpus, "*.conf").Order()
                .Where(file => !file.Contains("broken-"))
                .Select(File.ReadAllText)
                .Where(text => !text.Contains("include")),
        ];
        string[] words = [.. texts.SelectMany(text => Parts().Matches(text)).Select(part => part.Value).Distinct()];
        int accepted = 0;
        for (int seed = range[0]; seed < range[0] + range[1]; seed++)
        {
            string text = Mutate(texts, words, new Random(seed));
            File.WriteAllText(path, text);
            string? theirs = await AskAsync(path);
            string? ours = Answer(path, text);
            Assert.True(ours == theirs, $"seed {seed}\n{text}\n== ours\n{ours}\n== theirs\n{theirs}");
            accepted += ours is null ? 0 : 1;
        }

        Assert.InRange(accepted, range[1] / 20, range[1]);
        File.Delete(path);
    }

    private static string Mutate(string[] texts, string[] words, Random random)
    {
        List<string> parts = [.. Parts().Matches(texts[random.Next(texts.Length)]).Select(part => part.Value)];
        int at = random.Next(parts.Count);
        switch (random.Next(4))
        {
            case 0:
                parts.RemoveAt(at);
                break;
            case 1:
                parts.Insert(at, $" {words[random.Next(words.Length)]} ");
                break;
            case 2:
                parts[at] = words[random.Next(words.Length)];
                break;
            default:
                parts.InsertRange(at, [.. parts.Skip(at).Take(random.Next(1, 12))]);
                break;
        }

        return string.Concat(parts);
    }

    /// <summary>Null if refused.</summary>
    private static async Task<string?> AskAsync(string path)
    {
        using Process process = Process.Start(
            new ProcessStartInfo(DrbdadmComparisonTests.Original, ["-d", "-c", path, "dump"])
            {
                RedirectStandardOutput = true,
                RedirectStandardError = true,
                Environment = { ["__DRBD_NODE__"] = "a", ["DRBD_DONT_WARN_ON_VERSION_MISMATCH"] = "1" },
            })!;
        Task<string> errors = process.StandardError.ReadToEndAsync(TestContext.Current.CancellationToken);
        string output = await process.StandardOutput.ReadToEndAsync(TestContext.Current.CancellationToken);
        await errors;
        await process.WaitForExitAsync(TestContext.Current.CancellationToken);
        return process.ExitCode == 0 ? output : null;
    }

    private static string? Answer(string path, string text)
    {
        var request = new ConfigurationRequest
        {
            Command = "dump", Node = "a", Inherit = true, HasAddress = address => address is "127.0.0.1" or "::1",
        };
        try
        {
            DrbdConfiguration configuration = DrbdConfiguration.Read(path, new MemoryFiles { [path] = text });
            return ConfigurationCommands.Run(configuration, request).Output;
        }
        catch (ConfigurationException)
        {
            return null;
        }
    }

    [GeneratedRegex("#[^\\n]*\\n|\"[^\"\\n]*\"|[A-Za-z0-9_./-]+|\\s+|.")]
    private static partial Regex Parts();
}
