using BlockRepl.Core;
using BlockRepl.Core.State;
using BlockRepl.Daemon.Devices;
using BlockRepl.Daemon.Hosting;
using BlockRepl.Daemon.Nodes;
using BlockRepl.FrontEnd.Devices;
using Microsoft.Extensions.Logging.Abstractions;
using Xunit;

namespace BlockRepl.Administration.Tests;

/// <summary>What a daemon that takes another's place brings up by itself, and as what.</summary>
public sealed class ResumptionTests : IAsyncDisposable
{
    private readonly FakeFrontEnd _frontEnd = new(Path.GetTempPath());
    private readonly TestNode _node = TestNode.StartAsync().GetAwaiter().GetResult();

    public async ValueTask DisposeAsync() => await _node.DisposeAsync();

    [Fact]
    public async Task Without_a_note_and_without_devices_in_use_nothing_is_up()
    {
        await ResumeAsync();
        Assert.Empty(_node.Node.Up);
    }

    [Fact]
    public async Task What_was_handed_over_is_what_it_was()
    {
        HandOver.Write(
            _node.Location.HandOverPath,
            [new HandedOver("r0", IsPrimary: true, IsConnecting: true), new HandedOver("r1", false, false)]);
        await ResumeAsync();
        Assert.Equal(["Connect", "SetRole"], CommandsOf("r0"));
        Assert.Equal(Role.Primary, await RoleOf("r0"));
        Assert.Equal([], CommandsOf("r1"));
        Assert.All(
            await _node.Resources.All["r1"].GetStatusAsync(),
            volume => Assert.Equal(DiskState.UpToDate, volume.Disk));

        await ResumeAsync();
        Assert.Equal(1, CommandsOf("r0").Count(name => name == "SetRole"));
    }

    [Theory]
    [InlineData(0, "\t", "x\t")]
    [InlineData(0, "\t", "\t1")]
    [InlineData(1, "r0", "r9")]
    [InlineData(1, "True", "maybe")]
    public async Task A_note_of_another_boot_or_time_or_that_is_damaged_does_not_count(int line, string from, string to)
    {
        HandOver.Write(_node.Location.HandOverPath, [new HandedOver("r0", true, true)]);
        string[] lines = File.ReadAllLines(_node.Location.HandOverPath);
        lines[line] = lines[line].Replace(from, to, StringComparison.Ordinal);
        File.WriteAllLines(_node.Location.HandOverPath, lines);
        await ResumeAsync();
        Assert.Empty(_node.Node.Up);
        Assert.False(File.Exists(_node.Location.HandOverPath));
    }

    [Fact]
    public async Task A_device_in_use_whose_daemon_died_becomes_Primary_again_once_the_peer_is_there()
    {
        _frontEnd.Waiting.Add("r1/1");
        Task resuming = ResumeAsync();
        Assert.DoesNotContain("SetRole", CommandsOf("r1"));
        _node.Resources.All["r1"].Change(status => status with { Connection = ConnectionState.Connected });
        await resuming;
        Assert.Equal(Role.Primary, await RoleOf("r1"));
        Assert.Null(_node.Node.Find("r0"));
    }

    [Fact]
    public async Task A_refusal_ends_only_the_resource_concerned()
    {
        HandOver.Write(
            _node.Location.HandOverPath, [new HandedOver("nobody", true, true), new HandedOver("r0", true, false)]);
        await ResumeAsync();
        Assert.Equal(Role.Primary, await RoleOf("r0"));
    }

    private Task ResumeAsync()
    {
        var options = new DaemonOptions(_node.Location, null, "fuse", _node.Location.RunDirectory);
        var devices = new DeviceService(options, [_frontEnd], NullLogger<DeviceService>.Instance);
        devices.Start();
        return new Resumption(_node.Node, devices, NullLogger<Resumption>.Instance).RunAsync();
    }

    private List<string> CommandsOf(string resource) =>
        [.. _node.Resources.All[resource].Commands.Select(command => command.GetType().Name)];

    private async Task<Role> RoleOf(string resource) => (await _node.Resources.All[resource].GetStatusAsync())[0].Role;
}
