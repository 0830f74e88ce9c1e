using BlockRepl.Nodes;
using Xunit;

namespace BlockRepl.EndToEnd.Tests;

/// <summary>What the commands print and refuse.</summary>
public sealed class CommandTests
{
    [Fact]
    public void Status_looks_like_proc_drbd()
    {
        using TwoNodes nodes = TwoNodes.Connected(new TwoNodesOptions());
        string text = nodes.Left.Command("status");
        Assert.Matches(@"(?m)^version: 8\.4\.", text);
        Assert.Matches(@"(?m)^ ?0: cs:Connected ro:Primary/Secondary ds:UpToDate/UpToDate C r-----", text);
        Assert.Matches(
            @"(?m)^ +ns:\d+ nr:\d+ dw:\d+ dr:\d+ al:\d+ bm:\d+ lo:\d+ pe:\d+ ua:\d+ ap:\d+ ep:\d+ wo:\w oos:0", text);
    }

    [Fact]
    public void A_second_primary_is_refused_with_drbds_number_and_in_words()
    {
        using TwoNodes nodes = TwoNodes.Connected(new TwoNodesOptions());
        ToolResult refused = nodes.Right.Try("primary", "r0");
        Assert.False(refused.Succeeded, refused.Everything);
        Assert.Contains("-1", refused.Error + refused.Output, StringComparison.Ordinal);
        Assert.Contains("rimary", refused.Error + refused.Output, StringComparison.Ordinal);
        Assert.Equal("Secondary", nodes.Right.Status().Role);
    }

    [Fact]
    public void A_new_node_without_good_data_is_not_promoted_unless_forced()
    {
        using TwoNodes nodes = TwoNodes.Connected(new TwoNodesOptions(), synced: false);
        ToolResult refused = nodes.Left.Try("primary", "r0");
        Assert.False(refused.Succeeded, refused.Everything);
        Assert.Contains("-2", refused.Error + refused.Output, StringComparison.Ordinal);
        Assert.Equal("Inconsistent", nodes.Left.Status().Disk);
    }

    [Fact]
    public void New_current_uuid_saves_the_first_sync_of_equal_disks()
    {
        using TwoNodes nodes = TwoNodes.Connected(new TwoNodesOptions(), synced: false);
        nodes.Left.Command("new-current-uuid", "--clear-bitmap", "r0");
        nodes.WaitInSync();
        nodes.Left.Command("primary", "r0");
        Assert.Equal(0, nodes.Right.Status().ReceivedKiB);
    }

    [Fact]
    public void Invalidate_copies_the_peers_disk_again()
    {
        using TwoNodes nodes = TwoNodes.Connected(new TwoNodesOptions());
        long before = nodes.Right.Status().ReceivedKiB;
        nodes.Right.Command("invalidate", "r0");
        nodes.WaitInSync();
        Assert.True(nodes.Right.Status().ReceivedKiB > before);
        Assert.True(nodes.DisksAreEqual(nodes.Down(nodes.Left, nodes.Right)));
    }

    [Fact]
    public void An_unknown_resource_is_refused_by_name()
    {
        using TwoNodes nodes = TwoNodes.Connected(new TwoNodesOptions(), synced: false);
        ToolResult refused = nodes.Left.Try("up", "nonesuch");
        Assert.False(refused.Succeeded, refused.Everything);
        Assert.Contains("nonesuch", refused.Error + refused.Output, StringComparison.Ordinal);
    }

    [Fact]
    public void A_primary_that_detaches_goes_on_with_its_peers_disk()
    {
        Need.Program("nbdcopy", "libnbd-bin");
        using TwoNodes nodes = TwoNodes.Connected(new TwoNodesOptions());
        string file = Clients.RandomFile(nodes.Folder, "content", 4 << 20, seed: 61);
        nodes.Left.Command("detach", "r0");
        nodes.Left.WaitFor(v => v.Disk == "Diskless", "detach");
        Clients.CopyIn(file, nodes.Left);
        Assert.Equal(Clients.HashOfFile(file), Clients.HashOfDevice(nodes.Left, 4 << 20));

        nodes.Left.Command("attach", "r0");
        nodes.WaitInSync();
        Assert.True(nodes.DisksAreEqual(nodes.Down(nodes.Left, nodes.Right)));
    }
}
