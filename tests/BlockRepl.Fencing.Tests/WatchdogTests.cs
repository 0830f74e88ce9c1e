using System.Diagnostics;
using System.Globalization;
using BlockRepl.Nodes;
using Xunit;

namespace BlockRepl.Fencing.Tests;

/// <summary>Our daemon and a watchdog with its real calls.</summary>
public sealed class WatchdogTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("sbd-watchdog-").FullName;

    private string Device => Path.Combine(_folder, "lun");

    private string PidFile => Path.Combine(_folder, "pid");

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public void A_clean_stop_disarms_the_watchdog_with_both_signs()
    {
        using var node = Watch();
        Nodes.Tool.Run("kill", "-TERM", File.ReadAllText(PidFile).Trim()).OrThrow();
        Assert.Equal(0, node.WaitForEnd());
        Assert.Matches(
            @"(?s)WD open.*WD settimeout 5.*WD setoptions 1\n.*WD magic-close-char\n.*WD close disarmed\n", node.Log);
    }

    [Fact]
    public void A_daemon_and_guard_that_hang_are_bitten_in_time()
    {
        using var node = Watch();
        node.WaitForPets(2);
        var daemon = int.Parse(File.ReadAllText(PidFile).Trim(), CultureInfo.InvariantCulture);
        foreach (var pid in RunningNode.ChildrenOf(daemon).Append(daemon))
        {
            Nodes.Tool.Run("kill", "-STOP", $"{pid}").OrThrow();
        }

        var stopped = Stopwatch.StartNew();
        Assert.Equal(137, node.WaitForEnd());
        Assert.InRange(stopped.Elapsed.TotalSeconds, 3, 7);
        Assert.DoesNotContain("magic", node.Log, StringComparison.Ordinal);
    }

    [Fact]
    public void A_daemon_that_is_killed_is_followed_by_its_guard_at_once_and_the_watchdog_stays_armed()
    {
        using var node = Watch();
        var killed = Stopwatch.StartNew();
        Nodes.Tool.Run("kill", "-KILL", File.ReadAllText(PidFile).Trim()).OrThrow();
        Assert.Equal(129, node.WaitForEnd());
        Assert.InRange(killed.Elapsed.TotalSeconds, 0, 4);
        Assert.Contains("WD close armed", node.Log, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(20, 16, 5)]
    [InlineData(17, 16, 2)]
    public void A_watchdog_that_takes_another_time_is_disarmed_and_refused_with_one_that_would_do(
        int wanted, int largest, int taken)
    {
        Create("-1", $"{wanted}", "-4", $"{2 * wanted}");
        using var node = Start("-m", $"{largest}");
        Assert.Equal(1, node.WaitForEnd());
        Assert.Contains($"has taken {taken} s instead of {wanted} s", node.Errors, StringComparison.Ordinal);
        Assert.Contains($"create the devices with -1 {taken} -4 {2 * taken}", node.Errors, StringComparison.Ordinal);
        Assert.Contains("WD close disarmed", node.Log, StringComparison.Ordinal);
    }

    [Fact]
    public void The_letters_that_end_a_machine_are_allowed_at_the_start()
    {
        using var node = Watch();
        Assert.Contains("SYSRQ-MODE 446", node.Log, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(1, "reset", "SYSRQ c", 139)]
    [InlineData(1, "off", "SYSRQ c", 139)]
    [InlineData(2, "reset", "WD close disarmed", 0)]
    [InlineData(3, "reset", "SYSRQ b", 129)]
    public void In_trace_mode_a_message_does_something_else(int level, string word, string line, int status)
    {
        using var node = Watch([.. Enumerable.Repeat("-Z", level)]);
        Send(word);
        Assert.Equal(status, node.WaitForEnd());
        Assert.Contains(line, node.Log, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("3", 3)]
    [InlineData("yes", 4)]
    [InlineData("no", 0)]
    public void A_start_is_delayed_as_the_variable_says(string delay, int seconds)
    {
        Create("-4", "4");
        using var node = new Box(
            [], RunningNode.Program, ["-R", "-d", Device, "-n", "node1", "-p", PidFile, "watch"],
            [("SBD_DELAY_START", delay)]);
        Assert.Equal(0, node.WaitForCommand());
        Assert.True(node.TimeOf("WD open") >= seconds, node.Log);
        Assert.True(seconds > 0 || node.TimeOf("WD open") < 3, node.Log);
    }

    [Theory]
    [InlineData("1", "0")]
    [InlineData("0", "5")]
    public void A_servant_that_has_lost_its_device_is_started_again(string count, string seconds)
    {
        // Each creation is another device to a servant: it ends and must be started again.
        using var node = Watch("-F", count, "-t", seconds);
        for (var i = 0; i < 4; i++)
        {
            Create();
            node.WaitForPets(3);
        }

        Assert.Contains("\tnode1\t", Programs.RunOurs("-d", Device, "list").Output, StringComparison.Ordinal);
    }

    [Fact]
    public void A_servant_is_not_started_more_often_than_it_may()
    {
        using var node = Watch("-F", "1", "-t", "60");
        Create();
        node.WaitForPets(4);
        Create();
        Assert.Contains(node.WaitForEnd(), (int[])[137, 129]);
    }

    [Fact]
    public void USR1_starts_a_servant_again_that_had_to_wait()
    {
        using var node = Watch("-F", "1", "-t", "60");
        Create();
        node.WaitForPets(4);
        Create();
        Poll.Until(
            () =>
            {
                Nodes.Tool.Run("kill", "-USR1", File.ReadAllText(PidFile).Trim()).OrThrow();
                return Programs.RunOurs("-d", Device, "list").Output.Contains("node1", StringComparison.Ordinal);
            },
            "the servant has its slot again");
        node.WaitForPets(8);
    }

    private void Create(params string[] options)
    {
        if (!File.Exists(Device))
        {
            File.WriteAllBytes(Device, new byte[1 << 20]);
        }

        Assert.Equal(0, Programs.RunOurs(["-d", Device, "-2", "0", .. options, "create"]).Code);
    }

    private void Send(string word) =>
        Assert.Equal(0, Programs.RunOurs("-d", Device, "-n", "other", "message", "node1", word).Code);

    private Box Start(string boxOption, string boxValue) => new(
        [boxOption, boxValue], RunningNode.Program,
        ["-R", "-d", Device, "-n", "node1", "-p", PidFile, "watch"]);

    private Box Watch(params string[] options)
    {
        Create();
        var node = new Box(
            ["-P"], RunningNode.Program,
            ["-R", "-d", Device, "-n", "node1", "-p", PidFile, .. options, "watch"]);
        Assert.Equal(0, node.WaitForCommand());
        return node;
    }
}
