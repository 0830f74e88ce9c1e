using System.Diagnostics;
using System.Globalization;
using System.Text;
using BlockRepl.Fencing.Watch;
using BlockRepl.Nodes;
using BlockRepl.Sbd;
using Xunit;

namespace BlockRepl.Fencing.Tests;

/// <summary>Our daemon with Debian's corosync and Pacemaker.</summary>
public sealed class ClusterTests : IDisposable
{
    private const string Status =
        """
        <pacemaker-result api-version="2.25">
          <list name="cluster summary" count="7">
            <current_dc present="true" version="2.1.5-a3f44794f94" name="a.example" id="1" with_quorum="true"/>
            <cluster_options stonith-enabled="true" no-quorum-policy="stop" maintenance-mode="false"/>
          </list>
          <list name="nodes" count="2">
            <node name="a.example" id="1" online="true" standby="false" pending="false" unclean="false"/>
            <node name="b.example" id="2" online="false" standby="false" pending="true" unclean="true"/>
          </list>
          <list name="resources" count="1">
            <resource id="x &gt; y"><node name="b.example" id="2" cached="true"/></resource>
          </list>
          <status code="0" message="OK"/>
        </pacemaker-result>
        """;

    private readonly LogSocket _log = new();
    private Process? _node;

    public void Dispose()
    {
        _node?.Kill();
        _node?.WaitForExit();
        _node?.Dispose();
        _log.Dispose();
    }

    [Theory]
    [InlineData("A.example", true, false, false)]
    [InlineData("b.example", false, true, true)]
    [InlineData("a", false, false, false)]
    public void This_node_is_found_in_what_crm_mon_prints(string name, bool isOnline, bool isUnclean, bool isPending) =>
        Assert.Equal(
            new PacemakerNode(true, true, true, isOnline, isUnclean, isPending), ClusterLook.ParseNode(Status, name));

    [Fact]
    public void A_status_that_is_cut_anywhere_or_says_an_error_is_none()
    {
        for (var length = 0; length < Status.IndexOf("<status", StringComparison.Ordinal) + 18; length++)
        {
            Assert.Null(ClusterLook.ParseNode(Status[..length], "a.example"));
        }

        Assert.Null(ClusterLook.ParseNode(
            Status.Replace("code=\"0\"", "code=\"102\"", StringComparison.Ordinal), "a.example"));
    }

    [Fact]
    public void Without_devices_the_cluster_decides_from_its_start_to_its_stop()
    {
        StartNode();
        Do($"({RunningNode.Program} -R -w /dev/null -p /run/sbd.pid watch; echo $? >/run/started) &");
        _log.WaitFor("corosync does not answer");

        Do("corosync -f >/dev/null 2>&1 & corosync=$!");
        _log.WaitFor("cluster: Healthy: 1 nodes run sbd");
        Poll.Until(() => Do("cat /run/started") == "0\n", "the start is done");
        Assert.Contains("sbd:cluster\\x00", Do("corosync-cpgtool"), StringComparison.Ordinal);

        // It starts its daemons only after a sign of sbd.
        Do("pacemakerd >/dev/null 2>&1 & pacemakerd=$!");
        _log.WaitFor("Received startup-trigger from SBD");
        _log.WaitFor("Pacemaker: Healthy: this node is online", seconds: 120);

        // And ends only when sbd knows of it; then nobody misses it.
        Do("kill -TERM $pacemakerd; wait $pacemakerd");
        _log.WaitFor("Pacemaker: Left");
        Do("sleep 10");
        Assert.Equal("", Do("cat /run/letters 2>/dev/null; true"));

        Do("kill -KILL $corosync");
        Poll.Until(
            () => Do("cat /run/letters 2>/dev/null; true").StartsWith("b\n", StringComparison.Ordinal),
            "the node ends itself", 20, () => _log.Text);
    }

    [Fact]
    public void Pacemaker_that_hangs_is_no_proof_of_health()
    {
        StartNode();
        Do("corosync -f >/dev/null 2>&1 & corosync=$!");
        Do($"({RunningNode.Program} -R -w /dev/null -p /run/sbd.pid watch; echo $? >/run/started) &");
        Poll.Until(() => Do("cat /run/started 2>/dev/null; true") == "0\n", "the start is done");
        Do("pacemakerd >/dev/null 2>&1 & pacemakerd=$!");
        _log.WaitFor("Pacemaker: Healthy: this node is online", seconds: 120);
        Do("kill -STOP $pacemakerd");
        Poll.Until(
            () => Do("cat /run/letters 2>/dev/null; true").StartsWith("b\n", StringComparison.Ordinal),
            "the node ends itself", 30, () => _log.Text);
    }

