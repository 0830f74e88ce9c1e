using BlockRepl.Nodes;
using Xunit;

namespace BlockRepl.EndToEnd.Tests;

/// <summary>
/// The resource agent ocf:linbit:drbd as Debian ships it, without a cluster around it; with the environment that our
/// package gives Pacemaker, which tells it that /proc/drbd is there.
/// </summary>
public sealed class AgentTests : IDisposable
{
    private const string Agent = "/usr/lib/ocf/resource.d/linbit/drbd";
    private const int NotRunning = 7, RunningPromoted = 8;

    /// <summary>A number that nobody else on the machine has: the agent looks into the machine's own /dev.</summary>
    private const int Minor = 791;

    private readonly string _folder = Directory.CreateTempSubdirectory("blockrepl-agent-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public void The_agent_starts_promotes_demotes_and_stops_a_resource()
    {
        Need.Root("device nodes are made");
        if (!File.Exists(Agent))
        {
            Assert.Skip($"needs {Agent} (Debian package drbd-utils)");
        }

        if (!File.Exists("/dev/fuse"))
        {
            Assert.Skip("needs /dev/fuse: the device is made through it");
        }

        PrepareCluster();
        using var nodes = new TwoNodes(new TwoNodesOptions { Minor = Minor, FrontEnd = "fuse" });
        nodes.Left.DeviceDirectory = "/dev";
        foreach (Node node in new[] { nodes.Left, nodes.Right })
        {
            node.Command("create-md", "--force", "r0");
            node.Start();
        }

        Act(nodes, "monitor", NotRunning);
        nodes.Right.Command("up", "r0");
        Act(nodes, "start", 0);
        Assert.True(File.Exists($"/dev/drbd{Minor}"));
        nodes.Left.Command("new-current-uuid", "--clear-bitmap", "r0");
        nodes.WaitInSync();
        Act(nodes, "start", 0);
        Act(nodes, "monitor", 0);
        Assert.Equal("10000", File.ReadAllText(Path.Combine(_folder, "score")).Trim());
        Act(nodes, "promote", 0);
        Act(nodes, "monitor", RunningPromoted);
        Tool.Run("mkfs.ext4", "-q", $"/dev/drbd{Minor}").OrThrow();
        Act(nodes, "notify", 0, "OCF_RESKEY_CRM_meta_notify_type=post", "OCF_RESKEY_CRM_meta_notify_operation=start");
        Act(nodes, "demote", 0);
        Act(nodes, "monitor", 0);
        Assert.Throws<IOException>(() => File.OpenRead($"/dev/drbd{Minor}"));
        Act(nodes, "stop", 0);
        Act(nodes, "monitor", NotRunning);
        Assert.False(File.Exists($"/dev/drbd{Minor}"));
        Act(nodes, "stop", 0);
    }

    private void PrepareCluster()
    {
        File.WriteAllText(Path.Combine(_folder, "ocf-shellfuncs"), ShellFunctions);
        string master = Path.Combine(_folder, "crm_master");
        File.WriteAllText(
            master,
            $"#!/bin/sh\nwhile [ $# -gt 0 ]; do [ \"$1\" = -v ] && echo \"$2\" >{_folder}/score; shift; done\n");
        Tool.Run("chmod", "700", master).OrThrow();
    }

    private void Act(TwoNodes nodes, string action, int expected, params string[] variables)
    {
        string environment = Path.Combine(
            Programs.RepositoryRoot, "src", "BlockRepl.Daemon", "Pacemaker", "agent-environment");
        ToolResult result = Tool.Run("/usr/bin/env", [
            .. nodes.Left.ToolEnvironment, .. variables,
            $"PATH={Programs.Tools}:{_folder}:/usr/sbin:/usr/bin:/sbin:/bin", "OCF_ROOT=/usr/lib/ocf",
            $"OCF_FUNCTIONS_DIR={_folder}", $"HA_SBIN_DIR={_folder}", "OCF_RESOURCE_INSTANCE=drbd0:0",
            "OCF_RESKEY_drbd_resource=r0", $"OCF_RESKEY_drbdconf={nodes.ConfigurationPath}",
            "OCF_RESKEY_CRM_meta_clone_max=2", "OCF_RESKEY_CRM_meta_clone_node_max=1",
            "OCF_RESKEY_CRM_meta_master_max=1", "OCF_RESKEY_CRM_meta_master_node_max=1",
            "OCF_RESKEY_CRM_meta_notify=true", "OCF_RESKEY_CRM_meta_interval=10000",
            "OCF_RESKEY_CRM_meta_timeout=60000", "OCF_RESKEY_crm_feature_set=3.17.4",
            $"BASH_ENV={environment}", Agent, action]);
        Assert.True(result.ExitCode == expected, $"{action}: {expected} was expected:\n{result.Everything}\n"
            + nodes.Left.LogTail());
    }

    /// <summary>What the agent uses of the shell library that comes with a cluster.</summary>
    private const string ShellFunctions = """
        OCF_SUCCESS=0 OCF_ERR_GENERIC=1 OCF_ERR_ARGS=2 OCF_ERR_UNIMPLEMENTED=3 OCF_ERR_PERM=4 OCF_ERR_INSTALLED=5
        OCF_ERR_CONFIGURED=6 OCF_NOT_RUNNING=7 OCF_RUNNING_MASTER=8 OCF_FAILED_MASTER=9
        __OCF_ACTION=$1
        HOSTNAME=left
        set_logtag() { :; }
        ha_log() { echo "$*" >&2; }
        ocf_log() { echo "$*" >&2; }
        ocf_exit_reason() { echo "reason: $*" >&2; }
        ocf_is_true() { case "$1" in yes|true|1|YES|TRUE|ja|on|ON) true ;; *) false ;; esac; }
        ocf_is_probe() { [ "$__OCF_ACTION" = monitor ] && [ "$OCF_RESKEY_CRM_meta_interval" = 0 ]; }
        have_binary() { command -v "$1" >/dev/null 2>&1; }
        check_binary() { have_binary "$1" || { ocf_log "no $1"; exit $OCF_ERR_INSTALLED; }; }

        """;
}
