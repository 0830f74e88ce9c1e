using System.Diagnostics;
using BlockRepl.Nodes;
using Xunit;

namespace BlockRepl.EndToEnd.Tests;

/// <summary>The main job: what one node was told to write is on both, and either may die.</summary>
public sealed class ReplicationTests
{
    private const int FileBytes = 8 << 20;

    [Theory]
    [InlineData("protocol A;")]
    [InlineData("protocol B; data-integrity-alg md5;")]
    [InlineData("protocol C; data-integrity-alg sha1; cram-hmac-alg sha1; shared-secret \"secret\";")]
    public void What_is_written_on_the_primary_is_on_both_disks(string net)
    {
        Need.Program("nbdcopy", "libnbd-bin");
        using TwoNodes nodes = TwoNodes.Connected(new TwoNodesOptions { Net = net });
        string file = Clients.RandomFile(nodes.Folder, "content", FileBytes, seed: 1);

        Clients.CopyIn(file, nodes.Left);
        nodes.Left.WaitFor(v => v.IsInSync && v.OutOfSyncKiB == 0, "both disks equal");
        long size = nodes.Down(nodes.Left, nodes.Right);

        Assert.True(nodes.DisksAreEqual(size));
        Assert.True(
            File.ReadAllBytes(nodes.Right.DiskPath).AsSpan(0, FileBytes).SequenceEqual(File.ReadAllBytes(file)));
    }

    [Fact]
    public void The_secondary_takes_over_when_the_primary_is_killed_under_load_and_the_way_back_is_a_bitmap_resync()
    {
        Need.Program("nbdcopy", "libnbd-bin");
        Need.Program("fio", "fio");
        using TwoNodes nodes = TwoNodes.Connected(new TwoNodesOptions { Net = "protocol C; data-integrity-alg md5;" });
        string file = Clients.RandomFile(nodes.Folder, "content", FileBytes, seed: 2);
        Clients.CopyIn(file, nodes.Left);

        KillUnderLoad(nodes.Left);
        nodes.Right.WaitFor(v => v.Connection != "Connected", "the loss of left");
        Poll.Until(() => nodes.Right.Try("primary", "r0").Succeeded, "promotion of right");
        Assert.Equal(Clients.HashOfFile(file), Clients.HashOfDevice(nodes.Right, FileBytes));
        string later = Clients.RandomFile(nodes.Folder, "later", FileBytes, seed: 3);
        Clients.CopyIn(later, nodes.Right);

        nodes.Left.Start();
        nodes.Left.Command("up", "r0");
        nodes.WaitInSync();
        VolumeView left = nodes.Left.Status();
        Assert.Equal("Secondary", left.Role);
        Assert.InRange(left.ReceivedKiB, FileBytes >> 10, left.SizeSectors / 2 - 1);
        long size = nodes.Down(nodes.Right, nodes.Left);
        Assert.True(nodes.DisksAreEqual(size));
        Assert.True(
            File.ReadAllBytes(nodes.Left.DiskPath).AsSpan(0, FileBytes).SequenceEqual(File.ReadAllBytes(later)));
    }

    [Fact]
    public void The_roles_change_hands_in_an_orderly_way_without_a_resync()
    {
        Need.Program("nbdcopy", "libnbd-bin");
        using TwoNodes nodes = TwoNodes.Connected(new TwoNodesOptions());
        string file = Clients.RandomFile(nodes.Folder, "content", FileBytes, seed: 4);
        Clients.CopyIn(file, nodes.Left);

        nodes.Left.Command("secondary", "r0");
        nodes.Right.Command("primary", "r0");

        Assert.Equal(Clients.HashOfFile(file), Clients.HashOfDevice(nodes.Right, FileBytes));
        Assert.True(nodes.Right.Status().IsInSync);
        Assert.Equal("Primary", nodes.Left.Status().PeerRole);
    }

    [Fact]
    public void A_disconnected_secondary_is_brought_up_to_date_by_its_bitmap()
    {
        Need.Program("nbdcopy", "libnbd-bin");
        using TwoNodes nodes = TwoNodes.Connected(new TwoNodesOptions());
        nodes.Right.Command("disconnect", "r0");
        nodes.Left.WaitFor(v => v.Connection != "Connected", "the disconnect");
        string file = Clients.RandomFile(nodes.Folder, "content", FileBytes, seed: 5);
        Clients.CopyIn(file, nodes.Left);
        Assert.Equal(FileBytes >> 10, nodes.Left.Status().OutOfSyncKiB);

        nodes.Right.Command("connect", "r0");
        nodes.WaitInSync();

        Assert.InRange(nodes.Right.Status().ReceivedKiB, FileBytes >> 10, 2 * FileBytes >> 10);
        Assert.True(nodes.DisksAreEqual(nodes.Down(nodes.Left, nodes.Right)));
    }

    [Fact]
    public void Verify_finds_blocks_that_were_changed_behind_our_back_and_a_reconnect_repairs_them()
    {
        Need.Program("nbdcopy", "libnbd-bin");
        using TwoNodes nodes = TwoNodes.Connected(new TwoNodesOptions { Net = "protocol C; verify-alg crc32c;" });
        string rot = Clients.RandomFile(nodes.Folder, "rot", 100, seed: 9);
        Tool.Run(
            "dd", "if=" + rot, "of=" + nodes.Right.DiskPath, "bs=100", "seek=20000", "conv=notrunc,fsync").OrThrow();

        nodes.Left.Command("verify", "r0");
        nodes.Left.WaitFor(v => v.Connection == "Connected" && v.OutOfSyncKiB > 0, "the end of verify");
        Assert.Equal(4, nodes.Left.Status().OutOfSyncKiB);

        nodes.Right.Command("disconnect", "r0");
        nodes.Right.Command("connect", "r0");
        nodes.WaitInSync();
        Assert.Equal(0, nodes.Left.Status().OutOfSyncKiB);
        Assert.True(nodes.DisksAreEqual(nodes.Down(nodes.Left, nodes.Right)));
    }

