using System.Diagnostics;
using System.Xml.Linq;
using BlockRepl.Configuration;
using Xunit;

namespace BlockRepl.Administration.Tests;

/// <summary>drbdsetup show: what a resource runs with.</summary>
public sealed class ShowTests
{
    private const string Debian = "/usr/lib/drbd/drbdsetup-84";

    private static string Configuration(string net, string disk) => $$"""
        resource r0 {
          net { {{net}} } disk { {{disk}} }
          device minor 0; disk /dev/x; meta-disk internal;
          on a { address 127.0.0.1:7788; } on b { address 127.0.0.2:7788; }
        }
        """;

    [Fact]
    public async Task Only_what_is_not_the_default_is_shown_unless_all_is_asked_for()
    {
        await using TestNode node = await TestNode.StartAsync(Configuration(
            "protocol C; max-buffers 36k; sndbuf-size 2048k; after-sb-0pri discard-younger-primary; verify-alg md5;",
            "c-max-rate 1100M; disk-barrier no; md-flushes no; rate 5M;"));
        Assert.Equal((0, "", ""), await node.ToolAsync("drbdadm", "up", "r0"));
        string text = """
            resource r0 {
                options {
                }
                net {
                    max-buffers     @36864;
                    sndbuf-size     @2097152; # bytes
                    after-sb-0pri   @discard-younger-primary;
                    verify-alg      @"md5";
                }
                _remote_host {
                    address@@@ipv4 127.0.0.2:7788;
                }
                _this_host {
                    address@@@ipv4 127.0.0.1:7788;
                    volume 0 {
                        device@@@minor 0;
                        disk@@@"/dev/x";
                        meta-disk@@@internal;
                        disk {
                            md-flushes      @no;
                            resync-rate     @5120k; # bytes/second
                            c-max-rate      @1126400k; # bytes/second
                        }
                    }
                }
            }


            """.Replace('@', '\t');
        Assert.Equal((0, text, ""), await node.ToolAsync("drbdsetup", "show", "r0"));
        Assert.Equal((0, text, ""), await node.ToolAsync("drbdsetup", "show", "0"));
        string all = (await node.ToolAsync("drbdsetup", "show", "r0", "--show-defaults")).Output;
        Assert.Contains("        protocol        \tC; # default\n", all);
        Assert.Contains("        timeout         \t60; # 1/10 seconds, default\n", all);
        Assert.Contains("        cram-hmac-alg   \t\"\"; # default\n", all);
        Assert.Contains("        max-buffers     \t36864;\n", all);
        Assert.Contains("                c-fill-target   \t100s; # bytes, default\n", all);
    }

    [Fact]
    public async Task What_is_shown_as_default_is_what_counts_without_it()
    {
        await using TestNode node = await TestNode.StartAsync(Configuration("", ""));
        ResourceConfiguration bare = SystemConfigurationFiles.Read(node.Location).Find("r0")!;
        await File.WriteAllTextAsync(
            node.Location.ConfigPath, Configuration(Written(OptionDefaults.Net), Written(OptionDefaults.Disk)),
            TestContext.Current.CancellationToken);
        ResourceConfiguration written = SystemConfigurationFiles.Read(node.Location).Find("r0")!;
        Assert.True(written.NetTexts.Count > 20 && written.Volumes[0].DiskTexts.Count > 15);
        Assert.Equal(bare.Options.Net, written.Options.Net);
        Assert.Equal(bare.Options.Volumes[0].Disk, written.Options.Volumes[0].Disk);
    }

    [Fact]
    public async Task Defaults_units_and_order_are_debians()
    {
        Assert.SkipUnless(File.Exists(Debian), $"needs {Debian} (Debian package drbd-utils)");
        await CompareAsync("net-options", OptionDefaults.Net);
        await CompareAsync("attach", OptionDefaults.Disk);
        await CompareAsync("resource-options", OptionDefaults.Resource);
    }

    /// <summary>Choices have no default in Debian's list.</summary>
    private static async Task CompareAsync(string command, IReadOnlyList<OptionText> ours)
    {
        var start = new ProcessStartInfo(Debian, ["xml-help", command]) { RedirectStandardOutput = true };
        using Process process = Process.Start(start)!;
        string said = await process.StandardOutput.ReadToEndAsync();
        await process.WaitForExitAsync();
        XElement[] theirs =
            [.. XElement.Parse(said).Elements("option").Where(option => (string?)option.Attribute("type") != "flag")];
        Assert.Equal(theirs.Select(option => (string?)option.Attribute("name")), ours.Select(option => option.Name));
        foreach ((XElement option, OptionText known) in theirs.Zip(ours))
        {
            string letter = (string?)option.Element("unit_prefix") is { } prefix and not "1" ? prefix : "";
            Assert.Equal((string?)option.Element("unit") ?? "", known.Counts);
            if ((string?)option.Element("default") is { } fallback)
            {
                Assert.Equal(fallback + letter, known.InScale);
            }
        }
    }

    private static string Written(IEnumerable<OptionText> options) => string.Concat(
        options.Where(option => option.InScale.Length > 0).Select(option => $"{option.Name} {option.InScale}; "));
}
