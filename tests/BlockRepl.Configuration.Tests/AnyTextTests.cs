using System.Text;
using System.Text.RegularExpressions;
using BlockRepl.Configuration.Syntax;
using Xunit;

namespace BlockRepl.Configuration.Tests;

/// <summary>Whatever the text, it is read or refused with a place; and it ends.</summary>
public sealed partial class AnyTextTests
{
    private static readonly string[] Pieces =
    [
        "global", "common", "resource", "on", "volume", "device", "disk", "meta-disk", "address", "ipv6", "net",
        "startup", "options", "handlers", "syncer", "skip", "include", "minor", "internal", "protocol",
        "{", "}", ";", "[", "]", ":", "\"", "\\", "#", "\n", " ", "\t", "\r",
        "0", "7788", "10.0.0.1", "99999999999", "36k", "1T", "-1", "yes", "no", "a", "b", "r0",
        "/dev/drbd0", "/dev/sda", "::1", "%eth0", "*.res", "max-buffers", "al-extents", "after-sb-0pri", "resync-after",
        "quorum", "node-id", "floating", "stacked-on-top-of", "proxy", "plugin", "inside", "on",
        "alternate-link-address", "_this_host", "é", "\0", "\ud800", "=", "*", "usage-count",
    ];

    [Fact]
    public void Random_pieces_are_read_or_refused_with_a_place()
    {
        for (int seed = 0; seed < 20000; seed++)
        {
            var random = new Random(seed);
            var text = new StringBuilder();
            int count = random.Next(1, 60);
            for (int i = 0; i < count; i++)
            {
                text.Append(Pieces[random.Next(Pieces.Length)]).Append(random.Next(3) > 0 ? " " : "");
            }

            Check(text.ToString(), seed);
        }
    }

    [Fact]
    public void A_mutated_configuration_is_read_or_refused_with_a_place()
    {
        MemoryFiles golden = MemoryFiles.FromGolden();
        string text = golden["/etc/drbd.d/global_common.conf"] + golden["/etc/drbd.d/r0.conf"];
        for (int seed = 0; seed < 20000; seed++)
        {
            var random = new Random(seed);
            var mutated = new StringBuilder(text);
            for (int i = random.Next(1, 4); i > 0; i--)
            {
                int at = random.Next(mutated.Length);
                switch (random.Next(4))
                {
                    case 0:
                        mutated.Remove(at, Math.Min(random.Next(1, 20), mutated.Length - at));
                        break;
                    case 1:
                        mutated[at] = (char)random.Next(1, 256);
                        break;
                    case 2:
                        mutated.Insert(at, Pieces[random.Next(Pieces.Length)]);
                        break;
                    default:
                        mutated.Insert(at, mutated.ToString(at, Math.Min(random.Next(200), mutated.Length - at)));
                        break;
                }
            }

            Check(mutated.ToString(), seed);
        }
    }

    [Theory]
    [InlineData("{")]
    [InlineData("resource r { on a { volume 0 { ")]
    [InlineData("skip { ")]
    [InlineData("[")]
    [InlineData("on a{}")]
    [InlineData("resource x{}\n")]
    [InlineData("x")]
    [InlineData("\"")]
    [InlineData("#")]
    public void Long_repetition_neither_overflows_nor_hangs(string piece)
    {
        string body = string.Concat(Enumerable.Repeat(piece, (ConfigurationLimits.Characters - 100) / piece.Length));
        Check(body, -1);
        Check("resource r { " + body, -1);
        Check("skip { " + body, -1);
        Check(body + body, -1);
    }

    [Fact]
    public void Every_glob_pattern_ends_and_matches_as_the_shell_does()
    {
        Assert.True(GlobPattern.IsMatch("*.res", "r0.res"));
        Assert.False(GlobPattern.IsMatch("*.res", "r0.res.bak"));
        Assert.False(GlobPattern.IsMatch("*.res", ".res"));
        Assert.True(GlobPattern.IsMatch("r[0-9]?[!x].*", "r0ab.res"));
        Assert.False(GlobPattern.IsMatch("r[0-9]?[!x].*", "r0ax.res"));
        Assert.True(GlobPattern.IsMatch("a[", "a["));
        Assert.False(GlobPattern.IsMatch(string.Concat(Enumerable.Repeat("*a", 60)) + "b", new string('a', 255)));
    }

    private static void Check(string text, int seed)
    {
        try
        {
            DrbdConfiguration configuration = DrbdConfiguration.Read("/etc/drbd.conf", MemoryFiles.One(text));
            CheckDump(configuration, seed);
            NodeConfiguration node = configuration.ForNode("a");
            Assert.True(node.Resources.Count <= ConfigurationLimits.Resources);
        }
        catch (ConfigurationException refusal)
        {
            Assert.True(Place().IsMatch(refusal.Message), $"seed {seed}: {refusal.Message}");
        }
        catch (Exception other) when (other is not Xunit.Sdk.XunitException)
        {
            Assert.Fail($"seed {seed}: {other}\n{text[..Math.Min(text.Length, 2000)]}");
        }
    }

    /// <summary>What was accepted and printed is accepted again, and printed the same.</summary>
    private static void CheckDump(DrbdConfiguration configuration, int seed)
    {
        string once = Dump(configuration);
        string again = Dump(DrbdConfiguration.Read("/etc/drbd.conf", MemoryFiles.One(once)));
        Assert.True(WithoutPlaces(once) == WithoutPlaces(again), $"seed {seed}: {once}\n{again}");
    }

    private static string Dump(DrbdConfiguration configuration) =>
        ConfigurationCommands.Run(configuration, new ConfigurationRequest { Command = "dump", Node = "a" }).Output;

    private static string WithoutPlaces(string dump) =>
        string.Join('\n', dump.Split('\n').Where(line => !line.StartsWith("# defined at")));

    [GeneratedRegex("^/etc/[^:]+:[0-9]+: .")]
    private static partial Regex Place();
}