    [Fact]
    public void A_change_is_seen_in_the_next_looks_and_what_does_not_change_costs_little()
    {
        StartNode();
        StartLooks();
        Do("crm_attribute -t nodes -N node1.example -n standby -v on");
        // Much less than the minute after which it would be read in any case.
        WaitForLook("standby=\"true\"", seconds: 10);
        Do("crm_attribute -t nodes -N node1.example -n standby -v off");
        WaitForLook("standby=\"false\"", seconds: 10);

        const int Looks = 100;
        var (looks, ticks) = (CountLooks(), LookTicks());
        Poll.Until(() => CountLooks() >= looks + Looks, "more looks", 60);
        var perLook = (LookTicks() - ticks) * 10.0 / (CountLooks() - looks);
        Assert.True(perLook < 2, $"{perLook} ms of the processor for a look");
        Assert.Contains("online=\"true\"", LastLook(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("pacemakerd")]
    [InlineData("pacemaker-based")]
    public void A_look_needs_an_answer_of_what_hangs(string daemon)
    {
        StartNode();
        StartLooks();
        var silent = CountLooks(" none ");
        Do($"kill -STOP $(pidof {daemon})");
        var healthy = CountLooks("<current_dc");
        Poll.Until(
            () => Do("kill -0 $looker 2>/dev/null; echo $?") == "1\n" || CountLooks(" none ") > silent,
            "the program gives up", 60, LastLook);

        // One may have had its answer already.
        Assert.InRange(CountLooks("<current_dc") - healthy, 0, 1);
    }

    /// <summary>Starts the cluster and what looks at it, without sbd, and waits until it sees this node.</summary>
    private void StartLooks()
    {
        Do("corosync -f >/dev/null 2>&1 & corosync=$!");
        Poll.Until(() => Do("corosync-cpgtool >/dev/null; echo $?") == "0\n", "corosync answers", 60);
        Do("pacemakerd >/dev/null 2>&1 & pacemakerd=$!");
        var program = Path.Combine(Path.GetDirectoryName(RunningNode.Program)!, "blockrepl-cluster");
        Do($"mkfifo /run/open; {program} pacemaker 50 <>/run/open >/run/looks & looker=$!");
        WaitForLook("online=\"true\" standby=\"false\"", seconds: 120);
    }

    private void WaitForLook(string part, int seconds) =>
        Poll.Until(() => LastLook().Contains(part, StringComparison.Ordinal), part, seconds, LastLook);

    private string LastLook() => Do(
        "awk '/^look/ { text = \"\" } { text = text $0 } /^end$/ { look = text } END { print look }' /run/looks");

    private int CountLooks(string line = "^end$") =>
        int.Parse(Do($"grep -c '{line}' /run/looks"), CultureInfo.InvariantCulture);

    /// <summary>Hundredths of a second that blockrepl-cluster has used.</summary>
    private int LookTicks() =>
        int.Parse(Do("awk '{ print $14 + $15 }' /proc/$looker/stat"), CultureInfo.InvariantCulture);

    private void StartNode()
    {
        Assert.SkipUnless(Environment.UserName == "root", "needs root: the cluster's daemons run as nobody else");
        foreach (var (program, package) in new[] { ("corosync", "corosync"), ("pacemakerd", "pacemaker") })
        {
            Assert.SkipWhen(Nodes.Tool.Find(program) is null, $"needs {program} (Debian package {package})");
        }

        var start = new ProcessStartInfo(
            "unshare",
            [
                "--mount", "--net", "--pid", "--fork", "--kill-child", "--uts", "--ipc", "--mount-proc",
                Path.Combine(RunningNode.Root, "tests", "BlockRepl.Fencing.Tests", "cluster-node"), _log.Path,
            ])
        {
            RedirectStandardInput = true, RedirectStandardOutput = true,
        };
        foreach (var (name, value) in new[]
        {
            ("SBD_PACEMAKER", "yes"), ("SBD_SYNC_RESOURCE_STARTUP", "yes"), ("BLOCKREPL_SBD_CONFIG", "/dev/null"),
            ("BLOCKREPL_SBD_REHEARSAL", "/run/letters"),
        })
        {
            start.Environment[name] = value;
        }

        _node = Process.Start(start)!;
        Assert.Equal("node1.example\n", Do("hostname"));
    }

    /// <summary>Runs a line of commands in the node and returns its output.</summary>
    private string Do(string line)
    {
        _node!.StandardInput.WriteLine(line);
        _node.StandardInput.Flush();
        var output = new StringBuilder();
        while (_node.StandardOutput.ReadLine() is { } answer)
        {
            if (answer.StartsWith("@@", StringComparison.Ordinal))
            {
                return output.ToString();
            }

            output.Append(CultureInfo.InvariantCulture, $"{answer}\n");
        }

        throw new IOException($"the node is gone during: {line}\n{_log.Text}");
    }
}
