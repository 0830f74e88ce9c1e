using System.Diagnostics;
using System.Globalization;
using System.Text.RegularExpressions;
using BlockRepl.Nodes;
using Xunit;

namespace BlockRepl.EndToEnd.Tests;

/// <summary>The devices that Primary volumes have, used as people use disks: mkfs, mount, compile, fail over.</summary>
public sealed partial class DeviceTests
{
    private const string Fuse = "fuse";

    [Theory]
    [InlineData(Fuse)]
    public void A_source_tree_is_compiled_on_the_device_and_is_there_on_the_other_node(string frontEnd)
    {
        NeedDevices(frontEnd);
        Need.Program("cmake", "cmake");
        Need.Program("gcc", "gcc");
        using TwoNodes nodes = Connected(frontEnd);
        Tool.Run("mkfs.ext4", "-q", nodes.Left.Device).OrThrow();
        string hash;
        using (var files = new MountedFileSystem(nodes.Left))
        {
            string sources = Path.Combine(files.Path, "native");
            Tool.Run("cp", "-r", Path.Combine(Programs.RepositoryRoot, "native"), sources).OrThrow();
            string build = Path.Combine(files.Path, "build");
            Tool.Run("cmake", "-S", sources, "-B", build).OrThrow();
            Tool.Run("cmake", 300, ["--build", build, "--target", "blockrepl_native"]).OrThrow();
            Tool.Run("sync", "-f", files.Path).OrThrow();
            hash = HashOfTree(files.Path);
            files.Unmount();
        }

        Tool.Run("e2fsck", "-fn", nodes.Left.Device).OrThrow();
        nodes.Left.Command("secondary", "r0");
        Assert.Throws<IOException>(() => File.OpenRead(nodes.Left.Device));
        nodes.Right.Command("primary", "r0");
        Tool.Run("e2fsck", "-fn", nodes.Right.Device).OrThrow();
        using (var files = new MountedFileSystem(nodes.Right))
        {
            Assert.Equal(hash, HashOfTree(files.Path));
            files.Unmount();
        }

        Assert.True(nodes.DisksAreEqual(nodes.Down(nodes.Right, nodes.Left)));
        AssertNothingLeft(nodes.Left, nodes.Right);
    }

    [Theory]
    [InlineData(Fuse)]
    public void A_role_is_not_given_up_while_somebody_has_the_device_and_he_is_named(string frontEnd)
    {
        NeedDevices(frontEnd);
        using TwoNodes nodes = Connected(frontEnd);
        Tool.Run("mkfs.ext4", "-q", nodes.Left.Device).OrThrow();
        using (var files = new MountedFileSystem(nodes.Left))
        {
            foreach (string command in new[] { "secondary", "down" })
            {
                ToolResult refused = nodes.Left.Try(command, "r0");
                Assert.Equal(11, refused.ExitCode);
                Assert.Contains("(-12) Device is held open by someone", refused.Error, StringComparison.Ordinal);
                Assert.Contains($"is mounted on {files.Path}.", refused.Error, StringComparison.Ordinal);
            }

            File.WriteAllText(Path.Combine(files.Path, "still"), "writable");
            files.Unmount();
        }

        using (Process reader = Tool.Start("tail", "-f", nodes.Left.Device))
        {
            Poll.Until(() => HasOpen(reader.Id, nodes.Left.Device), "tail has the device open");
            ToolResult refused = nodes.Left.Try("secondary", "r0");
            reader.Kill();
            reader.WaitForExit();
            Assert.Equal(11, refused.ExitCode);
            Assert.Contains($"is open in tail (process {reader.Id}).", refused.Error, StringComparison.Ordinal);
        }

        Assert.Equal("Primary", nodes.Left.Status().Role);
        nodes.Left.Command("secondary", "r0");
        AssertNothingLeft(nodes.Left);
    }

