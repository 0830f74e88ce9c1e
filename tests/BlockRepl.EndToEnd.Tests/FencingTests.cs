using BlockRepl.Nodes;
using Xunit;

namespace BlockRepl.EndToEnd.Tests;

/// <summary>What a fence-peer handler answers decides whether a node without its peer may be Primary.</summary>
public sealed class FencingTests
{
    [Theory]
    [InlineData(1, "(-7)", "UpToDate")]
    [InlineData(4, "Primary", "UpToDate")]
    [InlineData(5, "Primary", "UpToDate")]
    [InlineData(6, "(-2)", "Outdated")]
    [InlineData(7, "Primary", "UpToDate")]
    public void A_secondary_that_has_lost_its_peer_asks_the_handler_before_it_is_promoted(
        int answer, string expected, string disk)
    {
        using var nodes = new TwoNodes(new TwoNodesOptions
        {
            Disk = "fencing resource-only; c-max-rate 4000M; c-min-rate 0;",
        });
        string called = Path.Combine(nodes.Folder, "called");
        File.WriteAllText(
            nodes.ConfigurationPath,
            File.ReadAllText(nodes.ConfigurationPath).Replace(
                "resource r0 {",
                $"resource r0 {{ handlers {{ fence-peer \"echo $DRBD_PEER >>{called}; exit {answer}\"; }}",
                StringComparison.Ordinal));
        nodes.CreateAndConnect();
        nodes.FirstSync();
        nodes.Left.Kill();
        nodes.Right.WaitFor(volume => volume.Connection == "WFConnection", "the peer is gone");
        ToolResult result = nodes.Right.Try("primary", "r0");
        Assert.Equal("left\n", File.ReadAllText(called));
        Assert.Equal(expected == "Primary", result.Succeeded);
        if (!result.Succeeded)
        {
            Assert.Contains(expected, result.Everything, StringComparison.Ordinal);
        }

        Assert.Equal(disk, nodes.Right.Status().Disk);
        Assert.Equal(expected == "Primary" ? "Primary" : "Secondary", nodes.Right.Status().Role);
    }
}
