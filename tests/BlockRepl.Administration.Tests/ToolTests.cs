using System.Diagnostics;
using BlockRepl.Core;
using BlockRepl.Core.State;
using Xunit;

namespace BlockRepl.Administration.Tests;

/// <summary>drbdadm and drbdsetup as scripts call them, through the native client.</summary>
public sealed class ToolTests
{
    [Fact]
    public async Task The_states_are_printed_as_single_words()
    {
        await using TestNode node = await UpAsync();
        Assert.Equal((0, "Secondary/Unknown\n", ""), await node.ToolAsync("drbdadm", "role", "r0"));
        Assert.Equal((0, "WFConnection\nWFConnection\n", ""), await node.ToolAsync("drbdadm", "cstate", "r1"));
        Assert.Equal((0, "UpToDate/DUnknown\n", ""), await node.ToolAsync("drbdadm", "dstate", "r1/1"));
        Assert.Equal((0, "Secondary/Unknown\n", ""), await node.ToolAsync("drbdadm", "role", "minor-2"));
        Assert.Equal((0, "WFConnection\n", ""), await node.ToolAsync("drbdsetup", "cstate", "/dev/drbd2"));
        Assert.Equal((0, "WFConnection\n", ""), await node.ToolAsync("drbdsetup", "2", "cstate"));
        (int exit, string output, string errors) = await node.ToolAsync("drbdadm", "state", "r0");
        Assert.Equal((0, "Secondary/Unknown\n"), (exit, output));
        Assert.Contains("deprecated", errors);
    }

    [Fact]
    public async Task An_agents_start_goes_step_by_step()
    {
        await using TestNode node = await TestNode.StartAsync();
        Assert.Equal((0, ""), await Quiet(node, "drbdsetup", "sh-status", "r0"));
        Assert.Equal(20, (await node.ToolAsync("drbdadm", "check-resize", "r0")).Exit); // it has no disk
        Assert.Equal((0, ""), await Quiet(node, "drbdadm", "new-resource", "r0"));
        Assert.Equal((0, ""), await Quiet(node, "drbdadm", "new-minor", "r0"));
        Assert.Equal((0, "Unconfigured\n"), await Quiet(node, "drbdadm", "role", "r0"));
        Assert.Contains("_known=Unconfigured\n", (await node.ToolAsync("drbdsetup", "sh-status", "r0")).Output);
        Assert.Equal((0, ""), await Quiet(node, "drbdadm", "attach", "r0"));
        Assert.Equal((0, "UpToDate/DUnknown\n"), await Quiet(node, "drbdadm", "dstate", "r0"));
        Assert.Equal((0, ""), await Quiet(node, "drbdadm", "--peer", "b", "adjust", "r0"));
        Assert.Equal((0, "WFConnection\n"), await Quiet(node, "drbdadm", "cstate", "r0"));
        Assert.Equal((0, ""), await Quiet(node, "drbdadm", "new-resource", "r0"));
        Assert.Equal((0, ""), await Quiet(node, "drbdadm", "adjust", "r0"));
    }

    [Fact]
    public async Task Shell_status_is_the_text_that_agents_evaluate()
    {
        await using TestNode node = await UpAsync();
        node.Resources.All["r0"].Change(status => status with
        {
            Connection = ConnectionState.Connected, PeerRole = Role.Primary, PeerDisk = DiskState.UpToDate,
            SuspendedByUser = true,
        });
        const string text = """
            _minor=0
            _res_name=r0
            _volume=0
            _known=Configured

            _cstate=Connected
            _role=Secondary
            _peer=Primary
            _disk=UpToDate
            _pdsk=UpToDate

            _flags_susp=1
            _flags_aftr_isp=
            _flags_peer_isp=
            _flags_user_isp=

            _resynced_percent=

            _sh_status_process



            """;
        Assert.Equal((0, text, ""), await node.ToolAsync("drbdsetup", "sh-status", "r0"));
        Assert.Equal((0, text, ""), await node.ToolAsync("drbdsetup", "sh-status", "0"));
        Assert.Equal((0, "", ""), await node.ToolAsync("drbdsetup", "sh-status", "r9"));
        string all = (await node.ToolAsync("drbdadm", "sh-status")).Output;
        Assert.StartsWith($"_drbd_version=9.22.0\n_drbd_api=1\n_config_file={node.Location.ConfigPath}\n", all);
        Assert.Contains("_conf_res_name=r0\n_conf_file_line=", all);
        Assert.Contains("_conf_volume=1\n_minor=2\n_res_name=r1\n", all);
    }

