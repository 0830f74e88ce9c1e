using Xunit;

namespace BlockRepl.Fencing.Tests;

/// <summary>Nodes of both programs without a watchdog.</summary>
public sealed class SelfFencingTests : Behaviour
{
    [Theory]
    [InlineData("message reset", "SYSRQ b", "REBOOT restart", 129)]
    [InlineData("message off", "SYSRQ o", "REBOOT poweroff", 130)]
    [InlineData("message crashdump", "SYSRQ c", "", 139)]
    [InlineData("wipe flush,reboot", "SYSRQ b", "REBOOT restart", 129)]
    [InlineData("wipe off", "SYSRQ o", "REBOOT poweroff", 130)]
    [InlineData("wipe crashdump", "SYSRQ c", "", 139)]
    public void Without_a_watchdog_the_node_ends_itself(string how, string letter, string call, int status)
    {
        foreach (var original in new[] { false, true })
        {
            var devices = Create(original, "a");
            var (what, word) = (how.Split(' ')[0], how.Split(' ')[1]);
            using var node = Watch(
                original, ["-s"], devices, ["-w", "/dev/null", .. what == "wipe" ? ["-r", word] : (string[])[]]);
            if (what == "wipe")
            {
                File.WriteAllBytes(At('a'), new byte[1 << 20]);
            }
            else
            {
                Good(original, [.. devices, "message", "node1", word]);
            }

            Assert.Equal((original, status), (original, node.WaitForEnd()));
            Assert.Contains(letter, node.Log, StringComparison.Ordinal);
            Assert.Contains(call, node.Log, StringComparison.Ordinal);
        }
    }
}
