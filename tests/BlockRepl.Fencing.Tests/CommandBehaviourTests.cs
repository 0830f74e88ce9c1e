using System.Text;
using Xunit;

namespace BlockRepl.Fencing.Tests;

/// <summary>Commands of both programs, and a start that is refused.</summary>
public sealed class CommandBehaviourTests : Behaviour
{
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Slots_and_messages_are_on_all_devices_and_a_clean_start_is_refused(bool original)
    {
        var devices = Create(original, "a", "b", "c");
        Good(original, [.. devices, "dump"]);
        Good(original, [.. devices, "allocate", "node1"]);
        Good(original, [.. devices, "allocate", "node2"]);
        Good(original, [.. devices, "-n", "node1", "message", "node2", "reset"]);
        var list = Good(original, [.. devices, "list"]);
        Assert.Equal(string.Concat(Enumerable.Repeat("0\tnode1\tclear\t\n1\tnode2\treset\tnode1\n", 3)), list);
        using var start = Start(original, [], [.. devices, "-n", "node2", "-S", "1", "-Z", "-Z", "-Z", "watch"]);
        Assert.Equal(1, start.WaitForEnd());
        Assert.DoesNotContain("SYSRQ b", start.Log, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("A", 1)]
    [InlineData("Ab", 1)]
    [InlineData("Abc", 0)]
    [InlineData("AB", 1)]
    [InlineData("ABc", 1)]
    [InlineData("ABC", 1)]
    public void A_message_is_sent_if_most_devices_take_it(string names, int code)
    {
        foreach (var original in new[] { false, true })
        {
            var devices = Create(original, "a", "b", "c");
            Good(original, [.. devices, "allocate", "node1"]);
            foreach (var failed in names.Where(char.IsUpper))
            {
                File.WriteAllBytes(At(failed), new byte[1 << 20]);
            }

            string[] used = [.. names.SelectMany(name => new[] { "-d", At(name) })];
            using var sent = Start(original, [], [.. used, "message", "node1", "exit"]);
            Assert.Equal((original, code), (original, sent.WaitForEnd()));
        }
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void All_slots_can_be_taken_and_then_there_are_no_more(bool original)
    {
        using var a = new SharedDevice();
        using var b = new SharedDevice();
        using var c = new SharedDevice();
        string[] devices = ["-d", a.Node, "-d", b.Node, "-d", c.Node];
        CommandResult Run(params string[] words) =>
            original ? Programs.RunOriginal([.. devices, .. words]) : Programs.RunOurs([.. devices, .. words]);
        Assert.Equal(0, Run("-2", "0", "create").Code);

        // Most are written by hand: each program would read a table of 255 slots three times for each of them.
        foreach (var device in new[] { a, b, c })
        {
            for (var slot = 0; slot < 250; slot++)
            {
                device.Write(512 + (1024 * slot), [1, .. Encoding.ASCII.GetBytes($"name{slot + 1}")]);
            }
        }

        for (var i = 245; i <= 256; i++)
        {
            Assert.Equal((i, i == 256 ? 1 : 0), (i, Run("allocate", $"name{i}").Code));
        }

        Assert.Equal(3 * 255, Run("list").Output.Split('\n').Length - 1);
    }

    [Theory]
    [InlineData("-d /nonexistent nonsense", 1)]
    [InlineData("", 1)]
    [InlineData("-h", 0)]
    public void A_call_that_cannot_be_meant_fails(string words, int code)
    {
        foreach (var original in new[] { false, true })
        {
            using var call = Start(
                Program(original), [], words.Split(' ', StringSplitOptions.RemoveEmptyEntries),
                [("SBD_DEVICE", At('a'))]);
            Assert.Equal((original, code), (original, call.WaitForEnd()));
        }
    }
}
