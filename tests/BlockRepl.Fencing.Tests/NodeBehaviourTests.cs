using System.Diagnostics;
using Xunit;

namespace BlockRepl.Fencing.Tests;

/// <summary>Nodes of both programs that a watchdog or another node ends.</summary>
public sealed class NodeBehaviourTests : Behaviour
{
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void The_test_of_the_watchdog_lets_it_bite(bool original)
    {
        using var test = Start(original, [], ["-w", "/dev/watchdog", "-1", "5", "test-watchdog"]);
        Assert.Equal(137, test.WaitForEnd());
        Assert.Contains("WD settimeout 5", test.Log, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void An_inquisitor_that_is_stopped_is_bitten(bool original)
    {
        var pidFile = Path.Combine(Folder, "pid");
        using var node = Watch(original, ["-P"], Create(original, "a", "b", "c"), "-p", pidFile);
        node.WaitForPets(3);
        Nodes.Tool.Run("kill", "-STOP", File.ReadAllText(pidFile).Trim()).OrThrow();
        AssertBitten(original, node.WaitForEnd(seconds: 20));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void A_node_whose_device_is_wiped_ends_in_time(bool original)
    {
        using var node = Watch(original, [], Create(original, "a"));
        var wiped = Stopwatch.StartNew();
        File.WriteAllBytes(At('a'), new byte[1 << 20]);
        AssertBitten(original, node.WaitForEnd());
        Assert.InRange(wiped.Elapsed.TotalSeconds, 5, 20);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Of_a_mixed_pair_each_shoots_the_other(bool originalShoots)
    {
        var devices = Create(originalShoots, "a");
        using var survivor = Watch(originalShoots, [], devices, "-n", "survivor");
        using var victim = Watch(!originalShoots, [], devices);
        using var sent = Start(originalShoots, [], [.. devices, "-n", "survivor", "message", "node1", "reset"]);
        Assert.Equal(129, victim.WaitForEnd());
        Assert.Contains("WD close armed", victim.Log, StringComparison.Ordinal);
        Assert.Equal(0, sent.WaitForEnd());
        Assert.InRange(sent.TimeOf("ended 0"), 10, 25);
        Assert.False(survivor.HasEnded, survivor.Log);
        Good(originalShoots, [.. devices, "message", "survivor", "exit"]);
        Assert.Equal(0, survivor.WaitForEnd());
        Assert.Contains("WD close disarmed", survivor.Log, StringComparison.Ordinal);
    }

    /// <summary>
    /// Our guard is due half a second after the watchdog, the original's software a second: the box's watchdog is no
    /// hardware, and may be late by that on a busy machine. Real kernels: BlockRepl.Interop.Tests.
    /// </summary>
    private static void AssertBitten(bool original, int status) =>
        Assert.Contains(status, original ? [137] : (int[])[137, 129]);
}
