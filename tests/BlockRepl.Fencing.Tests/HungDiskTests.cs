using System.Diagnostics;
using System.Globalization;
using BlockRepl.Nodes;
using Xunit;

namespace BlockRepl.Fencing.Tests;

/// <summary>A disk that hangs: a file served through FUSE by a program that can be stopped.</summary>
public sealed class HungDiskTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("sbd-hung-").FullName;
    private readonly Process? _server;

    public HungDiskTests()
    {
        Assert.SkipWhen(
            Nodes.Tool.Find("qemu-storage-daemon") is null,
            "needs qemu-storage-daemon (Debian package qemu-system-common)");
        Assert.SkipUnless(File.Exists("/dev/fuse") && Environment.UserName == "root", "needs root and /dev/fuse");
        File.WriteAllBytes(Path.Combine(_folder, "image"), new byte[1 << 20]);
        File.WriteAllBytes(Device, []);
        _server = Nodes.Tool.Start(
            "qemu-storage-daemon",
            "--blockdev", $"driver=file,node-name=file,filename={Path.Combine(_folder, "image")}",
            "--blockdev", "driver=raw,node-name=raw,file=file",
            "--export", $"type=fuse,id=export,node-name=raw,mountpoint={Device},writable=on");
        Poll.Until(() => new FileInfo(Device).Length == 1 << 20, "the file is served");
        Assert.Equal(0, Programs.RunOurs("-d", Device, "-2", "0", "create").Code);
    }

    private string Device => Path.Combine(_folder, "device");

    public void Dispose()
    {
        if (_server is not null)
        {
            Signal("CONT");
            Signal("TERM");
            _server.WaitForExit();
            _server.Dispose();
        }

        Directory.Delete(_folder, recursive: true);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void A_node_whose_disk_hangs_ends_in_time(bool original)
    {
        using var node = Watch(original ? Programs.Original : RunningNode.Program);
        node.WaitForPets(2);
        Signal("STOP");
        var hangs = Stopwatch.StartNew();
        Poll.Until(
            () => node.Log.Contains(" BITE ", StringComparison.Ordinal)
                || node.Log.Contains("SYSRQ b", StringComparison.Ordinal),
            "end of the node", 20, () => node.Log);
        Assert.InRange(hangs.Elapsed.TotalSeconds, 5, 12);
        Signal("CONT");
        Assert.Contains(node.WaitForEnd(), (int[])[137, 129]);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void A_short_hang_does_no_harm(bool original)
    {
        using var node = Watch(original ? Programs.Original : RunningNode.Program);
        for (var i = 0; i < 2; i++)
        {
            Signal("STOP");
            var hangs = Stopwatch.StartNew();
            Poll.Until(() => hangs.Elapsed.TotalSeconds > 2, "two seconds have passed");
            Signal("CONT");
            node.WaitForPets(6);
        }
    }

    [Theory]
    [InlineData("list")]
    [InlineData("dump")]
    [InlineData("-n us message node1 reset")]
    public void A_command_on_a_disk_that_hangs_fails_in_time(string command)
    {
        Signal("STOP");
        var hangs = Stopwatch.StartNew();
        var result = Nodes.Tool.Run(RunningNode.Program, ["-d", Device, .. command.Split(' ')]);
        Assert.Equal(1, result.ExitCode);
        Assert.Contains("no answer within 3 s", result.Error, StringComparison.Ordinal);
        Assert.InRange(hangs.Elapsed.TotalSeconds, 2.5, 10);
    }

    private void Signal(string name) => Nodes.Tool.Run(
        "kill", "-" + name, _server!.Id.ToString(CultureInfo.InvariantCulture)).OrThrow();

    private Box Watch(string program)
    {
        var node = new Box([], program, ["-R", "-d", Device, "-n", "node1", "watch"]);
        if (node.WaitForCommand() != 0)
        {
            node.Dispose();
            Assert.Fail($"the node has not started: {node.Log}");
        }

        return node;
    }
}