    [Theory]
    [InlineData(Fuse, "killed", 3)]
    [InlineData(Fuse, "restarted", 3)]
    [InlineData(Fuse, "stopped", 1)]
    [InlineData(Fuse, "killed after its keeper", 1)]
    public async Task A_mounted_device_outlives_daemons_that_end_under_load(string frontEnd, string end, int few)
    {
        NeedDevices(frontEnd);
        Need.Program("fio", "fio");
        int times = few > 1 ? StallTable.Times(few) : few;
        var stalls = new List<double>();
        using TwoNodes nodes = Connected(frontEnd);
        Tool.Run("mkfs.ext4", "-q", nodes.Left.Device).OrThrow();
        using (var files = new MountedFileSystem(nodes.Left))
        {
            string kernelNode = KernelNode(nodes.Left);
            var load = new VerifiedLoad(files.Path);
            var probe = new StallProbe(files.Path);
            for (int i = 0; i < times; i++)
            {
                load.WaitForWrites(nodes.Left);
                _ = probe.TakeLongest();
                EndDaemon(nodes.Left, end);
                stalls.Add(probe.TakeLongest());
                Assert.Equal("Primary", nodes.Left.Status().Role);
                Assert.Equal(kernelNode, KernelNode(nodes.Left));
            }

            load.WaitForWrites(nodes.Left);
            await load.FinishAsync();
            await probe.FinishAsync();
            files.Unmount();
        }

        int blocks = MostBlocksMarked(nodes.Left, end, times);
        StallTable.Add($"{frontEnd} {end}, at most {blocks} blocks marked", stalls);

        Tool.Run("e2fsck", "-fn", nodes.Left.Device).OrThrow();
        nodes.WaitInSync();
        Assert.True(nodes.DisksAreEqual(nodes.Down(nodes.Left, nodes.Right)));
        AssertNothingLeft(nodes.Left);
    }

    [Theory]
    [InlineData(Fuse)]
    public void A_device_that_nobody_has_open_goes_with_its_killed_daemon(string frontEnd)
    {
        NeedDevices(frontEnd);
        using TwoNodes nodes = Connected(frontEnd);
        nodes.Left.Kill();
        nodes.Left.Start();
        AssertNothingLeft(nodes.Left);
        nodes.Left.Command("up", "r0");
        nodes.Left.Command("primary", "r0");
        Tool.Run("mkfs.ext4", "-q", nodes.Left.Device).OrThrow();
    }

    [Theory]
    [InlineData(Fuse)]
    public void What_is_written_is_read_again_whatever_the_sizes_and_holes(string frontEnd)
    {
        NeedDevices(frontEnd);
        Need.Program("fio", "fio");
        using TwoNodes nodes = Connected(frontEnd);
        string[] common =
        [
            "--filename=" + nodes.Left.Device, "--direct=1", "--ioengine=libaio", "--verify=crc32c", "--size=24M",
            "--do_verify=1", "--verify_fatal=1",
        ];
        Tool.Run("fio", ["--name=small", "--rw=randwrite", "--bsrange=512-64k", "--iodepth=32", .. common]).OrThrow();
        Tool.Run("fio", ["--name=large", "--rw=write", "--bs=2M", "--iodepth=8", .. common]).OrThrow();
        Tool.Run("blkdiscard", "--zeroout", "--offset", "4096", "--length", "1048576", nodes.Left.Device).OrThrow();
        byte[] start = new byte[2 << 20];
        using (FileStream device = File.OpenRead(nodes.Left.Device))
        {
            device.ReadExactly(start);
        }

        Assert.Equal(-1, start.AsSpan(4096, 1 << 20).IndexOfAnyExcept((byte)0));
        Assert.NotEqual(-1, start.AsSpan(0, 4096).IndexOfAnyExcept((byte)0));
        Assert.True(nodes.DisksAreEqual(nodes.Down(nodes.Left, nodes.Right)));
    }

    [Theory]
    [InlineData(Fuse)]
    public void A_mounted_device_grows_with_its_disks_and_may_have_partitions(string frontEnd)
    {
        NeedDevices(frontEnd);
        using TwoNodes nodes = Connected(frontEnd);
        Tool.Run("mkfs.ext4", "-q", nodes.Left.Device).OrThrow();
        using (var files = new MountedFileSystem(nodes.Left))
        {
            long before = SizeOf(nodes.Left);
            foreach (Node node in new[] { nodes.Left, nodes.Right })
            {
                Tool.Run("truncate", "--size", $"{nodes.Options.DiskBytes * 2}", node.DiskPath).OrThrow();
            }

            nodes.Left.Command("resize", "r0");
            Poll.Until(() => SizeOf(nodes.Left) > before * 3 / 2, "the device has grown", seen: nodes.Left.LogTail);
            files.Unmount();
        }

        Tool.Run("e2fsck", "-fp", nodes.Left.Device).OrThrow();
        Tool.Run("resize2fs", nodes.Left.Device).OrThrow();
        Tool.Run("e2fsck", "-fn", nodes.Left.Device).OrThrow();

        // A kernel that knows no kind of partition table shows none; that it was told to look is seen everywhere.
        string scans = $"/sys/class/block/{Path.GetFileName(KernelNode(nodes.Left))}/loop/partscan";
        Poll.Until(() => File.ReadAllText(scans).Trim() == "1", "the kernel looks for partitions");
    }

