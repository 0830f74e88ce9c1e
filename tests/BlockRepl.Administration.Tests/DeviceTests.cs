using System.Diagnostics;
using BlockRepl.Administration.Control;
using BlockRepl.Core;
using BlockRepl.Core.State;
using BlockRepl.Daemon.Devices;
using BlockRepl.Daemon.Hosting;
using BlockRepl.FrontEnd.Devices;
using Microsoft.Extensions.Logging.Abstractions;
using Xunit;

namespace BlockRepl.Administration.Tests;

/// <summary>The life of the devices: when they come, when they go, what they are called, who is in the way.</summary>
public sealed class DeviceTests : IAsyncDisposable
{
    private readonly DirectoryInfo _directory = Directory.CreateTempSubdirectory("brdev");
    private readonly FakeFrontEnd _frontEnd;
    private readonly TestNode _node;

    public DeviceTests()
    {
        _frontEnd = new FakeFrontEnd(_directory.FullName);
        _node = TestNode.StartAsync(devices: Setup()).GetAwaiter().GetResult();
    }

    private string DeviceDirectory => Path.Combine(_directory.FullName, "dev");

    private string SysfsDirectory => Path.Combine(_directory.FullName, "sysfs");

    private string RecordPath => Path.Combine(_directory.FullName, "links");

    public async ValueTask DisposeAsync()
    {
        await _node.DisposeAsync();
        _directory.Delete(recursive: true);
    }

    [Fact]
    public async Task A_primary_has_its_devices_under_drbds_names_and_a_secondary_has_none()
    {
        await UpAndPrimaryAsync();

        foreach ((string link, string volume) in new[]
        {
            ("drbd1", "r1/0"), ("drbd2", "r1/1"), ("drbd/by-res/r1/0", "r1/0"), ("drbd/by-res/r1/1", "r1/1"),
            ("drbd/by-disk/y", "r1/0"), ("drbd/by-disk/z", "r1/1"),
        })
        {
            Assert.Equal(_frontEnd.Nodes[volume].Path, new FileInfo(Link(link)).LinkTarget);
        }

        Assert.Equal(2, _frontEnd.Nodes["r1/1"].Options.Minor);

        Assert.Equal(0, (await _node.AskAsync("secondary", "r1")).ExitCode);
        Assert.Equal(Unserved("drbd0", "drbd1", "drbd2"), Entries());
        Assert.All(_frontEnd.Nodes.Values, node => Assert.False(File.Exists(node.Path)));
        Assert.All(_frontEnd.Nodes.Values, node => Assert.False(node.WasForced));
    }

    [Theory]
    [InlineData("io-error", 120.0)]
    [InlineData("suspend-io", null)]
    public async Task Without_a_daemon_requests_wait_as_long_as_on_no_data_accessible_says(string option, double? time)
    {
        string configuration = TestNode.TwoResources.Replace(
            "resource r1 {", $"resource r1 {{ options {{ on-no-data-accessible {option}; }}", StringComparison.Ordinal);
        await using TestNode node = await TestNode.StartAsync(configuration, Setup());
        Assert.Equal(0, (await node.AskAsync("up")).ExitCode);
        Assert.Equal(0, (await node.AskAsync("primary", "r1")).ExitCode);

        Assert.Equal(time, _frontEnd.Nodes["r1/0"].Options.WaitForDaemon?.TotalSeconds);
        Assert.Equal(0, (await node.AskAsync("secondary", "r1")).ExitCode);
    }

    [Fact]
    public async Task Before_the_resource_becomes_quiet_for_a_successor_its_devices_are_handed_over()
    {
        await UpAndPrimaryAsync();

        CommandResult result = await _node.Node.Find("r1")!.Running.ExecuteAsync(new AdminCommand.Quiesce());

        Assert.True(result.Succeeded);
        Assert.All(_frontEnd.Nodes.Values, node => Assert.True(node.WasHandedOver));
        Assert.All(_frontEnd.Nodes.Values, node => Assert.True(File.Exists(node.Path)));
        Assert.Contains(_node.Resources.All["r1"].Commands, command => command is AdminCommand.Quiesce);
    }

    [Theory]
    [InlineData("secondary")]
    [InlineData("down")]
    public async Task A_device_that_is_held_open_keeps_the_role_and_all_devices(string command)
    {
        await UpAndPrimaryAsync();
        _frontEnd.Nodes["r1/1"].IsHeld = true;

        ControlReply reply = await _node.AskAsync(command, "r1");

        Assert.Equal(11, reply.ExitCode);
        string words = Assert.Single(reply.Messages);
        Assert.StartsWith("r1: State change failed: (-12) Device is held open by someone: ", words);
        Assert.Contains(Link("drbd2"), words);
        Assert.Contains("open in a process", words);
        Assert.Equal(Role.Primary, (await _node.Resources.All["r1"].GetStatusAsync())[0].Role);
        Assert.True(File.Exists(Link("drbd1")), "the device of the other volume came back");
        Assert.True(File.Exists(Link("drbd2")));

        _frontEnd.Nodes["r1/1"].IsHeld = false;
        Assert.Equal(0, (await _node.AskAsync(command, "r1")).ExitCode);
        Assert.Equal(command == "down" ? Unserved("drbd0") : Unserved("drbd0", "drbd1", "drbd2"), Entries());
    }