    [Fact]
    public void A_secondary_that_dies_does_not_stop_the_primary()
    {
        Need.Program("nbdcopy", "libnbd-bin");
        using TwoNodes nodes = TwoNodes.Connected(new TwoNodesOptions());
        nodes.Right.Kill();
        string file = Clients.RandomFile(nodes.Folder, "content", FileBytes, seed: 6);
        Clients.CopyIn(file, nodes.Left);
        Assert.Equal(Clients.HashOfFile(file), Clients.HashOfDevice(nodes.Left, FileBytes));

        nodes.Right.Start();
        nodes.Right.Command("up", "r0");
        nodes.WaitInSync();
        Assert.True(nodes.DisksAreEqual(nodes.Down(nodes.Left, nodes.Right)));
    }

    [Fact]
    public async Task Two_primaries_that_write_the_same_blocks_at_once_end_with_equal_disks()
    {
        Need.Program("fio", "fio");
        TwoNodesOptions options = new() { Net = "protocol C; data-integrity-alg md5; allow-two-primaries;" };
        using TwoNodes nodes = TwoNodes.Connected(options);
        nodes.Right.Command("primary", "r0");
        string[] load =
        [
            "rw=randwrite", "bsrange=512-16k", "blockalign=512", "size=1m", "io_size=16m", "iodepth=16", "norandommap",
            "randrepeat=0",
        ];
        Task<ToolResult> other = Task.Run(() => Clients.Fio(nodes.Right, load));
        Clients.Fio(nodes.Left, load).OrThrow();
        (await other).OrThrow();

        string logs = File.ReadAllText(nodes.Left.LogPath) + File.ReadAllText(nodes.Right.LogPath);
        Assert.Contains("concurrent writes", logs, StringComparison.Ordinal);
        nodes.WaitInSync();
        Assert.Equal(0, nodes.Left.Status().OutOfSyncKiB);
        nodes.Right.Command("secondary", "r0");
        Assert.True(nodes.DisksAreEqual(nodes.Down(nodes.Left, nodes.Right)));
    }

    [Fact]
    public void Two_nodes_that_both_wrote_alone_refuse_each_other_and_the_operator_decides()
    {
        Need.Program("nbdcopy", "libnbd-bin");
        using TwoNodes nodes = TwoNodes.Connected(new TwoNodesOptions());
        nodes.Right.Command("disconnect", "r0");
        nodes.Left.WaitFor(v => v.Connection != "Connected", "the disconnect");
        string good = Clients.RandomFile(nodes.Folder, "good", FileBytes, seed: 7);
        Clients.CopyIn(good, nodes.Left);
        nodes.Right.Command("primary", "r0", "--force");
        Clients.CopyIn(Clients.RandomFile(nodes.Folder, "bad", 1 << 20, seed: 8), nodes.Right);
        nodes.Right.Command("secondary", "r0");

        nodes.Right.Try("connect", "r0");
        Poll.Until(() => HasRefused(nodes.Left) || HasRefused(nodes.Right), "the refusal", seen: nodes.Right.LogTail);

        nodes.Right.Try("disconnect", "r0");
        nodes.Right.Command("connect", "--discard-my-data", "r0");
        nodes.Left.Try("connect", "r0");
        nodes.WaitInSync();
        Assert.Equal(Clients.HashOfFile(good), Clients.HashOfDevice(nodes.Left, FileBytes));
        Assert.True(nodes.DisksAreEqual(nodes.Down(nodes.Left, nodes.Right)));
    }

    [Fact]
    public void A_daemon_ends_in_order_on_sigterm_and_comes_back_without_a_resync()
    {
        using TwoNodes nodes = TwoNodes.Connected(new TwoNodesOptions());
        Assert.Equal(0, nodes.Right.Stop());

        nodes.Right.Start();
        nodes.Right.Command("up", "r0");
        nodes.WaitInSync();
        Assert.True(nodes.DisksAreEqual(nodes.Down(nodes.Left, nodes.Right)));
    }

    /// <summary>
    /// The node that sees the split brain first ends the connection; the other may see it too, or only the end.
    /// </summary>
    private static bool HasRefused(Node node) =>
        node.Status().Connection == "StandAlone" && node.LogTail().Contains("plit", StringComparison.Ordinal);

    /// <summary>Kills the node's daemon while fio writes to the second half of its device.</summary>
    private static void KillUnderLoad(Node node)
    {
        long before = node.Status().DiskWrittenKiB;
        using Process load = Tool.Start(
            Tool.Find("fio")!, "--name=load", "--ioengine=nbd", "--uri=" + node.NbdUri, "--offset=32M", "--size=16M",
            "--bs=16k", "--iodepth=8", "--rw=randwrite", "--time_based", "--runtime=60");
        load.OutputDataReceived += (_, _) => { };
        load.ErrorDataReceived += (_, _) => { };
        load.BeginOutputReadLine();
        load.BeginErrorReadLine();
        node.WaitFor(v => v.DiskWrittenKiB > before + 4096, "load");
        node.Kill();
        Assert.True(load.WaitForExit(TimeSpan.FromSeconds(60)), "fio hangs on a dead server");
    }
}
