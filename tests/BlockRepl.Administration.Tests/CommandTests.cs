using BlockRepl.Administration.Control;
using BlockRepl.Core;
using BlockRepl.Core.State;
using Xunit;

namespace BlockRepl.Administration.Tests;

/// <summary>What the commands ask of a resource, print, and return.</summary>
public sealed class CommandTests
{
    [Fact]
    public async Task Up_attaches_every_volume_and_connects()
    {
        await using TestNode node = await TestNode.StartAsync();
        Assert.Equal((0, "", ""), await node.RunAsync("up", "all"));
        Assert.Equal(["r0", "r1"], node.Node.Up.Select(resource => resource.Name));
        Assert.Equal(
            [DiskState.UpToDate, DiskState.UpToDate],
            (await node.Resources.All["r1"].GetStatusAsync()).Select(status => status.Disk));
        Assert.Equal([new AdminCommand.Connect(false, false)], node.Resources.All["r1"].Commands);
    }

    [Fact]
    public async Task Up_refuses_an_address_that_is_not_this_machines()
    {
        string text = TestNode.TwoResources.Replace("127.0.0.1:7788", "192.0.2.77:7788");
        await using TestNode node = await TestNode.StartAsync(text);
        (int exit, _, string errors) = await node.RunAsync("up", "all");
        Assert.Equal(1, exit);
        Assert.Contains("the address 192.0.2.77 is on no interface of this machine", errors);
        Assert.Equal(["r1"], node.Node.Up.Select(resource => resource.Name));
    }

    [Fact]
    public async Task Up_twice_says_what_is_there_already_and_exits_with_1()
    {
        await using TestNode node = await TestNode.StartAsync();
        await node.RunAsync("up", "r0");
        (int exit, _, string errors) = await node.RunAsync("up", "r0");
        Assert.Equal(1, exit);
        Assert.Contains("r0/0: Failure: (124) attached already; detach first.", errors);
        Assert.Contains("r0: connect was left out, because", errors);
        Assert.Equal(1, node.Resources.Starts);
    }

    [Fact]
    public async Task A_failed_up_is_started_anew_with_the_corrected_configuration()
    {
        await using TestNode node = await TestNode.StartAsync();
        await node.RunAsync("up", "r0");
        FakeResource first = node.Resources.All["r0"];
        first.Change(status => status with { Disk = DiskState.Diskless, Connection = ConnectionState.StandAlone });
        Assert.Equal(0, (await node.RunAsync("up", "r0")).Exit);
        Assert.True(first.IsDisposed);
        Assert.NotSame(first, node.Resources.All["r0"]);
    }

    [Fact]
    public async Task Down_forgets_the_resource_unless_it_is_refused()
    {
        await using TestNode node = await TestNode.StartAsync();
        await node.RunAsync("up", "all");
        FakeResource r0 = node.Resources.All["r0"];
        r0.Refusals[typeof(AdminCommand.Down)] = new CommandResult(-12, "the device is open; unmount it.");
        (int exit, _, string errors) = await node.RunAsync("down", "all");
        Assert.Equal(11, exit);
        Assert.Equal("r0: State change failed: (-12) the device is open; unmount it.\n", errors);
        r0.Refusals[typeof(AdminCommand.Down)] = new CommandResult(-12, "(-12) The device is open.");
        Assert.Equal(
            "r0: State change failed: (-12) The device is open.\n", (await node.RunAsync("down", "r0")).Errors);
        Assert.Equal(["r0"], node.Node.Up.Select(resource => resource.Name));
        Assert.False(r0.IsDisposed);
        r0.Refusals.Clear();
        (exit, _, errors) = await node.RunAsync("down", "r0/0");
        Assert.Equal((1, false), (exit, r0.IsDisposed));
        Assert.Contains("blockrepl detach r0/0", errors);
        Assert.Equal(0, (await node.RunAsync("down", "r0")).Exit);
        Assert.True(r0.IsDisposed);
        Assert.Equal(0, (await node.RunAsync("down", "r0")).Exit);
    }