    [Fact]
    public async Task A_role_that_the_core_does_not_give_up_keeps_its_devices()
    {
        await UpAndPrimaryAsync();
        _node.Resources.All["r1"].Refusals[typeof(AdminCommand.SetRole)] = new CommandResult(-12, "");

        Assert.Equal(11, (await _node.AskAsync("secondary", "r1")).ExitCode);

        Assert.True(File.Exists(Link("drbd1")));
    }

    [Fact]
    public async Task A_device_that_cannot_be_made_takes_the_promotion_back()
    {
        _frontEnd.Broken.Add("r1/1");
        await _node.AskAsync("up");

        ControlReply reply = await _node.AskAsync("primary", "r1");

        Assert.Equal(11, reply.ExitCode);
        Assert.Contains("no device for r1/1 today. The resource is Secondary again.", Assert.Single(reply.Messages));
        Assert.Equal(Role.Secondary, (await _node.Resources.All["r1"].GetStatusAsync())[0].Role);
        Assert.Equal(Unserved("drbd0", "drbd1", "drbd2"), Entries());
    }

    [Fact]
    public async Task A_name_that_is_taken_by_somebody_else_is_not_touched()
    {
        Directory.CreateDirectory(DeviceDirectory);
        File.CreateSymbolicLink(Link("drbd1"), "/dev/null");
        await _node.AskAsync("up");

        ControlReply reply = await _node.AskAsync("primary", "r1");

        Assert.Contains($"{Link("drbd1")} exists already (a link to /dev/null)", Assert.Single(reply.Messages));
        Assert.Equal("/dev/null", new FileInfo(Link("drbd1")).LinkTarget);
        Assert.Equal(["drbd1", .. Unserved("drbd0", "drbd2")], Entries());
        Assert.All(_frontEnd.Nodes.Values, node => Assert.False(File.Exists(node.Path)));
    }

    [Fact]
    public async Task A_device_that_dies_is_repaired()
    {
        await UpAndPrimaryAsync();
        FakeNode node = _frontEnd.Nodes["r1/1"];
        int before = node.Repairs;

        node.Options.Died();

        await EventuallyAsync(() => node.Repairs == before + 1);
    }

    [Fact]
    public async Task A_device_comes_with_the_size_and_grows_with_it()
    {
        await _node.AskAsync("up");
        FakeResource resource = _node.Resources.All["r1"];
        resource.Change(status => status with { SizeSectors = 0 });
        Assert.Equal(0, (await _node.AskAsync("primary", "r1")).ExitCode);
        Assert.Empty(_frontEnd.Nodes);

        resource.Change(status => status with { SizeSectors = 1000 });
        await EventuallyAsync(() => new FileInfo(Link("drbd2")).LinkTarget is not null);
        resource.Change(status => status with { SizeSectors = 2000 });
        await EventuallyAsync(() => _frontEnd.Nodes["r1/1"].Resizes == 1);
        resource.Change(status => status with { OutOfSyncKiB = 4 });
        Assert.Equal(0, (await _node.AskAsync("secondary", "r1")).ExitCode);
        Assert.Equal(1, _frontEnd.Nodes["r1/1"].Resizes);
    }

    [Fact]
    public async Task A_daemon_that_ends_takes_its_devices_along_and_waits_for_a_holder_only_so_long()
    {
        await UpAndPrimaryAsync();
        await _node.Node.StopAllAsync(CancellationToken.None);
        Assert.Empty(Directory.GetFileSystemEntries(DeviceDirectory));
        Assert.False(File.Exists(_frontEnd.Nodes["r1/0"].Path));
    }

    [Fact]
    public async Task The_links_of_a_dead_daemon_are_cleaned_up_and_only_those()
    {
        await UpAndPrimaryAsync();
        File.Delete(Link("drbd2"));
        File.CreateSymbolicLink(Link("drbd2"), "/dev/null"); // made by somebody else meanwhile

        new DeviceLinks(DeviceDirectory, RecordPath).CleanUp();

        Assert.Equal([Link("drbd2")], Directory.GetFileSystemEntries(DeviceDirectory));
        Assert.False(File.Exists(RecordPath));
        File.Delete(Link("drbd2"));
    }

