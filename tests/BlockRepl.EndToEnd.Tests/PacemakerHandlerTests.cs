using BlockRepl.Nodes;
using Xunit;

namespace BlockRepl.EndToEnd.Tests;

/// <summary>
/// crm-fence-peer.sh and crm-unfence-peer.sh, run by the node left with a cluster that is a few files in a folder. With
/// a real cluster they run in BlockRepl.Cluster.Tests.
/// </summary>
public sealed class PacemakerHandlerTests : IDisposable
{
    private const string Id = "drbd-fence-by-handler-r0-drbd_ms-r0";

    private readonly string _folder = Directory.CreateTempSubdirectory("blockrepl-handler-").FullName;

    public PacemakerHandlerTests()
    {
        string program = Path.Combine(_folder, "cluster");
        File.WriteAllText(program, Commands);
        Tool.Run("chmod", "700", program).OrThrow();
        foreach (string name in new[]
        {
            "cibadmin", "crm_node", "crm_mon", "crmadmin", "crm_resource", "crm_attribute", "drbdsetup", "logger",
        })
        {
            File.CreateSymbolicLink(Path.Combine(_folder, name), program);
        }

        foreach (string name in new[] { "crm-fence-peer.sh", "crm-unfence-peer.sh" })
        {
            File.CreateSymbolicLink(Path.Combine(_folder, name), Path.Combine(
                Programs.RepositoryRoot, "src", "BlockRepl.Daemon", "Pacemaker", "crm-fence-peer.sh"));
        }
    }

