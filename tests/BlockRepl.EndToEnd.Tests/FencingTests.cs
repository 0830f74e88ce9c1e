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
        using TwoNodes nodes = Synced($"exit {answer}");
        nodes.Left.Kill();
        nodes.Right.WaitFor(volume => volume.Connection == "WFConnection", "the peer is gone");
        ToolResult result = nodes.Right.Try("primary", "r0");
        Assert.Equal("left\n", File.ReadAllText(Path.Combine(nodes.Folder, "called")));
        Assert.Equal(expected == "Primary", result.Succeeded);
        if (!result.Succeeded)
        {
            Assert.Contains(expected, result.Everything, StringComparison.Ordinal);
        }

        Assert.Equal(disk, nodes.Right.Status().Disk);
        Assert.Equal(expected == "Primary" ? "Primary" : "Secondary", nodes.Right.Status().Role);
    }

    [Fact]
    public void Data_that_may_be_old_are_promoted_by_force_and_from_then_on_as_usual()
    {
        using TwoNodes nodes = Synced("exit 5");
        nodes.Left.Kill();
        nodes.Right.Kill();
        nodes.Right.Start();
        nodes.Right.Command("up", "r0");
        Assert.Equal("Consistent", nodes.Right.Status().Disk);
        Assert.Contains("(-2)", nodes.Right.Try("primary", "r0").Everything, StringComparison.Ordinal);
        nodes.Right.Command("primary", "--force", "r0");
        nodes.Right.Command("secondary", "r0");
        nodes.Right.Command("primary", "r0");
        Assert.Equal("UpToDate", nodes.Right.Status().Disk);
    }

    /// <summary>A pair in sync whose fence-peer handler notes in the file "called" for whom it was called.</summary>
    private static TwoNodes Synced(string answer)
    {
        var nodes = new TwoNodes(new TwoNodesOptions
        {
            Disk = "fencing resource-only; c-max-rate 4000M; c-min-rate 0;",
        });
        string called = Path.Combine(nodes.Folder, "called");
        File.WriteAllText(
            nodes.ConfigurationPath,
            File.ReadAllText(nodes.ConfigurationPath).Replace(
                "resource r0 {",
                $"resource r0 {{ handlers {{ fence-peer \"echo $DRBD_PEER >>{called}; {answer}\"; }}",
                StringComparison.Ordinal));
        nodes.CreateAndConnect();
        nodes.FirstSync();
        return nodes;
    }
}
