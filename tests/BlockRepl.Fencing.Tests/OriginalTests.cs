using System.Text;
using Xunit;

namespace BlockRepl.Fencing.Tests;

/// <summary>
/// Our commands beside those of the original: the same output, exit status and bytes for the same words.
/// </summary>
public sealed class OriginalTests
{
    [Theory]
    [InlineData(512)]
    [InlineData(4096)]
    public void The_same_commands_make_the_same_device_and_print_the_same(int sectorSize)
    {
        string[] commands =
        [
            "list", "dump", "-2 0 -4 1 create", "dump", "list", "allocate alice", "allocate Bob", "allocate ALICE",
            "allocate " + new string('x', 70), "list", "dump None", "list None surplus words",
            "-n alice message bob test", "list", "-n alice message BOB exit", "-n Carol message alice clear", "list",
            "-n alice message LOCAL crashdump", "-n alice message carol reset", "list", "message bob bogus",
            "message bob", "message", "allocate", "-n alice ping nobody", "bogus", "created", "-1 x create",
            "-1 -1 dump", "-x dump", "dump -n", "-r bla list", "list -vvv -W", "-- list", "-h", "-5 0 -F0 -t1 dump",
            "-S 3 list", "-1 2147483647 list", "-1 2147483646 -4 7 -2 0 create", "dump",
        ];
        using var theirs = new SharedDevice(sectorSize);
        using var ours = new SharedDevice(sectorSize);
        foreach (var command in commands)
        {
            var words = command.Split(' ');
            var expected = Programs.RunOriginal(["-d", theirs.Node, .. words]);
            var actual = Programs.RunOurs(["-d", ours.Node, .. words]);
            Assert.Equal(
                (command, expected.Code, Programs.Comparable(expected.Output, theirs.Node)),
                (command, actual.Code, command == "allocate"
                    ? Programs.Comparable(expected.Output, theirs.Node)
                    : Programs.Comparable(actual.Output, ours.Node)));
            Assert.True(theirs.Content().AsSpan().SequenceEqual(ours.Content()), command);
        }
    }

    [Fact]
    public void Either_program_reads_and_answers_what_the_other_has_written()
    {
        using var device = new SharedDevice();
        Assert.Equal(0, Programs.RunOriginal("-d", device.Node, "-1", "7", "-2", "0", "-4", "1", "create").Code);
        Assert.Equal(0, Programs.RunOurs("-d", device.Node, "allocate", "ours").Code);
        Assert.Equal(0, Programs.RunOriginal("-d", device.Node, "allocate", "theirs").Code);
        Assert.Equal(0, Programs.RunOriginal("-d", device.Node, "-n", "theirs", "message", "OURS", "reset").Code);
        Assert.Equal(0, Programs.RunOurs("-d", device.Node, "-n", "ours", "message", "Theirs", "off").Code);
        foreach (var command in new[] { "list", "dump" })
        {
            Assert.Equal(
                Programs.RunOriginal("-d", device.Node, command) with { Errors = "" },
                Programs.RunOurs("-d", device.Node, command) with { Errors = "" });
        }

        Assert.Equal(
            "0\tours\treset\ttheirs\n1\ttheirs\toff\tours\n",
            Programs.RunOurs("-d", device.Node, "list").Output);
    }

    [Fact]
    public void The_full_table_refuses_one_more_in_both()
    {
        using var device = new SharedDevice();
        Programs.RunOurs("-d", device.Node, "-2", "0", "create");
        for (var i = 0; i < 254; i++)
        {
            device.Write(512 + (1024 * i), [1, .. Encoding.ASCII.GetBytes($"node{i}")]);
        }

        var last = Programs.RunOurs("-d", device.Node, "allocate", "x");
        Assert.Contains("slot 254", last.Output, StringComparison.Ordinal);
        var before = device.Content();
        Assert.Equal(1, Programs.RunOurs("-d", device.Node, "allocate", "node255").Code);
        Assert.Equal(1, Programs.RunOriginal("-d", device.Node, "allocate", "node255").Code);
        Assert.Equal(before, device.Content());
        Assert.Equal(
            Programs.RunOriginal("-d", device.Node, "list").Output, Programs.RunOurs("-d", device.Node, "list").Output);
    }

