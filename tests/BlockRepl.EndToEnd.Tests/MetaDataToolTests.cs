using BlockRepl.Nodes;
using Xunit;

namespace BlockRepl.EndToEnd.Tests;

/// <summary>Meta data on disk: what Debian's drbdmeta reads in ours, and what create-md refuses to overwrite.</summary>
public sealed class MetaDataToolTests
{
    [Fact]
    public void Drbdmeta_reads_the_same_as_our_own_dump()
    {
        Need.Program("drbdmeta", "drbd-utils");
        Need.Program("nbdcopy", "libnbd-bin");
        using TwoNodes nodes = TwoNodes.Connected(new TwoNodesOptions());
        nodes.Right.Command("disconnect", "r0");
        nodes.Left.WaitFor(v => v.Connection != "Connected", "the disconnect");
        Clients.CopyIn(Clients.RandomFile(nodes.Folder, "content", 3 << 20, seed: 31), nodes.Left);
        nodes.Left.Command("down", "r0");
        nodes.Left.Command("apply-al", "r0");

        string ours = nodes.Left.Command("dump-md", "r0");
        string theirs = Tool.Run(
            Tool.Find("drbdmeta")!, "--force", "-", "v08", nodes.Left.DiskPath, "internal", "dump-md").OrThrow().Output;
        Assert.Equal(Facts(theirs), Facts(ours));
        Assert.Contains("bits-set 768", ours, StringComparison.Ordinal);
    }

    [Fact]
    public void Meta_data_of_drbdmeta_is_attached_as_it_is()
    {
        Need.Program("drbdmeta", "drbd-utils");
        using var nodes = new TwoNodes(new TwoNodesOptions());
        foreach (Node node in new[] { nodes.Left, nodes.Right })
        {
            Tool.Run(Tool.Find("drbdmeta")!, "--force", "-", "v08", node.DiskPath, "internal", "create-md").OrThrow();
            node.Start();
            node.Command("up", "r0");
        }

        nodes.FirstSync();
        Assert.True(nodes.DisksAreEqual(nodes.Down(nodes.Left, nodes.Right)));
    }

    [Fact]
    public void Create_md_leaves_a_disk_with_a_file_system_alone_unless_forced()
    {
        Need.Program("mke2fs", "e2fsprogs");
        using var nodes = new TwoNodes(new TwoNodesOptions());
        Tool.Run(Tool.Find("mke2fs")!, "-q", "-F", nodes.Left.DiskPath).OrThrow();
        string before = Clients.HashOfFile(nodes.Left.DiskPath);

        ToolResult refused = nodes.Left.Try("create-md", "r0");

        Assert.False(refused.Succeeded, refused.Everything);
        Assert.Contains("ext", refused.Error + refused.Output, StringComparison.Ordinal);
        Assert.Equal(before, Clients.HashOfFile(nodes.Left.DiskPath));
    }

    [Fact]
    public void Meta_data_of_drbd_9_is_refused_by_name()
    {
        Need.Program("drbdmeta", "drbd-utils");
        using var nodes = new TwoNodes(new TwoNodesOptions());
        Tool.Run(
            Tool.Find("drbdmeta")!, "--force", "-", "v09", nodes.Left.DiskPath, "internal", "create-md", "1").OrThrow();
        nodes.Left.Start();

        ToolResult refused = nodes.Left.Try("up", "r0");

        Assert.False(refused.Succeeded, refused.Everything);
        Assert.Contains("v09", refused.Error + refused.Output, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("meta-disk {folder}/meta[1];", 512 << 20)]
    [InlineData("flexible-meta-disk {folder}/meta;", 4 << 20)]
    public void External_meta_data_leaves_the_whole_disk_to_the_data(string metaDisk, long metaBytes)
    {
        Need.Program("nbdcopy", "libnbd-bin");
        var options = new TwoNodesOptions { MetaDisk = metaDisk };
        using var nodes = new TwoNodes(options);
        foreach (Node node in new[] { nodes.Left, nodes.Right })
        {
            using FileStream meta = File.Create(Path.Combine(node.Folder, "meta"));
            meta.SetLength(metaBytes);
        }

        nodes.CreateAndConnect();
        nodes.FirstSync();
        Assert.Equal(options.DiskBytes / 512, nodes.Left.Status().SizeSectors);
        Clients.CopyIn(Clients.RandomFile(nodes.Folder, "content", (int)options.DiskBytes, seed: 32), nodes.Left);
        Assert.True(nodes.DisksAreEqual(nodes.Down(nodes.Left, nodes.Right)));
    }

    /// <summary>
    /// The lines of a dump that state something: without comments on the tool and the time, and without the flags,
    /// which drbdmeta 9.22 prints as 0 whatever they are.
    /// </summary>
    private static string Facts(string dump)
    {
        IEnumerable<string> lines = dump.Split('\n')
            .Select(line => line.TrimEnd())
            .Where(line => !line.Contains("flags", StringComparison.Ordinal))
            .Where(line => line.Length > 0 && !line.StartsWith("# ", StringComparison.Ordinal) && line != "#")
            .Concat(dump.Split('\n').Where(line => line.StartsWith("# bits-set", StringComparison.Ordinal)));
        return string.Join('\n', lines);
    }
}