    /// <summary>The node for which the cluster has the constraint, or null.</summary>
    private string? Owner
    {
        get
        {
            string path = Path.Combine(_folder, Id);
            return File.Exists(path)
                ? Tool.Run("sed", "-nE", "s/.*<expression .*value=\"([^\"]*)\".*/\\1/p", path).Output.Trim()
                : null;
        }
    }

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Theory]
    [InlineData(3, "answers=yes pdsk=Inconsistent")]
    [InlineData(4, "answers=yes pdsk=UpToDate")]
    [InlineData(4, "answers=yes pdsk=DUnknown")]
    [InlineData(4, "answers=yes disk=Consistent")]
    [InlineData(5, "peer=lost stonith=false")]
    [InlineData(5, "peer=unclean fencing=resource-only")]
    [InlineData(7, "peer=down")]
    [InlineData(7, "peer=down stonith=false")]
    public void The_peer_is_forbidden_to_be_promoted_and_the_answer_says_what_it_is(int expected, string cluster)
    {
        Run("crm-fence-peer.sh", expected, cluster);
        Assert.Equal("left", Owner);
    }

    [Theory]
    [InlineData("peer=online")]
    [InlineData("peer=unclean")]
    [InlineData("peer=online stonith=false")]
    [InlineData("peer=online fencing=resource-only")]
    public void A_peer_that_neither_answers_nor_is_shot_in_time_is_not_known(string cluster)
    {
        Run("crm-fence-peer.sh", 1, cluster);
        Assert.Equal("left", Owner);
    }

    [Fact]
    public void A_node_that_asks_again_finds_its_own_constraint()
    {
        Run("crm-fence-peer.sh", 4, "answers=yes");
        Run("crm-fence-peer.sh", 7, "peer=down disk=Consistent");
        Assert.Equal("left", Owner);
    }

    [Theory]
    [InlineData(6, "answers=yes promoted=right")]
    [InlineData(1, "answers=yes promoted=left")]
    [InlineData(1, "peer=unclean promoted=right")]
    [InlineData(5, "peer=down disk=Consistent")]
    public void Who_finds_the_constraint_of_the_peer_has_lost_and_is_outdated_only_by_a_peer_that_is_primary(
        int expected, string cluster)
    {
        WriteConstraint(Id, "right");
        Run("crm-fence-peer.sh", expected, cluster);
        Assert.Equal("right", Owner);
    }

    [Fact]
    public void Data_that_are_only_consistent_are_no_better_when_the_peer_is_shot()
    {
        Run("crm-fence-peer.sh", 5, "peer=down disk=Consistent");
        Assert.Null(Owner);
        Run("crm-fence-peer.sh", 7, "peer=down disk=Consistent", "--unreachable-peer-is=outdated");
        Assert.Equal("left", Owner);
    }

    [Fact]
    public void Nothing_is_known_where_no_cluster_runs_or_it_does_not_know_the_resource()
    {
        Assert.Contains("does not run", Run("crm-fence-peer.sh", 1, "self="), StringComparison.Ordinal);
        Assert.Contains("no promotable clone", Run("crm-fence-peer.sh", 1, "clone="), StringComparison.Ordinal);
        Assert.Contains(
            "cannot be placed",
            Run("crm-fence-peer.sh", 1, "readonly=yes answers=yes", "--dc-timeout=5"),
            StringComparison.Ordinal);
        Assert.Null(Owner);
    }

    [Theory]
    [InlineData("left")]
    [InlineData("right")]
    public void When_both_sides_are_good_the_constraint_goes_whosever_it_is(string owner)
    {
        WriteConstraint(Id, owner);
        WriteConstraint("drbd-fence-by-handler-other-drbd_ms-other", "left");
        Run("crm-unfence-peer.sh", 0, "pdsk=UpToDate");
        Assert.Null(Owner);
        Assert.True(File.Exists(Path.Combine(_folder, "drbd-fence-by-handler-other-drbd_ms-other")));
    }

    [Theory]
    [InlineData("disk=UpToDate pdsk=Outdated")]
    [InlineData("disk=Inconsistent pdsk=UpToDate")]
    [InlineData("disk= pdsk=")]
    public void The_constraint_stays_while_a_side_is_not_good(string cluster)
    {
        WriteConstraint(Id, "right");
        Assert.Contains("stays", Run("crm-unfence-peer.sh", 1, cluster, "--dc-timeout=5"), StringComparison.Ordinal);
        Assert.Equal("right", Owner);
    }

    [Fact]
    public void Without_a_constraint_there_is_nothing_to_take_back() =>
        Run("crm-unfence-peer.sh", 0, "disk=Inconsistent pdsk=UpToDate");

    /// <summary>What the handler said, after it has ended as expected.</summary>
    private string Run(string handler, int expected, string cluster, params string[] options)
    {
        ToolResult result = Tool.Run("/usr/bin/env", [
            $"PATH={_folder}:/usr/bin:/bin", $"CLUSTER={_folder}", "DRBD_RESOURCE=r0", "DRBD_PEER=right",
            .. cluster.Split(' '), Path.Combine(_folder, handler), "--lock-dir", _folder, "--timeout=1",
            "--dc-timeout=60", .. options]);
        Assert.True(result.ExitCode == expected, $"{expected} was expected:\n{result.Everything}");
        return result.Error;
    }

    private void WriteConstraint(string id, string node) => File.WriteAllText(
        Path.Combine(_folder, id),
        $"<rsc_location id=\"{id}\"><rule><expression attribute=\"#uname\" value=\"{node}\"/></rule></rsc_location>\n");

    /// <summary>The cluster's commands, as far as the handlers use them, with Pacemaker 2.1's answers.</summary>
    private const string Commands = """
        #!/bin/bash
        constraint_of() { grep -oE "id=[\"'][^\"']*" <<<"$1" | head -n 1 | cut -c 5-; }
        node() { printf '<node name="%s" id="1" online="%s" unclean="%s" expected_up="%s"/>\n' "$@"; }
        : "${self=left}" "${clone=drbd_ms-r0}" "${stonith=true}" "${disk=UpToDate}" "${pdsk=DUnknown}"
        case "${0##*/} $*" in
            "crm_node --name")
                [ -n "$self" ] && echo "$self" ;;
            cibadmin*--node-path*"'r0'"*)
                [ -n "$clone" ] &&
                    printf "/%s/configuration/resources/clone[@id='%s']/primitive[@id='drbd0']\n" cib "$clone" ;;
            cibadmin*--query*)
                cat "$CLUSTER/$(constraint_of "$*")" ;;
            cibadmin*--create*)
                file="$CLUSTER/$(constraint_of "$*")"
                [ "${readonly-}" != yes ] && [ ! -e "$file" ] && echo "${!#}" >"$file" ;;
            cibadmin*--delete*)
                rm "$CLUSTER/$(constraint_of "$*")" ;;
            "crmadmin"*"--status=right")
                [ "${answers-}" = yes ] && echo "Controller on right in state S_NOT_DC: ok" ;;
            crm_mon*)
                node left true false true
                case "${peer-}" in
                    online) node right true false true ;;
                    down) node right false false false ;;
                    lost) node right false false true ;;
                    unclean) node right false true true ;;
                esac ;;
            crm_resource*--locate)
                for node in left right; do
                    echo "resource $clone is running on: $node $([ "${promoted-}" != "$node" ] || echo Promoted)"
                done ;;
            crm_attribute*stonith-enabled*)
                echo "$stonith" ;;
            "drbdsetup show r0")
                printf '    disk {\n        fencing             %s;\n    }\n' "${fencing-resource-and-stonith}" ;;
            "drbdsetup sh-status r0")
                printf "_disk=%s\n_pdsk=%s\n" "$disk" "$pdsk" ;;
            logger*) ;;
            *)
                echo "${0##*/} $*: not known here" >&2
                exit 1 ;;
        esac
        """;
}