    [Fact]
    public async Task The_name_is_there_before_the_device_and_cannot_be_opened()
    {
        if (!Environment.IsPrivilegedProcess)
        {
            Assert.Skip("needs root: it makes device nodes");
        }

        await _node.AskAsync("new-resource", "r0");
        Assert.Equal(["drbd0"], Entries());
        Assert.Equal(0, Mono.Unix.Native.Syscall.lstat(Link("drbd0"), out Mono.Unix.Native.Stat found));
        Assert.Equal(
            Mono.Unix.Native.FilePermissions.S_IFBLK, found.st_mode & Mono.Unix.Native.FilePermissions.S_IFMT);
        Assert.Throws<IOException>(() => File.OpenRead(Link("drbd0")));
        await _node.AskAsync("del-resource", "r0");
        Assert.Empty(Entries());
    }

    [Theory]
    [InlineData(null, true, "ublk")]
    [InlineData(null, false, null)]
    [InlineData("auto", false, "ublk")]
    [InlineData("fuse", true, "fuse")]
    [InlineData("none", true, null)]
    public void The_front_end_is_the_one_asked_for_or_the_first_that_can_be_used(
        string? wanted, bool isRoot, string? expected)
    {
        IDeviceFrontEnd[] frontEnds =
        [
            new FakeFrontEnd("") { Name = "nbd", Unusable = "no module" },
            new FakeFrontEnd("") { Name = "ublk" },
            new FakeFrontEnd("") { Name = "fuse" },
        ];

        Assert.Equal(expected, FrontEndChoice.Choose(wanted, frontEnds, isRoot, NullLogger.Instance)?.Name);
    }

    [Fact]
    public void A_front_end_that_was_asked_for_and_cannot_be_used_is_an_error()
    {
        IDeviceFrontEnd[] frontEnds = [new FakeFrontEnd("") { Name = "nbd", Unusable = "no module nbd" }];

        StartupException error = Assert.Throws<StartupException>(
            () => FrontEndChoice.Choose("nbd", frontEnds, true, NullLogger.Instance));

        Assert.Contains("no module nbd", error.Message);
        Assert.Null(FrontEndChoice.Choose("auto", frontEnds, true, NullLogger.Instance));
    }

    [Fact]
    public async Task Udev_looks_again_when_the_names_are_there_and_finds_them()
    {
        string events = Path.Combine(SysfsDirectory, "r1-0", "uevent");
        Directory.CreateDirectory(Path.GetDirectoryName(events)!);
        await UpAndPrimaryAsync();
        Assert.Equal("change", await File.ReadAllTextAsync(events, TestContext.Current.CancellationToken));

        Assert.Equal(
            $"BLOCKREPL=1\nSYSTEMD_ALIAS={Link("drbd/by-disk/y")} {Link("drbd/by-res/r1/0")} {Link("drbd1")}\n",
            await NamesForUdevAsync(_frontEnd.Nodes["r1/0"].Path));
        Assert.Equal("", await NamesForUdevAsync("/dev/loop0"));
    }

    private async Task<string> NamesForUdevAsync(string device)
    {
        string program = Path.Combine(AppContext.BaseDirectory, "udev-names");
        var start = new ProcessStartInfo("/bin/sh", [program, RecordPath, device]) { RedirectStandardOutput = true };
        using Process process = Process.Start(start)!;
        string said = await process.StandardOutput.ReadToEndAsync();
        await process.WaitForExitAsync();
        Assert.Equal(0, process.ExitCode);
        return said;
    }

    private DeviceSetup Setup() => new(
        _frontEnd, new DeviceLinks(DeviceDirectory, RecordPath, SysfsDirectory),
        Path.Combine(_directory.FullName, "state"));

    /// <summary>What is in the device directory: devices without one behind them last.</summary>
    private string[] Entries() =>
    [
        .. Directory.GetFileSystemEntries(DeviceDirectory).Select(path => Path.GetFileName(path))
            .OrderBy(name => new FileInfo(Link(name)).LinkTarget is null).ThenBy(name => name),
    ];

    /// <summary>Only root can make them.</summary>
    private static string[] Unserved(params string[] names) => Environment.IsPrivilegedProcess ? names : [];

    private string Link(string name) => Path.Combine(DeviceDirectory, name);

    private async Task UpAndPrimaryAsync()
    {
        Assert.Equal(0, (await _node.AskAsync("up")).ExitCode);
        ControlReply reply = await _node.AskAsync("primary", "r1");
        Assert.True(reply.ExitCode == 0, string.Join('\n', reply.Messages));
    }

    private static async Task EventuallyAsync(Func<bool> condition)
    {
        long deadline = Environment.TickCount64 + 20_000;
        while (!condition())
        {
            Assert.True(Environment.TickCount64 < deadline, "it did not happen");
            await Task.Yield();
        }
    }
}