    /// <summary>Two or three devices, some of them missing: who needs which majority.</summary>
    [Theory]
    [InlineData(1, 0, 0)]
    [InlineData(0, 1, 1)]
    [InlineData(2, 0, 0)]
    [InlineData(1, 1, 1)]
    [InlineData(3, 0, 0)]
    [InlineData(2, 1, 0)]
    [InlineData(1, 2, 1)]
    [InlineData(0, 3, 1)]
    public void A_message_needs_more_than_half_of_the_devices(int good, int bad, int code)
    {
        var devices = Enumerable.Range(0, good).Select(_ => new SharedDevice()).ToArray();
        try
        {
            string[] names =
            [
                .. devices.SelectMany(device => new[] { "-d", device.Node }),
                .. Enumerable.Range(0, bad).SelectMany(i => new[] { "-d", $"/dev/no-such-device{i}" }),
            ];
            foreach (var device in devices)
            {
                Programs.RunOurs("-d", device.Node, "-2", "0", "-4", "1", "create");
                Programs.RunOurs("-d", device.Node, "allocate", "bob");
            }

            Assert.Equal(code, Programs.RunOriginal([.. names, "message", "bob", "exit"]).Code);
            Assert.Equal(code, Programs.RunOurs([.. names, "message", "bob", "exit"]).Code);
            Assert.Equal(bad == 0 ? 0 : 1, Programs.RunOriginal([.. names, "list"]).Code);
            var list = Programs.RunOurs([.. names, "list"]);
            Assert.Equal(bad == 0 ? 0 : 1, list.Code);
            Assert.Equal(good, list.Output.Count(c => c == '\n'));
        }
        finally
        {
            Array.ForEach(devices, device => device.Dispose());
        }
    }

    [Theory]
    [InlineData("dump", "==Header on disk DEVICE NOT dumped")]
    [InlineData("list", "== Slots on disk DEVICE NOT dumped")]
    [InlineData("allocate n", "sbd failed; please check the logs.")]
    [InlineData("message n reset", "sbd failed; please check the logs.")]
    public void A_device_without_a_header_is_refused_with_the_line_that_scripts_know(string command, string line)
    {
        using var device = new SharedDevice();
        string[] words = ["-d", device.Node, .. command.Split(' ')];
        var (expected, actual) = (Programs.RunOriginal(words), Programs.RunOurs(words));
        Assert.Equal((1, expected.Output), (actual.Code, actual.Output));
        Assert.Contains(line.Replace("DEVICE", device.Node, StringComparison.Ordinal), expected.Errors.Split('\n'));
        Assert.Contains(line.Replace("DEVICE", device.Node, StringComparison.Ordinal), actual.Errors.Split('\n'));
        Assert.Contains("there is no SBD header", actual.Errors, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("SBD_DEVICE", "nosuch", "list", 1)]
    [InlineData("SBD_DEVICE", "/dev/a;/dev/b;/dev/c;/dev/d", "list", 1)]
    [InlineData("SBD_DEVICE", " DEVICE ; ", "dump", 0)]
    [InlineData("SBD_TIMEOUT_ACTION", "bla", "list", 1)]
    [InlineData("SBD_TIMEOUT_ACTION", "noflush,off", "list", 0)]
    [InlineData("SBD_WATCHDOG_TIMEOUT", "1m", "-d DEVICE create", 0)]
    [InlineData("SBD_WATCHDOG_TIMEOUT", "9", "-d DEVICE -1 7 create", 0)]
    public void Variables_mean_what_they_mean_to_the_original(string name, string value, string command, int code)
    {
        using var device = new SharedDevice();
        Programs.RunOurs("-d", device.Node, "create");
        var words = command.Replace("DEVICE", device.Node, StringComparison.Ordinal).Split(' ');
        value = value.Replace("DEVICE", device.Node, StringComparison.Ordinal);
        var expected = Programs.RunOriginalWith(new() { [name] = value }, words);
        var theirs = device.Content();
        var actual = Programs.RunOursWith(new() { [name] = value }, words);
        Assert.Equal(code, expected.Code);
        Assert.Equal(
            (code, Programs.Comparable(expected.Output, device.Node)),
            (actual.Code, Programs.Comparable(actual.Output, device.Node)));
        Assert.Equal(theirs, device.Content());
    }
}
