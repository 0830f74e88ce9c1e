using BlockRepl.Administration.Control;
using BlockRepl.Core;
using BlockRepl.Core.State;
using Xunit;

namespace BlockRepl.Administration.Tests;

/// <summary>drbdadm adjust: a changed configuration and what runs.</summary>
public sealed class AdjustTests
{
    [Fact]
    public async Task Nothing_to_do_says_nothing()
    {
        await using TestNode node = await ToolTests.UpAsync();
        Assert.Equal((0, "", ""), await node.ToolAsync("drbdadm", "-v", "adjust", "all"));
        Assert.Equal(2, node.Resources.Starts);
    }

    [Fact]
    public async Task What_is_not_up_comes_up_and_progress_is_shown_if_wished()
    {
        await using TestNode node = await TestNode.StartAsync();
        (int exit, string output, _) = await node.ToolAsync("drbdadm", "adjust-with-progress", "r0");
        Assert.Equal(
            (0, "[\n   create res: r0\n create minor: r0\n       attach: r0\n      connect: r0\n]\n"), (exit, output));
        Assert.Equal((0, "WFConnection\n", ""), await node.ToolAsync("drbdadm", "cstate", "r0"));
    }

    [Fact]
    public async Task A_connection_that_was_given_up_is_made_again_and_a_disk_attached()
    {
        await using TestNode node = await ToolTests.UpAsync();
        node.Resources.All["r1"].Change(status => status with
        {
            Connection = ConnectionState.StandAlone,
            Disk = status.Volume == 1 ? DiskState.Diskless : status.Disk,
            Role = Role.Primary,
        });
        (int exit, string output, string errors) = await node.ToolAsync("drbdadm", "-v", "adjust", "r1");
        Assert.Equal(
            (0, "drbdsetup attach 2 /dev/z /dev/z internal\n"
                + "drbdsetup connect r1 ipv4:127.0.0.1:7789 ipv4:127.0.0.2:7789\n", ""),
            (exit, output, errors));
        Assert.Equal((0, "WFConnection\nWFConnection\n", ""), await node.ToolAsync("drbdadm", "cstate", "r1"));
    }

    [Theory]
    [InlineData("primary")]
    [InlineData("secondary")]
    public async Task Changed_options_are_given_to_what_runs(string role)
    {
        await using TestNode node = await ToolTests.UpAsync();
        await node.ToolAsync("drbdadm", role, "r0");
        FakeResource r0 = node.Resources.All["r0"];
        Change(node, "resource r0 {", "resource r0 { net { max-buffers 36k; timeout 90; } disk { c-max-rate 1M; }");
        const string told = """
            # net max-buffers: default -> 36864
            # net timeout: default -> 90
            # volume 0 disk c-max-rate: default -> 1024k
            drbdsetup reload r0

            """;
        Assert.Equal((0, told, ""), await node.ToolAsync("drbdadm", "-d", "adjust", "all"));
        Assert.DoesNotContain(r0.Commands, command => command is AdminCommand.SetOptions);
        Assert.Equal((0, told, ""), await node.ToolAsync("drbdadm", "-v", "adjust", "all"));
        Assert.Equal(36864, r0.Options.Net.MaxBuffersPages);
        Assert.Equal(1024, r0.Options.Volumes[0].Disk.Resync.MaxRateKiBPerSecond);
        Assert.DoesNotContain(r0.Commands, command => command is AdminCommand.Disconnect or AdminCommand.Down);
        Assert.Contains("        max-buffers     \t36864;\n", (await node.ToolAsync("drbdsetup", "show", "r0")).Output);
        Assert.Equal((0, "", ""), await node.ToolAsync("drbdadm", "-v", "adjust", "all"));
    }

    [Fact]
    public async Task What_nodes_agree_on_changes_with_a_new_connection()
    {
        await using TestNode node = await ToolTests.UpAsync();
        await node.ToolAsync("drbdadm", "primary", "r0");
        FakeResource r0 = node.Resources.All["r0"];
        int before = r0.Commands.Count;
        Change(node, "resource r0 {", "resource r0 { net { data-integrity-alg sha1; }");
        Assert.Equal((0, "", ""), await node.ToolAsync("drbdadm", "adjust", "r0"));
        Type[] expected =
        [
            typeof(AdminCommand.SetOptions), typeof(AdminCommand.Disconnect), typeof(AdminCommand.SetOptions),
            typeof(AdminCommand.Connect),
        ];
        Assert.Equal(expected, r0.Commands.Skip(before).Select(command => command.GetType()));
        Assert.Equal((0, "Primary/Unknown\n", ""), await node.ToolAsync("drbdadm", "role", "r0"));
        Assert.Equal((0, "WFConnection\n", ""), await node.ToolAsync("drbdadm", "cstate", "r0"));
    }

    [Fact]
    public async Task A_connection_that_may_not_end_keeps_its_options()
    {
        await using TestNode node = await ToolTests.UpAsync();
        FakeResource r0 = node.Resources.All["r0"];
        r0.Refusals[typeof(AdminCommand.Disconnect)] = new CommandResult(-2, "the peer has the only data");
        Change(node, "resource r0 {", "resource r0 { net { data-integrity-alg sha1; }");
        (int exit, _, string errors) = await node.ToolAsync("drbdadm", "adjust", "r0");
        Assert.Equal(1, exit);
        Assert.Contains("the peer has the only data", errors);
        Assert.DoesNotContain("sha1", (await node.ToolAsync("drbdsetup", "show", "r0")).Output);
    }