    [Fact]
    public async Task Status_is_drbds_page()
    {
        await using TestNode node = await UpAsync();
        Assert.Equal(
            (0, "r0 role:Secondary\n  disk:UpToDate\n  peer connection:Connecting\n\n", ""),
            await node.ToolAsync("drbdadm", "status", "r0"));
        node.Resources.All["r1"].Change(status => status with
        {
            Connection = ConnectionState.SyncSource, Role = Role.Primary, PeerRole = Role.Secondary,
            PeerDisk = DiskState.Inconsistent, PausedByPeer = status.Volume == 1,
            Progress = new ResyncProgress(false, 10000, 6260, 6260, 1, 1, 0),
        });
        const string text = """
            r1 role:Primary
              volume:0 disk:UpToDate
              volume:1 disk:UpToDate
              peer role:Secondary
                volume:0 replication:SyncSource peer-disk:Inconsistent done:37.40
                volume:1 replication:SyncSource peer-disk:Inconsistent done:37.40
                    resync-suspended:peer


            """;
        Assert.Equal((0, text, ""), await node.ToolAsync("drbdsetup", "status", "r1"));
        Assert.Contains("_resynced_percent=37.4\n", (await node.ToolAsync("drbdsetup", "sh-status", "1")).Output);
        Assert.Equal((10, "", "r9: No such resource\n"), await node.ToolAsync("drbdsetup", "status", "r9"));
    }

    [Theory]
    [InlineData(true, false, false, "user")]
    [InlineData(false, true, false, "no-data")]
    [InlineData(false, false, true, "fencing")]
    [InlineData(true, true, true, "user,no-data,fencing")]
    public async Task Status_says_why_io_is_suspended(bool byUser, bool noData, bool fencing, string reasons)
    {
        await using TestNode node = await UpAsync();
        node.Resources.All["r0"].Change(status => status with
        {
            SuspendedByUser = byUser, SuspendedNoData = noData, SuspendedFencing = fencing,
        });
        Assert.StartsWith(
            $"r0 role:Secondary suspended:{reasons}\n", (await node.ToolAsync("drbdadm", "status", "r0")).Output);
    }

    [Theory]
    [InlineData(-2, 17, "0: State change failed: (-2)")]
    [InlineData(-1, 11, "0: State change failed: (-1)")]
    [InlineData(-4, 16, "0: State change failed: (-4)")]
    [InlineData(151, 10, "0: Failure: (151)")]
    public async Task Refusals_name_the_minor_and_the_command_and_have_drbds_code(int code, int exit, string words)
    {
        await using TestNode node = await UpAsync();
        node.Resources.All["r0"].Refusals[typeof(AdminCommand.SetRole)] = new CommandResult(code, "");
        (int got, string output, string errors) = await node.ToolAsync("drbdadm", "primary", "r0");
        Assert.Equal((exit, ""), (got, output));
        Assert.StartsWith(words, errors);
        Assert.EndsWith($"\nCommand 'drbdsetup primary 0' terminated with exit code {exit}\n", errors);
    }

    [Fact]
    public async Task Options_reach_the_core_in_the_new_form_and_in_the_old()
    {
        await using TestNode node = await UpAsync();
        FakeResource r0 = node.Resources.All["r0"];
        r0.Commands.Clear();
        Assert.Equal((0, ""), await Quiet(node, "drbdadm", "primary", "r0", "--force"));
        Assert.Equal((0, ""), await Quiet(node, "drbdadm", "--", "--overwrite-data-of-peer", "primary", "r0"));
        Assert.Equal((0, ""), await Quiet(node, "drbdadm", "disconnect", "--force", "r0"));
        Assert.Equal((0, ""), await Quiet(node, "drbdadm", "--", "--discard-my-data", "connect", "r0"));
        Assert.Equal((0, ""), await Quiet(node, "drbdadm", "verify", "--start=8", "--stop", "1k", "r0"));
        Assert.Equal((0, ""), await Quiet(node, "drbdadm", "--", "--assume-clean", "resize", "r0"));
        Assert.Equal((0, ""), await Quiet(node, "drbdadm", "new-current-uuid", "--clear-bitmap", "r0"));
        Assert.Equal(
            [
                new AdminCommand.SetRole(true, true), new AdminCommand.SetRole(true, true),
                new AdminCommand.Disconnect(true), new AdminCommand.Connect(true, false),
                new AdminCommand.Verify(0, 8, 2), new AdminCommand.Resize(0, 0, false, true),
                new AdminCommand.NewCurrentUuid(0, true),
            ],
            r0.Commands);
    }