    [Theory]
    [InlineData(-2, 17, "(-2) no UpToDate data")]
    [InlineData(-1, 11, "(-1) the peer is Primary")]
    [InlineData(-7, 11, "(-7)")]
    [InlineData(-4, 16, "(-4)")]
    [InlineData(-16, 5, "(-16)")]
    [InlineData(0, 11, "(0)")]
    [InlineData(151, 10, "Failure: (151)")]
    [InlineData(2, 0, "")]
    public async Task Result_codes_become_exit_codes_of_drbdadm(int code, int exit, string words)
    {
        await using TestNode node = await TestNode.StartAsync();
        await node.RunAsync("up", "r0");
        node.Resources.All["r0"].Refusals[typeof(AdminCommand.SetRole)] = new CommandResult(code, "");
        (int actual, _, string errors) = await node.RunAsync("primary", "r0", "--force");
        Assert.Equal(exit, actual);
        Assert.Contains(words, errors);
        Assert.Contains(new AdminCommand.SetRole(true, true), node.Resources.All["r0"].Commands);
    }

    [Fact]
    public async Task Options_reach_the_core_and_volumes_can_be_named()
    {
        await using TestNode node = await TestNode.StartAsync();
        await node.RunAsync("up", "r1");
        node.Resources.All["r1"].Commands.Clear();
        await node.RunAsync("verify", "r1/1", "--start", "8", "--stop", "4096");
        await node.RunAsync("new-current-uuid", "--clear-bitmap", "r1/0");
        await node.RunAsync("detach", "r1", "--force");
        await node.RunAsync("connect", "--discard-my-data", "--tentative", "r1");
        await node.RunAsync("disconnect", "r1");
        await node.RunAsync("pause-sync", "r1/0");
        await node.RunAsync("resume-sync", "r1/0");
        await node.RunAsync("invalidate", "r1/0");
        await node.RunAsync("invalidate-remote", "r1/0");
        await node.RunAsync("outdate", "r1/0");
        await node.RunAsync("secondary", "r1");
        Assert.Equal(
            [
                new AdminCommand.Verify(1, 8, 4096),
                new AdminCommand.NewCurrentUuid(0, true),
                new AdminCommand.Detach(0, true),
                new AdminCommand.Detach(1, true),
                new AdminCommand.Connect(true, true),
                new AdminCommand.Disconnect(false),
                new AdminCommand.PauseSync(0, true),
                new AdminCommand.PauseSync(0, false),
                new AdminCommand.Invalidate(0, false),
                new AdminCommand.Invalidate(0, true),
                new AdminCommand.Outdate(0),
                new AdminCommand.SetRole(false, false),
            ],
            node.Resources.All["r1"].Commands);
    }

    [Fact]
    public async Task Unknown_resources_and_volumes_are_told_with_what_is_known()
    {
        await using TestNode node = await TestNode.StartAsync();
        (int exit, _, string errors) = await node.RunAsync("up", "r9");
        Assert.Equal(
            (1, true), (exit, errors.Contains("'r9' is not defined in") && errors.Contains("known here are: r0, r1.")));
        (exit, _, errors) = await node.RunAsync("primary", "r0");
        Assert.Equal((10, "r0: Failure: (158) it is not up; bring it up with: blockrepl up r0\n"), (exit, errors));
        await node.RunAsync("up", "r0");
        (exit, _, errors) = await node.RunAsync("attach", "r0/7");
        Assert.Equal((10, "r0/7: Failure: (127) the resource has no such volume.\n"), (exit, errors));
        Assert.Equal(1, (await node.RunAsync("no-such-command", "r0")).Exit);
        Assert.Equal(1, (await node.RunAsync("primary")).Exit);
        Assert.Equal(1, (await node.RunAsync("primary", "r0/x")).Exit);
    }

