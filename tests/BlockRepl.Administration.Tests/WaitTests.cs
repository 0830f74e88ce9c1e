using BlockRepl.Administration.Control;
using BlockRepl.Configuration;
using BlockRepl.Core;
using BlockRepl.Core.State;
using BlockRepl.Daemon.Nodes;
using Xunit;

namespace BlockRepl.Administration.Tests;

/// <summary>wait-connect and wait-sync.</summary>
public sealed class WaitTests
{
    [Fact]
    public async Task Wait_connect_ends_when_every_volume_is_connected()
    {
        await using TestNode node = await TestNode.StartAsync();
        await node.RunAsync("up", "r0");
        FakeResource r0 = node.Resources.All["r0"];
        Task<ControlReply> wait = node.AskAsync("wait-connect", "r0");
        await node.Time.TimerMade.Task;
        Assert.False(wait.IsCompleted);
        r0.Change(status => status with { Connection = ConnectionState.SyncTarget });
        Assert.Equal(0, (await wait).ExitCode);
        Assert.Equal(1, r0.Observers); // the node itself
    }

    [Fact]
    public async Task Wait_sync_ends_only_when_plainly_connected()
    {
        await using TestNode node = await TestNode.StartAsync();
        await node.RunAsync("up", "r0");
        FakeResource r0 = node.Resources.All["r0"];
        Task<ControlReply> wait = node.AskAsync("wait-sync", "r0");
        await node.Time.TimerMade.Task;
        r0.Change(status => status with { Connection = ConnectionState.SyncTarget });
        Assert.False(wait.IsCompleted);
        r0.Change(status => status with { Connection = ConnectionState.Connected, PeerDisk = DiskState.UpToDate });
        Assert.Equal(0, (await wait).ExitCode);
    }

    [Theory]
    [InlineData(DiskState.UpToDate, DiskState.Inconsistent, false)]
    [InlineData(DiskState.Outdated, DiskState.UpToDate, false)]
    [InlineData(DiskState.UpToDate, DiskState.Diskless, true)]
    [InlineData(DiskState.Inconsistent, DiskState.Inconsistent, true)]
    public async Task A_resync_that_is_about_to_begin_is_waited_for(DiskState disk, DiskState peer, bool done)
    {
        await using TestNode node = await TestNode.StartAsync();
        await node.RunAsync("up", "r0");
        FakeResource r0 = node.Resources.All["r0"];
        r0.Change(status => status with { Connection = ConnectionState.Connected, Disk = disk, PeerDisk = peer });
        Task<ControlReply> wait = node.AskAsync("wait-sync", "r0");
        if (!done)
        {
            await node.Time.TimerMade.Task;
            Assert.False(wait.IsCompleted);
            r0.Change(status => status with { Disk = DiskState.UpToDate, PeerDisk = DiskState.UpToDate });
        }

        Assert.Equal(0, (await wait).ExitCode);
    }

    [Theory]
    [InlineData(DiskState.DUnknown, false, 30)]
    [InlineData(DiskState.DUnknown, true, 20)]
    [InlineData(DiskState.Outdated, true, 10)]
    public async Task The_time_out_is_chosen_by_what_was_before(DiskState peer, bool degraded, int seconds)
    {
        await using TestNode node = await TestNode.StartAsync();
        await node.RunAsync("up", "r0");
        FakeResource r0 = node.Resources.All["r0"];
        r0.Change(status => status with { PeerDisk = peer, Degraded = degraded });
        Task<ControlReply> wait = node.AskAsync("wait-connect", "r0");
        await node.Time.TimerMade.Task;
        node.Time.Advance(TimeSpan.FromSeconds(seconds - 1));
        Assert.False(wait.IsCompleted);
        node.Time.Advance(TimeSpan.FromSeconds(1));
        ControlReply reply = await wait;
        Assert.Equal(5, reply.ExitCode);
        Assert.Equal([$"r0: not reached within {seconds} s; the connection is WFConnection."], reply.Messages);
    }

    [Fact]
    public async Task StandAlone_ends_wait_connect_well_and_wait_sync_with_a_reason()
    {
        await using TestNode node = await TestNode.StartAsync();
        await node.RunAsync("up", "r0");
        node.Resources.All["r0"].Change(status => status with { Connection = ConnectionState.StandAlone });
        Assert.Equal(0, (await node.AskAsync("wait-connect", "r0")).ExitCode);
        ControlReply reply = await node.AskAsync("wait-sync", "r0");
        Assert.Equal(5, reply.ExitCode);
        Assert.Contains("it is StandAlone", Assert.Single(reply.Messages));
    }

    [Fact]
    public async Task A_client_that_goes_away_ends_its_wait()
    {
        await using TestNode node = await TestNode.StartAsync();
        await node.RunAsync("up", "r0");
        FakeResource r0 = node.Resources.All["r0"];
        using (System.Net.Sockets.Socket client = node.Connect())
        {
            client.Send("{\"command\":\"wait-connect\",\"target\":\"r0\"}\n"u8);
            await node.Time.TimerMade.Task;
            Assert.Equal(2, r0.Observers);
        }

        Assert.True(SpinWait.SpinUntil(() => r0.Observers == 1, TimeSpan.FromSeconds(10)));
    }

    [Theory]
    [InlineData(300, 120, 120, 300, 120, 120)]
    [InlineData(0, 0, 0, 0, 0, 0)]
    [InlineData(30, 0, 0, 30, 30, 30)]
    [InlineData(30, 60, 10, 30, 30, 10)]
    [InlineData(30, 20, 25, 30, 20, 30)]
    [InlineData(0, 20, 25, 0, 20, 0)]
    public void Time_outs_are_corrected_as_by_the_tools(int wait, int degraded, int outdated, int w, int d, int o)
    {
        var startup =
            new StartupOptions { WaitSeconds = wait, DegradedWaitSeconds = degraded, OutdatedWaitSeconds = outdated };
        WaitTimes times = WaitTimes.From(new ControlRequest { Command = "wait-connect" }, startup, "r0");
        Assert.Equal((w, d, o), (times.Wait, times.Degraded, times.Outdated));
    }
}
