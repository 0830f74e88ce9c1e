using BlockRepl.Nodes;
using Xunit;

namespace BlockRepl.EndToEnd.Tests;

/// <summary>Other people's NBD clients against our server.</summary>
public sealed class NbdClientTests
{
    [Theory]
    [InlineData("bs=4k", "iodepth=32", "rw=randwrite")]
    [InlineData("bs=1m", "iodepth=4", "rw=write")]
    [InlineData("bsrange=512-256k", "iodepth=8", "rw=randrw")]
    public void Fio_writes_and_verifies_checksums(string size, string depth, string pattern)
    {
        Need.Program("fio", "fio");
        using TwoNodes nodes = TwoNodes.Connected(new TwoNodesOptions { Net = "protocol C; data-integrity-alg md5;" });
        ToolResult fio = Clients.Fio(
            nodes.Left, size, depth, pattern, "size=48M", "verify=crc32c", "verify_fatal=1", "randseed=11",
            "end_fsync=1");
        Assert.True(fio.Succeeded, fio.Everything);
        Assert.True(nodes.DisksAreEqual(nodes.Down(nodes.Left, nodes.Right)));
    }

    [Fact]
    public void Nbdinfo_shows_what_the_export_can_do()
    {
        Need.Program("nbdinfo", "libnbd-bin");
        using TwoNodes nodes = TwoNodes.Connected(new TwoNodesOptions());
        string info = Tool.Run("nbdinfo", nodes.Left.NbdUri).OrThrow().Output;
        foreach (string line in new[]
        {
            "protocol: newstyle-fixed", "is_read_only: false", "can_flush: true", "can_fua: true", "can_trim: true",
            "can_zero: true",
        })
        {
            Assert.Contains(line, info, StringComparison.Ordinal);
        }

        Assert.Contains($"export-size: {nodes.Left.Status().SizeSectors * 512}", info, StringComparison.Ordinal);
        string list = Tool.Run("nbdinfo", "--list", $"nbd+unix://?socket={nodes.Left.NbdSocket}").OrThrow().Output;
        Assert.Contains("r0/0", list, StringComparison.Ordinal);
    }

    [Fact]
    public void An_export_that_does_not_exist_is_refused()
    {
        Need.Program("nbdinfo", "libnbd-bin");
        using TwoNodes nodes = TwoNodes.Connected(new TwoNodesOptions());
        ToolResult info = Tool.Run("nbdinfo", nodes.Left.NbdUri.Replace("/r0/0", "/none/0", StringComparison.Ordinal));
        Assert.False(info.Succeeded, info.Everything);
        Assert.True(Tool.Run("nbdinfo", nodes.Left.NbdUri).Succeeded);
    }

    [Fact]
    public void A_secondary_refuses_to_be_written_and_says_why()
    {
        Need.Program("qemu-io", "qemu-utils");
        Need.Program("nbdcopy", "libnbd-bin");
        using TwoNodes nodes = TwoNodes.Connected(new TwoNodesOptions());
        string file = Clients.RandomFile(nodes.Folder, "content", 1 << 20, seed: 21);
        ToolResult copy = Tool.Run("nbdcopy", file, nodes.Right.NbdUri);
        Assert.False(copy.Succeeded, copy.Everything);
        ToolResult open = Tool.Run("qemu-io", "-f", "raw", "-c", "write 0 4k", nodes.Right.NbdUri);
        Assert.Contains("Secondary", open.Output + open.Error, StringComparison.Ordinal);
    }

    [Fact]
    public void Discarded_and_zeroed_ranges_are_the_same_on_both_disks()
    {
        Need.Program("qemu-io", "qemu-utils");
        using TwoNodes nodes = TwoNodes.Connected(new TwoNodesOptions());
        string uri = nodes.Left.NbdUri;
        ToolResult io = Tool.Run(
            "qemu-io", "-f", "raw", uri,
            "-c", "write -P 0x5a 0 8M", "-c", "discard 1M 2M", "-c", "write -z 4M 1M", "-c", "write -z -u 6M 1M",
            "-c", "flush",
            "-c", "read -P 0x5a 0 1M", "-c", "read -P 0 4M 1M", "-c", "read -P 0 6M 1M", "-c", "read -P 0x5a 7M 1M");
        Assert.True(io.Succeeded, io.Everything);
        Assert.DoesNotContain("verification failed", io.Output, StringComparison.Ordinal);
        Assert.True(nodes.DisksAreEqual(nodes.Down(nodes.Left, nodes.Right)));
    }
}