    [Theory]
    [InlineData("Unknown command 'frobnicate'\n", "frobnicate", "r0")]
    [InlineData("Unknown command 'prmary' Is 'primary' meant?\n", "prmary", "r0")]
    [InlineData("Unknown command 'wait-conect' Is 'wait-connect' meant?\n", "wait-conect", "r0")]
    [InlineData("BlockRepl has no DRBD Proxy", "proxy-up", "r0")]
    [InlineData("'r9' not defined in your config (for this host).", "role", "r9")]
    [InlineData("'r0/7' not defined in your config (for this host).", "role", "r0/7")]
    [InlineData("unrecognized option '--frob'", "primary", "--frob", "r0")]
    [InlineData("option '--peer' requires an argument", "adjust", "r0", "--peer")]
    public async Task What_cannot_be_understood_is_refused_with_1(string words, params string[] arguments)
    {
        await using TestNode node = await TestNode.StartAsync();
        (int exit, string output, string errors) = await node.ToolAsync("drbdadm", arguments);
        Assert.Equal((1, ""), (exit, output));
        Assert.StartsWith($"drbdadm: {words}", errors);
    }

    [Theory]
    [InlineData("primary")]
    [InlineData("role", "x")]
    [InlineData("role", "0", "1")]
    [InlineData("verify", "0", "--start=x")]
    [InlineData("wait-connect", "0", "--wfc-timeout=400000")]
    [InlineData("frob", "0")]
    public async Task Wrong_usage_of_drbdsetup_is_20(params string[] arguments)
    {
        await using TestNode node = await UpAsync();
        Assert.Equal(20, (await node.ToolAsync("drbdsetup", arguments)).Exit);
    }

    [Fact]
    public async Task A_configuration_that_is_named_counts_for_what_is_started_from_it()
    {
        await using TestNode node = await TestNode.StartAsync();
        string other = node.Location.ConfigPath + ".other";
        await File.WriteAllTextAsync(
            other, TestNode.TwoResources.Replace("minor 0", "minor 5"), TestContext.Current.CancellationToken);
        Assert.Equal((0, ""), await Quiet(node, "drbdadm", "-c", other, "up", "r0"));
        Assert.Equal((0, "Secondary/Unknown\n"), await Quiet(node, "drbdsetup", "role", "5"));
        Assert.Equal(
            (0, "r0 r1\n"), await Quiet(node, "drbdadm", "-c", "nothing.conf", "-c", other, "sh-resources"));
    }

    [Fact]
    public async Task Wait_connect_ends_with_5_when_its_time_is_over()
    {
        await using TestNode node = await UpAsync();
        Task<(int Exit, string Output, string Errors)> wait = node.ToolAsync(
            "drbdsetup", "wait-connect", "/dev/drbd0", "--wfc-timeout=5", "--degr-wfc-timeout=5",
            "--outdated-wfc-timeout=5");
        await node.Time.TimerMade.Task;
        node.Time.Advance(TimeSpan.FromSeconds(5));
        Assert.Equal(5, (await wait).Exit);
    }

    [Fact]
    public async Task Who_sits_at_a_terminal_can_end_the_wait_at_boot()
    {
        await using TestNode node = await UpAsync();
        string drbdadm = Path.Combine(AppContext.BaseDirectory, "drbdadm");
        using Process wait = node.Start("/usr/bin/script", "-qefc", $"'{drbdadm}' wait-con-int", "/dev/null");
        await wait.StandardInput.WriteAsync("no\nyes\n");
        await wait.StandardInput.FlushAsync(TestContext.Current.CancellationToken);
        string said = await wait.StandardOutput.ReadToEndAsync(TestContext.Current.CancellationToken);
        await wait.WaitForExitAsync(TestContext.Current.CancellationToken);
        Assert.True(wait.ExitCode == 0, said);
        Assert.DoesNotContain("terminated with exit code", said);
    }

