using BlockRepl.Nodes;
using Xunit;

namespace BlockRepl.EndToEnd.Tests;

/// <summary>What a daemon costs.</summary>
public sealed class MemoryTests
{
    private const long DiskBytes = 64L << 30;
    private const long LimitKiB = 160 << 10;

    [Fact]
    public void A_daemon_with_one_resource_of_64_GiB_stays_below_160_MiB()
    {
        Need.Program("fio", "fio");
        using TwoNodes nodes = TwoNodes.Connected(
            new TwoNodesOptions { DiskBytes = DiskBytes, Net = "protocol C; data-integrity-alg md5;" }, synced: false);
        nodes.Left.Command("new-current-uuid", "--clear-bitmap", "r0");
        nodes.WaitInSync();
        nodes.Left.Command("primary", "r0");
        ToolResult fio = Clients.Fio(
            nodes.Left, "bs=64k", "iodepth=32", "rw=randwrite", "size=60G", "io_size=192M", "norandommap",
            "randseed=71");
        Assert.True(fio.Succeeded, fio.Everything);
        Assert.InRange(nodes.Left.ResidentKiB(), 1, LimitKiB);
        Assert.InRange(nodes.Right.ResidentKiB(), 1, LimitKiB);
    }
}
