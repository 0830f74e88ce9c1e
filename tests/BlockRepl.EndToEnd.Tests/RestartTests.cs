using System.Diagnostics;
using BlockRepl.Nodes;
using Xunit;

namespace BlockRepl.EndToEnd.Tests;

/// <summary>A daemon's process ends while it is worked with and another takes its place.</summary>
public sealed class RestartTests
{
    private const string Net = "protocol C; data-integrity-alg md5;";

    /// <summary>Much less than one extent of the activity log for each that was in use.</summary>
    private const long FewKiB = 16 << 10;

    [Fact]
    public void A_restart_under_load_keeps_the_role_and_needs_no_resync()
    {
        using TwoNodes nodes = TwoNodes.Connected(new TwoNodesOptions { Net = Net });
        WriteWhile(nodes.Left, () => nodes.Left.Restart());
        nodes.WaitInSync();
        VolumeView left = nodes.Left.Status();
        Assert.Equal("Primary", left.Role);
        Assert.Equal(0, left.OutOfSyncKiB);
        Assert.Contains(
            "the process before was killed with 0 writes under way", nodes.Left.LogTail(), StringComparison.Ordinal);
        AssertWorks(nodes);
    }

    [Fact]
    public void After_a_kill_under_load_only_what_was_under_way_is_resynchronised()
    {
        using TwoNodes nodes = TwoNodes.Connected(new TwoNodesOptions { Net = Net });
        WriteWhile(nodes.Left, nodes.Left.Kill);
        nodes.Left.Start();
        nodes.Left.Command("up", "r0");
        nodes.WaitInSync();
        Assert.InRange(nodes.Left.Status().SentKiB, 0, FewKiB);
        nodes.Left.Command("primary", "r0");
        AssertWorks(nodes);
    }

    /// <summary>Small random writes all over the device; they end with the daemon that took them.</summary>
    private static void WriteWhile(Node node, Action act)
    {
        Need.Program("fio", "fio");
        using Process fio = Tool.Start(
            Tool.Find("fio")!,
            [
                "--name=load", "--ioengine=nbd", "--uri=" + node.NbdUri, "--rw=randwrite", "--bs=4k", "--iodepth=16",
                "--time_based", "--runtime=60",
            ]);
        fio.OutputDataReceived += (_, _) => { };
        fio.ErrorDataReceived += (_, _) => { };
        fio.BeginOutputReadLine();
        fio.BeginErrorReadLine();
        node.WaitFor(v => v.DiskWrittenKiB > 4096, "some writes");
        act();
        if (!fio.WaitForExit(TimeSpan.FromSeconds(10)))
        {
            fio.Kill();
            fio.WaitForExit();
        }
    }

    private static void AssertWorks(TwoNodes nodes)
    {
        Need.Program("nbdcopy", "libnbd-bin");
        string file = Clients.RandomFile(nodes.Folder, "content", 4 << 20, seed: 1);
        Clients.CopyIn(file, nodes.Left);
        Assert.Equal(Clients.HashOfFile(file), Clients.HashOfDevice(nodes.Left, 4 << 20));
        Assert.True(nodes.DisksAreEqual(nodes.Down(nodes.Left, nodes.Right)));
    }
}
