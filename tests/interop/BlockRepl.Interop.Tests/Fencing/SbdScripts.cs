using Xunit;

namespace BlockRepl.Interop.Tests.Fencing;

/// <summary>
/// Nodes with a real kernel and its softdog: one with our sbd and one with Debian's on one disk, or one with each
/// where the same must hold for both. A machine that is reset ends, and QEMU says why.
/// </summary>
[Trait("Category", "Interop")]
[Trait("Time", "Short")]
public sealed class SbdScripts(SbdGuests guests) : IClassFixture<SbdGuests>
{
    private const string Reset = "guest-reset";
    private const string BySoftware = "sysrq: Resetting";
    private const string ByWatchdog = "softdog: Initiating system reboot";
    private const double WatchdogSeconds = 5;
    private const double MessageWaitSeconds = 10;

    /// <summary>An emulated machine on a busy one may be late.</summary>
    private const double Late = 3;

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Of_a_mixed_pair_each_shoots_the_other(bool originalShoots)
    {
        string lun = guests.NewLun();
        using SbdNode shooter = guests.Start("shooter", originalShoots, lun);
        using SbdNode victim = guests.Start("victim", !originalShoots, lun);
        shooter.Watch();
        victim.Watch();
        DateTime sent = DateTime.Now;
        shooter.Sbd("message victim reset").OrThrow();
        Assert.InRange((DateTime.Now - sent).TotalSeconds, MessageWaitSeconds, MessageWaitSeconds + Late);
        Assert.True(victim.HasEnded, "the sender was told of an end that was none: " + victim.Console);
        AssertEnd(victim, sent, BySoftware, MessageWaitSeconds + Late);
        Assert.Equal("0\tshooter\tclear\t\n1\tvictim\treset\tshooter", shooter.Sbd("list").OrThrow());
        Assert.True(shooter.IsWatched());
    }

    [Fact]
    public void Off_switches_off_and_crashdump_crashes()
    {
        string lun = guests.NewLun();
        using SbdNode off = guests.Start("one", false, lun);
        using SbdNode crashing = guests.Start("two", false, lun);
        off.Watch();
        crashing.Watch();
        DateTime sent = DateTime.Now;
        off.Begin("message LOCAL off");
        crashing.Begin("message LOCAL crashdump");
        Assert.Equal("guest-shutdown", off.WaitForEnd(sent).How);
        AssertEnd(crashing, sent, "sysrq: Trigger a crash", MessageWaitSeconds);
    }

    [Theory]
    [InlineData("KILL", BySoftware, 0, WatchdogSeconds)]
    [InlineData("STOP", ByWatchdog, 3, WatchdogSeconds + 2)]
    public void A_node_whose_daemon_is_killed_or_stopped_is_reset(
        string signal, string how, double atLeast, double atMost) =>
        OnBoth(
            node => node.Signal(signal),
            (node, since) => Assert.True(AssertEnd(node, since, how, atMost + Late) >= atLeast));

    /// <summary>Loop and I/O time-out, then the watchdog's.</summary>
    [Fact]
    public void A_node_whose_disk_hangs_is_reset_by_its_watchdog_within_msgwait() =>
        OnBoth(
            node => node.HangLun(),
            (node, since) => Assert.True(
                AssertEnd(node, since, ByWatchdog, MessageWaitSeconds + Late) >= WatchdogSeconds));

    [Fact]
    public void A_clean_stop_ends_no_node_and_leaves_the_watchdog_to_others() =>
        OnBoth(
            node => node.Signal("TERM"),
            (node, since) =>
            {
                // That nothing comes is proved when it would have come long ago.
                node.Do($"sleep {Math.Max(0, (int)(WatchdogSeconds + Late - (DateTime.Now - since).TotalSeconds))}");
                Assert.False(node.IsWatched());
                Assert.DoesNotContain("did not stop", node.Console);
                node.Watch();
            });

    [Fact]
    public void The_test_of_the_watchdog_resets_the_machine()
    {
        string lun = guests.NewLun();
        using SbdNode ours = guests.Start("ours", false, lun);
        using SbdNode original = guests.Start("original", true, lun);
        DateTime since = DateTime.Now;
        ours.Begin("-1 3 test-watchdog");
        original.Begin("-1 3 test-watchdog");
        foreach (SbdNode node in new[] { ours, original })
        {
            Assert.True(AssertEnd(node, since, ByWatchdog, WatchdogSeconds + Late) >= 3);
        }
    }

    [Fact]
    public void A_held_watchdog_is_reported_with_its_holder()
    {
        using SbdNode node = guests.Start("node", false, guests.NewLun());
        const string Original = $"{SbdNode.OriginalProgram} query-watchdog";
        string free = node.Sbd("query-watchdog").OrThrow();
        Assert.Equal(node.Do(Original), free);
        Assert.Contains("[1] /dev/watchdog\nIdentity: Software Watchdog\nDriver: softdog\n", free);

        string holder = node.Do("(exec sleep 600 >/dev/watchdog) & echo $!");
        string busy = $"[1] /dev/watchdog\nIdentity: Busy: PID {holder} (sleep)\n";
        Assert.Contains(busy, node.Sbd("query-watchdog").OrThrow());
        Assert.Contains(busy, node.Do(Original));

        GuestResult test = node.Sbd("test-watchdog");
        Assert.Equal(1, test.ExitCode);
        GuestResult start = node.Sbd("watch");
        Assert.Equal(1, start.ExitCode);
        Assert.Contains($"/dev/watchdog: process {holder} (sleep) has it already", start.Output);
    }

    [Fact]
    public void A_watchdog_that_cannot_be_disarmed_is_named_and_resets_a_node_that_is_stopped() =>
        OnBoth(
            node => node.Signal("TERM"),
            (node, since) =>
            {
                AssertEnd(node, since, ByWatchdog, WatchdogSeconds + Late);
                Assert.Equal(
                    !node.IsOriginal,
                    node.Console.Contains("cannot be disarmed any more (nowayout)", StringComparison.Ordinal));
            },
            node => node.Do("rmmod softdog && insmod /modules/*-softdog.ko nowayout=1"));

    /// <summary>A node with each program on one disk; something happens to both.</summary>
    private void OnBoth(Action<SbdNode> begin, Action<SbdNode, DateTime> check, Action<SbdNode>? prepare = null)
    {
        string lun = guests.NewLun();
        using SbdNode ours = guests.Start("ours", false, lun);
        using SbdNode original = guests.Start("original", true, lun);
        SbdNode[] both = [ours, original];
        foreach (SbdNode node in both)
        {
            prepare?.Invoke(node);
            node.Watch();
        }

        var begun = new DateTime[both.Length];
        for (int i = 0; i < both.Length; i++)
        {
            begun[i] = DateTime.Now;
            begin(both[i]);
        }

        for (int i = 0; i < both.Length; i++)
        {
            check(both[i], begun[i]);
        }
    }

    /// <returns>The seconds that it took.</returns>
    private static double AssertEnd(SbdNode node, DateTime since, string how, double atMost)
    {
        (string end, double seconds) = node.WaitForEnd(since);
        Assert.Equal(Reset, end);
        Assert.Contains(how, node.Console);
        Assert.True(seconds <= atMost, $"only after {seconds:0.0} s:\n{node.Console}");
        return seconds;
    }
}