    [Fact]
    public async Task Events_are_told_as_they_happen_until_the_reader_goes()
    {
        await using TestNode node = await UpAsync();
        using Process events = node.StartTool("drbdsetup", "events2", "r0");
        string seen = "";
        while (!seen.EndsWith("exists -\n", StringComparison.Ordinal))
        {
            seen += await events.StandardOutput.ReadLineAsync(TestContext.Current.CancellationToken) + "\n";
        }

        Assert.Equal(
            "exists resource name:r0 role:Secondary suspended:no\n"
            + "exists connection name:r0 peer-node-id:0 conn-name:peer connection:Connecting role:Unknown\n"
            + "exists device name:r0 volume:0 minor:0 disk:UpToDate\n"
            + "exists peer-device name:r0 peer-node-id:0 conn-name:peer volume:0 replication:Off peer-disk:DUnknown "
            + "resync-suspended:no\nexists -\n",
            seen);
        await node.ToolAsync("drbdadm", "primary", "r0");
        Assert.Equal(
            "change resource name:r0 role:Primary",
            await events.StandardOutput.ReadLineAsync(TestContext.Current.CancellationToken));
        node.Events.Handler(new(
            "r0", 0, HandlerKind.BeforeResyncTarget, ExitCode: 3));
        Assert.Equal(
            "response helper name:r0 peer-node-id:0 conn-name:peer volume:0 minor:0 helper:before-resync-target "
            + "status:3",
            await events.StandardOutput.ReadLineAsync(TestContext.Current.CancellationToken));
        await node.ToolAsync("drbdadm", "down", "r0");
        Assert.Equal(
            "destroy peer-device name:r0 peer-node-id:0 conn-name:peer volume:0",
            await events.StandardOutput.ReadLineAsync(TestContext.Current.CancellationToken));
        events.Kill();
        Assert.Equal(0, (await node.ToolAsync("drbdadm", "role", "r1")).Exit);
    }

    [Fact]
    public async Task A_file_is_tested_together_with_the_configuration()
    {
        await using TestNode node = await TestNode.StartAsync();
        string file = node.Location.ConfigPath + ".new";
        string text = TestNode.TwoResources[..TestNode.TwoResources.IndexOf("resource r1", StringComparison.Ordinal)];
        await File.WriteAllTextAsync(
            file,
            text.Replace("r0", "r2").Replace("7788", "7799").Replace("minor 0", "minor 9").Replace("/dev/x", "/dev/w"),
            TestContext.Current.CancellationToken);
        Assert.Equal((0, ""), await Quiet(node, "drbdadm", "-t", file, "sh-nop"));
        Assert.Contains("resource r2 ", (await node.ToolAsync("drbdadm", "-t", file, "dump")).Output);
        Assert.Equal(1, (await node.ToolAsync("drbdadm", "-t", file, "up", "r2")).Exit);
        await File.WriteAllTextAsync(file, text, TestContext.Current.CancellationToken); // r0 twice
        Assert.Equal(10, (await node.ToolAsync("drbdadm", "-t", file, "sh-nop")).Exit);
    }

    [Fact]
    public async Task Version_is_that_of_drbd_8_4_11()
    {
        await using TestNode node = await TestNode.StartAsync();
        (int exit, string output, _) = await node.ToolAsync("drbdadm", "--version");
        Assert.Equal(0, exit);
        Assert.Contains("\nDRBD_KERNEL_VERSION_CODE=0x08040b\n", output);
    }

    internal static async Task<TestNode> UpAsync()
    {
        TestNode node = await TestNode.StartAsync();
        Assert.Equal((0, "", ""), await node.ToolAsync("drbdadm", "up", "all"));
        return node;
    }

    internal static async Task<(int, string)> Quiet(TestNode node, string program, params string[] arguments)
    {
        (int exit, string output, string errors) = await node.ToolAsync(program, arguments);
        Assert.Equal("", errors);
        return (exit, output);
    }
}
