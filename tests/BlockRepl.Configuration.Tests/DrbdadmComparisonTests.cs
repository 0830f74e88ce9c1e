using System.Diagnostics;
using System.Text;
using Xunit;

namespace BlockRepl.Configuration.Tests;

/// <summary>
/// The configurations of Corpus/ are accepted and refused, and printed, as by Debian's drbdadm in 8.4 mode. Its
/// recorded answers lie beside them; where it is installed they are compared with the real ones.
/// </summary>
public sealed class DrbdadmComparisonTests
{
    internal const string Original = "/lib/drbd/drbdadm-84";

    private static readonly HashSet<string> Addresses =
        ["127.0.0.1", "::1", "10.1.1.1", "172.30.2.11", "172.30.2.12", "fd00::1"];

    internal static string Corpus => Path.Combine(AppContext.BaseDirectory, "Corpus");

    public static TheoryData<string> Cases() =>
        [.. Directory.EnumerateFiles(Corpus, "*.conf").Select(path => Path.GetFileNameWithoutExtension(path)).Order()];

    [Fact]
    public void The_corpus_is_as_large_as_it_should_be_and_has_both_kinds()
    {
        string[] golden = [.. Directory.EnumerateFiles(Corpus, "*.golden").Select(File.ReadAllText)];
        Assert.Equal(Cases().Count, golden.Length);
        Assert.InRange(golden.Count(text => text.StartsWith("== dump (accepted)")), 50, 1000);
        Assert.InRange(golden.Count(text => text.StartsWith("== dump (refused)")), 70, 1000);
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void Our_answers_are_those_recorded_of_drbdadm(string name)
    {
        string golden = File.ReadAllText(Path.Combine(Corpus, name + ".golden"));
        Assert.Equal(golden, Answer(name, QuestionsOf(golden)));
    }

    [Fact]
    public async Task The_recorded_answers_are_those_of_the_installed_drbdadm()
    {
        Assert.SkipUnless(File.Exists(Original), $"{Original} (of drbd-utils) is not installed");
        string output = Directory.CreateTempSubdirectory("drbdadm-answers").FullName;
        using Process process = Process.Start(new ProcessStartInfo(
            Path.Combine(Corpus, "ask-drbdadm"), [output, .. Directory.EnumerateFiles(Corpus, "*.conf")])
        {
            RedirectStandardError = true,
        })!;
        string errors = await process.StandardError.ReadToEndAsync(TestContext.Current.CancellationToken);
        await process.WaitForExitAsync(TestContext.Current.CancellationToken);
        Assert.SkipWhen(errors.Contains("unshare"), $"no network namespace can be made here: {errors}");
        Assert.True(process.ExitCode == 0, errors);
        foreach (string path in Directory.EnumerateFiles(Corpus, "*.golden"))
        {
            string name = Path.GetFileName(path);
            string installed = File.ReadAllText(Path.Combine(output, name));
            Assert.Equal($"{name}\n{File.ReadAllText(path)}", $"{name}\n{installed}");
        }

        Directory.Delete(output, recursive: true);
    }

    private static IEnumerable<string> QuestionsOf(string golden) => golden.Split('\n')
        .Where(line => line.StartsWith("== "))
        .Select(line => line[3..line.LastIndexOf(" (")]);

    private static string Answer(string name, IEnumerable<string> questions)
    {
        string text = File.ReadAllText(Path.Combine(Corpus, name + ".conf"));
        string node = text.StartsWith("# node: ") ? text[8..text.IndexOf(". ", StringComparison.Ordinal)] : "a";
        var answers = new StringBuilder();
        foreach (string question in questions)
        {
            string? output = Ask(name, node, question.Split(' '));
            answers.Append($"== {question} ({(output is null ? "refused" : "accepted")})\n").Append(output);
        }

        return answers.ToString();
    }

    /// <summary>Null if refused.</summary>
    private static string? Ask(string name, string node, string[] words)
    {
        var request = new ConfigurationRequest
        {
            Command = Array.Find(words, word => !word.StartsWith('-'))!,
            Node = node,
            Targets = [.. words.Where(word => !word.StartsWith('-')).Skip(1)],
            Inherit = words.Contains("-d"),
            Stacked = words.Contains("-S"),
            HasAddress = Addresses.Contains,
            VerifyAddress = !words.Contains("-d"),
        };
        try
        {
            DrbdConfiguration configuration = DrbdConfiguration.Read(
                $"/corpus/{name}.conf", MemoryFiles.FromFolder(Corpus, "/corpus"));
            ConfigurationAnswer answer = ConfigurationCommands.Run(configuration, request);
            Assert.Equal(answer.ExitCode == 0, answer.Error.Length == 0);
            return answer.ExitCode == 0 ? answer.Output : null;
        }
        catch (ConfigurationException refusal)
        {
            Assert.Matches("^/corpus/[^:]+:[0-9]+: .", refusal.Message);
            return null;
        }
    }
}
