using Xunit;

namespace BlockRepl.Fencing.Tests;

/// <summary>The daemon and its guard, as installed.</summary>
public sealed class DaemonTests : IDisposable
{
    private readonly string[] _files =
        [.. Enumerable.Range(0, 2).Select(i => Path.Combine(Path.GetTempPath(), $"sbd-{Guid.NewGuid():N}-{i}"))];

    private readonly RunningNode _node;

    public DaemonTests()
    {
        _node = new RunningNode { Device = _files[0] };
        Create(_files[0]);
    }

    public void Dispose()
    {
        _node.Dispose();
        Array.ForEach(_files, File.Delete);
    }

    [Fact]
    public void It_answers_a_ping()
    {
        Start();
        Assert.Equal(0, Programs.RunOurs("-d", _files[0], "-n", "other", "-v", "ping", RunningNode.Name).Code);
        _node.WaitForFeedings(20);
        Assert.Contains("\tclear\t\n", List(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("reset", "b\n")]
    [InlineData("off", "o\n")]
    [InlineData("crashdump", "c\n")]
    public void A_message_ends_the_node_and_stays_in_the_mailbox(string word, string letters)
    {
        Start();
        Assert.Equal(0, Programs.RunOurs("-d", _files[0], "-n", "other", "message", RunningNode.Name, word).Code);
        _node.WaitForLetters(letters);
        Assert.Contains($"\t{word}\tother\n", List(), StringComparison.Ordinal);
    }

    [Fact]
    public void The_original_shoots_our_node()
    {
        using var device = new SharedDevice();
        Programs.RunOurs("-d", device.Node, "-2", "0", "-4", "1", "create");
        using var node = new RunningNode { Device = device.Node };
        Assert.Equal(0, node.Start().Code);
        var sent = Programs.RunOriginal("-d", device.Node, "-n", "theirs", "message", RunningNode.Name, "reset");
        Assert.Equal(0, sent.Code);
        node.WaitForLetters("b\n");
    }

    [Fact]
    public void Exit_stops_it_cleanly_and_leaves_no_message()
    {
        Start();
        var pid = _node.Pid;
        Assert.Equal(0, Programs.RunOurs("-d", _files[0], "message", RunningNode.Name, "exit").Code);
        _node.WaitForCleanEnd(pid);
        Assert.Contains("\tclear\t\n", List(), StringComparison.Ordinal);
    }

    [Fact]
    public void Term_stops_it_cleanly_and_other_signals_do_not()
    {
        Start();
        var pid = _node.Pid;
        foreach (var signal in new[] { "HUP", "INT", "QUIT", "USR1", "USR2", "35", "37" })
        {
            _node.Signal(signal);
        }

        _node.WaitForFeedings(10);
        Assert.Equal("", _node.Letters);
        _node.Signal("TERM");
        _node.WaitForCleanEnd(pid);
    }

    [Theory]
    [InlineData("flush,reboot", "b\n")]
    [InlineData("noflush,off", "o\n")]
    [InlineData("crashdump", "c\n")]
    public void A_device_that_is_wiped_ends_the_node_as_configured(string action, string letters)
    {
        Assert.Equal(0, _node.Start("-r", action).Code);
        File.WriteAllBytes(_files[0], new byte[1 << 20]);
        _node.WaitForLetters(letters);
    }

    [Fact]
    public void A_daemon_that_is_killed_ends_the_node()
    {
        Start();
        _node.Signal("KILL");
        _node.WaitForLetters("b\n");
    }

    [Fact]
    public void A_daemon_that_is_stopped_ends_the_node()
    {
        Start();
        _node.Signal("STOP");
        _node.WaitForLetters("b\n");
    }

    [Fact]
    public void A_guard_that_is_killed_ends_the_node()
    {
        Start();
        _node.Signal("KILL", _node.GuardPid());
        _node.WaitForLetters("b\n");
    }

    [Fact]
    public void A_device_created_anew_is_found_again()
    {
        Start();
        Create(_files[0]);
        _node.WaitForFeedings(40);
        Assert.Equal("", _node.Letters);
        Assert.Contains($"0\t{RunningNode.Name}\t", List(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("reset", "1", 1)]
    [InlineData("reset", "0", 0)]
    [InlineData("exit", "1", 0)]
    public void A_start_is_refused_if_a_message_waits_and_it_is_to_be_clean(string word, string mode, int code)
    {
        Programs.RunOurs("-d", _files[0], "allocate", RunningNode.Name);
        Programs.RunOurs("-d", _files[0], "message", RunningNode.Name, word);
        var before = File.ReadAllBytes(_files[0]);
        var result = _node.Start("-S", mode);
        Assert.Equal(code, result.Code);
        if (code == 1)
        {
            Assert.Contains("message reset", result.Errors, StringComparison.Ordinal);
            Assert.Equal(before, File.ReadAllBytes(_files[0]));
            Assert.Equal("", _node.Letters);
        }
    }

    [Fact]
    public void One_of_two_devices_is_enough()
    {
        using var node = new RunningNode { Device = $"{_files[0]} {_files[1]}" };
        Assert.Equal(0, node.Start().Code);
        node.WaitForFeedings(40);
        Assert.Equal("", node.Letters);
    }

    [Fact]
    public void No_device_is_an_error_in_time()
    {
        using var node = new RunningNode { Device = _files[1] };
        var result = node.Start("-s", "1");
        Assert.Equal(1, result.Code);
        Assert.Contains("no device was usable within 1 s", result.Errors, StringComparison.Ordinal);
    }

    [Fact]
    public void A_watchdog_that_cannot_be_set_is_disarmed_and_refused()
    {
        var result = _node.StartWith([]);
        Assert.Equal(1, result.Code);
        Assert.Contains("cannot be armed with 5 s", result.Errors, StringComparison.Ordinal);
        Assert.True(_node.IsDisarmed);
        Assert.Equal("", _node.Letters);
    }

    [Fact]
    public void A_second_daemon_is_refused_by_the_pid_file()
    {
        Start();
        var result = _node.Start();
        Assert.Equal(1, result.Code);
        Assert.Contains($"sbd runs already as process {_node.Pid}", result.Errors, StringComparison.Ordinal);
    }

    private static void Create(string file)
    {
        using (var made = File.OpenWrite(file))
        {
            made.SetLength(1 << 20);
        }

        Assert.Equal(0, Programs.RunOurs("-d", file, "-2", "0", "create").Code);
    }

    private string List() => Programs.RunOurs("-d", _files[0], "list").Output;

    private void Start()
    {
        var result = _node.Start();
        Assert.Equal((0, ""), (result.Code, result.Output));
        Assert.Equal($"{_node.Pid,10}\n", File.ReadAllText(_node.PidFile));
        _node.WaitForFeedings(2);
    }
}