    [Fact]
    public async Task What_attaching_settles_changes_by_a_new_start_of_a_secondary()
    {
        await using TestNode node = await ToolTests.UpAsync();
        FakeResource before = node.Resources.All["r0"];
        Change(node, "resource r0 {", "resource r0 { disk { al-extents 3389; }");
        Assert.Equal((0, "", ""), await node.ToolAsync("drbdadm", "adjust", "r0"));
        Assert.True(before.IsDisposed);
        Assert.Equal((0, "WFConnection\n", ""), await node.ToolAsync("drbdadm", "cstate", "r0"));
        Assert.Equal((0, "UpToDate/DUnknown\n", ""), await node.ToolAsync("drbdadm", "dstate", "r0"));
    }

    [Fact]
    public async Task Nobody_finds_a_resource_down_while_it_starts_anew()
    {
        await using TestNode node = await ToolTests.UpAsync();
        (TaskCompletionSource attach, Task<ControlReply> reload) = StartAnew(node);
        Task<ControlReply> state = node.AskAsync("dstate", "r0");
        Task<ControlReply> all = node.AskAsync("status", "all");
        Assert.Equal("UpToDate/DUnknown\nUpToDate/DUnknown\n", (await node.AskAsync("dstate", "r1")).Output);
        Assert.False(reload.IsCompleted || state.IsCompleted || all.IsCompleted);
        attach.SetResult();
        Assert.Equal(0, (await reload).ExitCode);
        Assert.Equal("UpToDate/DUnknown\n", (await state).Output);
        Assert.DoesNotContain("Diskless", (await all).Output);
    }

    [Fact]
    public async Task A_resource_that_does_not_come_up_anew_is_shown_as_it_is()
    {
        await using TestNode node = await ToolTests.UpAsync();
        (TaskCompletionSource attach, Task<ControlReply> reload) = StartAnew(node);
        Task<ControlReply> state = node.AskAsync("dstate", "r0");
        node.Time.Advance(TimeSpan.FromSeconds(5));
        Assert.Equal("Diskless/DUnknown\n", (await state).Output);
        attach.SetResult();
        Assert.Equal(0, (await reload).ExitCode);
    }

    [Fact]
    public async Task A_primary_refuses_what_it_cannot_change_and_names_it()
    {
        await using TestNode node = await ToolTests.UpAsync();
        await node.ToolAsync("drbdadm", "primary", "r0");
        Change(node, "resource r0 {", "resource r0 { disk { al-extents 3389; }");
        (int exit, _, string errors) = await node.ToolAsync("drbdadm", "adjust", "r0");
        Assert.Equal(1, exit);
        Assert.StartsWith(
            "r0: Failure: (162) BlockRepl cannot change this while a resource runs: volume 0 disk al-extents: default "
            + "-> 3389. It is Primary", errors);
        Assert.False(node.Resources.All["r0"].IsDisposed);
        Assert.Equal((0, "Primary/Unknown\n", ""), await node.ToolAsync("drbdadm", "role", "r0"));
    }

    [Fact]
    public async Task A_secondary_whose_primary_lives_on_its_data_waits()
    {
        await using TestNode node = await ToolTests.UpAsync();
        node.Resources.All["r0"].Change(status => status with
        {
            Connection = ConnectionState.SyncSource, PeerRole = Role.Primary, PeerDisk = DiskState.Inconsistent,
        });
        Change(node, "minor 0", "minor 9");
        (int exit, _, string errors) = await node.ToolAsync("drbdadm", "adjust", "r0");
        Assert.Equal(1, exit);
        Assert.Contains("volume 0 minor: 0 -> 9. It would have to start anew, and the peer is Primary", errors);
        Assert.False(node.Resources.All["r0"].IsDisposed);
    }

    [Fact]
    public async Task Handlers_and_startup_are_taken_over_by_a_primary_too()
    {
        await using TestNode node = await ToolTests.UpAsync();
        await node.ToolAsync("drbdadm", "primary", "r0");
        Change(node, "resource r0 {", "resource r0 { handlers { split-brain \"true\"; }");
        (int exit, string output, _) = await node.ToolAsync("drbdadm", "-v", "adjust", "r0");
        Assert.Equal((0, "# handlers\ndrbdsetup reload r0\n"), (exit, output));
        Assert.Equal("true", node.Resources.All["r0"].Adopted!.Handlers[HandlerKind.SplitBrain]);
        Assert.Equal((0, "", ""), await node.ToolAsync("drbdadm", "-v", "adjust", "r0"));
    }

    [Fact]
    public async Task Options_on_the_command_line_must_be_the_configurations()
    {
        await using TestNode node = await ToolTests.UpAsync();
        (int exit, _, string errors) = await node.ToolAsync("drbdadm", "net-options", "--max-buffers=40", "r0");
        Assert.Equal(10, exit);
        Assert.Contains("--max-buffers=40 is not what ", errors);
        Assert.Contains("drbdadm adjust", errors);
        Assert.Equal((0, "", ""), await node.ToolAsync("drbdadm", "net-options", "r0"));
    }

    /// <summary>r0 takes an option that is settled by attaching; it is down until the source lets it attach.</summary>
    private static (TaskCompletionSource Attach, Task<ControlReply> Reload) StartAnew(TestNode node)
    {
        var attach = new TaskCompletionSource();
        node.Resources.AttachAfter = attach.Task;
        Change(node, "resource r0 {", "resource r0 { disk { al-extents 3389; }");
        return (attach, node.AskAsync("reload", "r0"));
    }

    private static void Change(TestNode node, string from, string to)
    {
        string text = File.ReadAllText(node.Location.ConfigPath);
        Assert.Contains(from, text);
        File.WriteAllText(node.Location.ConfigPath, text.Replace(from, to, StringComparison.Ordinal));
    }
}