    [Fact]
    public async Task Status_prints_proc_drbd_and_json()
    {
        await using TestNode node = await TestNode.StartAsync();
        await node.RunAsync("up", "all");
        (int exit, string text, _) = await node.RunAsync("status");
        Assert.Equal(0, exit);
        Assert.StartsWith("version: 8.4.11 (api:1/proto:86-101)\nsrcversion: BLOCKREPL-", text);
        Assert.Contains("\n 2: cs:WFConnection ro:Secondary/Unknown ds:UpToDate/DUnknown C r-----\n", text);
        (_, string json, _) = await node.RunAsync("status", "r1/1", "--json");
        using var document = System.Text.Json.JsonDocument.Parse(json);
        Assert.Equal("a", document.RootElement.GetProperty("node").GetString());
        System.Text.Json.JsonElement volume =
            Assert.Single(document.RootElement.GetProperty("volumes").EnumerateArray());
        Assert.Equal("r1/1", volume.GetProperty("nbdExport").GetString());
        Assert.Equal("WFConnection", volume.GetProperty("connection").GetString());
        Assert.Equal("UpToDate", volume.GetProperty("disk").GetString());
        Assert.Equal("Secondary/Unknown\nSecondary/Unknown\n", (await node.RunAsync("role", "r1")).Output);
        Assert.Equal("UpToDate/DUnknown\n", (await node.RunAsync("dstate", "r0")).Output);
    }

    [Fact]
    public async Task Without_a_daemon_the_way_to_start_it_is_told()
    {
        await using TestNode node = await TestNode.StartAsync();
        await node.StopServerAsync();
        (int exit, _, string errors) = await node.RunAsync("primary", "r0");
        Assert.Equal(20, exit);
        Assert.Contains("The daemon is not running", errors);
        Assert.Contains(
            $"blockrepld --config {node.Location.ConfigPath} --node a --run-dir {node.Location.RunDirectory}", errors);
        Assert.Equal(0, (await node.RunAsync("down", "r0")).Exit);
    }

    [Fact]
    public async Task A_command_that_does_not_exist_is_named()
    {
        await using TestNode node = await TestNode.StartAsync();
        (int exit, string output, string errors) = await node.RunAsync("promote", "r0");
        Assert.Equal((1, ""), (exit, output));
        Assert.Equal("There is no command 'promote'. All commands: blockrepl --help\n", errors);
    }

    [Fact]
    public async Task A_configuration_in_error_is_refused_with_its_place()
    {
        await using TestNode node = await TestNode.StartAsync("resource r0 { net { timeout 0; } }");
        (int exit, _, string errors) = await node.RunAsync("up", "all");
        Assert.Equal(10, exit);
        Assert.Equal(
            $"{node.Location.ConfigPath}:1: timeout 0 => 0 out of range [1..600]. Choose a value within it, "
            + "or leave the option out.\n",
            errors);
    }

    [Fact]
    public void An_option_that_was_given_wins_over_the_environment_and_that_over_the_default()
    {
        var environment = new Dictionary<string, string?> { ["BLOCKREPL_NODE"] = "n", ["BLOCKREPL_CONFIG"] = "/etc/c" };
        NodeLocation location = NodeLocation.Resolve("/etc/x", null, null, environment.GetValueOrDefault);
        Assert.Equal(("/etc/x", "n", "/run/blockrepl"), (location.ConfigPath, location.Node, location.RunDirectory));
        Assert.Equal("/run/blockrepl/control.sock", location.ControlSocketPath);
    }

    [Fact]
    public void Records_of_writes_are_in_memory_wherever_the_run_directory_is()
    {
        string inMemory = Directory.CreateDirectory($"/dev/shm/blockrepl-test-{Environment.ProcessId}").FullName;
        try
        {
            Assert.Equal(Path.Combine(inMemory, "record"), RecordFolder(inMemory));
            string onDisk = RecordFolder(AppContext.BaseDirectory);
            Assert.Matches("^/dev/shm/blockrepl-[0-9a-f]{16}$", onDisk);
            Assert.NotEqual(onDisk, RecordFolder(Path.Combine(AppContext.BaseDirectory, "..")));
        }
        finally
        {
            Directory.Delete(inMemory);
        }

        static string RecordFolder(string runDirectory) =>
            new NodeLocation { ConfigPath = "c", Node = "a", RunDirectory = runDirectory }.RecordFolder;
    }
}