    private static TwoNodes Connected(string frontEnd) =>
        TwoNodes.Connected(new TwoNodesOptions { FrontEnd = frontEnd });

    /// <summary>Its successor works when this returns.</summary>
    private static void EndDaemon(Node node, string end)
    {
        switch (end)
        {
            case "killed after its keeper":
                const string cutName = "blockrepl-keepe";
                Tool.Run("pkill", "-KILL", "-P", $"{node.DaemonProcessId}", "-x", cutName).OrThrow();
                Poll.Until(
                    () => node.LogTail().Contains("another has taken its place", StringComparison.Ordinal),
                    "a new keeper", seen: node.LogTail);
                goto case "killed";
            case "killed":
                node.Kill();
                node.Start();
                break;
            case "stopped":
                Assert.Equal(0, node.Stop());
                node.Start();
                break;
            default:
                node.Restart();
                break;
        }
    }

    /// <summary>
    /// Each successor has found the record of its predecessor and marked what that had under way, which is nothing when
    /// it was told to go.
    /// </summary>
    private static int MostBlocksMarked(Node node, string end, int times)
    {
        string log = File.ReadAllText(node.LogPath);
        (int Writes, int Blocks)[] found = [.. Survivors().Matches(log).Select(
            match => (Number(match.Groups[1]), Number(match.Groups[2])))];
        Assert.DoesNotContain("replayed the activity log", log, StringComparison.Ordinal);
        Assert.Equal(times, found.Length);
        if (!end.StartsWith("killed", StringComparison.Ordinal))
        {
            Assert.All(found, one => Assert.Equal(0, one.Writes));
        }

        return found.Max(one => one.Blocks);
    }

    private static int Number(Group group) => int.Parse(group.Value, CultureInfo.InvariantCulture);

    [GeneratedRegex(@"the process before was killed with (\d+) writes under way: (\d+) blocks newly marked")]
    private static partial Regex Survivors();

    private static void NeedDevices(string frontEnd)
    {
        Need.Root("devices are mounted");
        Need.Program("mkfs.ext4", "e2fsprogs");
        if (frontEnd == Fuse && !(File.Exists("/dev/fuse") && File.Exists("/dev/loop-control")))
        {
            Assert.Skip("needs a kernel with FUSE and loop devices");
        }
    }

    /// <summary>Such as /dev/loop3.</summary>
    private static string KernelNode(Node node) => new FileInfo(node.Device).LinkTarget!;

    private static long SizeOf(Node node) => 512 * long.Parse(
        File.ReadAllText($"/sys/class/block/{Path.GetFileName(KernelNode(node))}/size"), CultureInfo.InvariantCulture);

    private static bool HasOpen(int process, string device)
    {
        string target = new FileInfo(device).LinkTarget!;
        return Directory.GetFiles($"/proc/{process}/fd").Any(fd => new FileInfo(fd).LinkTarget == target);
    }

    private static bool IsOverFileOf(string kernelNode, Node node)
    {
        string path = $"/sys/class/block/{Path.GetFileName(kernelNode)}/loop/backing_file";
        return File.Exists(path) && File.ReadAllText(path).StartsWith(node.RunDirectory, StringComparison.Ordinal);
    }

    private static void AssertNothingLeft(params Node[] nodes)
    {
        foreach (Node node in nodes)
        {
            Assert.All(Directory.GetFileSystemEntries(node.DeviceDirectory), path =>
            {
                // The name of a resource that is up, without a device.
                Assert.Equal(node.Device, path);
                Assert.Throws<IOException>(() => File.OpenRead(path));
            });
            Assert.DoesNotContain(
                Directory.GetFileSystemEntries("/sys/class/block", "loop*"), device => IsOverFileOf(device, node));
            Assert.DoesNotContain(
                node.RunDirectory, File.ReadAllText("/proc/self/mountinfo"), StringComparison.Ordinal);
        }
    }

    /// <summary>Names and contents of all files in a folder.</summary>
    private static string HashOfTree(string folder)
    {
        const string script = "cd \"$1\" && find . -type f -print0 | sort -z | xargs -0 sha256sum | sha256sum";
        return Tool.Run("sh", "-c", script, "sh", folder).OrThrow().Output;
    }
}
