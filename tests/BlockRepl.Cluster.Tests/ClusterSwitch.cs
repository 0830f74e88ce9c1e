using System.Diagnostics;
using System.Globalization;
using BlockRepl.Nodes;

namespace BlockRepl.Cluster.Tests;

/// <summary>Two switches in a namespace of their own: the nodes' eth0 and eth1 are plugged into them.</summary>
internal sealed class ClusterSwitch : IDisposable
{
    private readonly Process _process;

    public ClusterSwitch()
    {
        _process = Process.Start(new ProcessStartInfo("unshare", ["--net", "--kill-child", "cat"])
        {
            RedirectStandardInput = true, RedirectStandardOutput = true,
        })!;
        string own = Namespace("self");
        Poll.Until(() => Namespace(Pid) != own, "the switch has its namespace");
        for (int number = 0; number < 2; number++)
        {
            Ip("link", "add", $"switch{number}", "type", "bridge", "forward_delay", "0", "stp_state", "0");
            Ip("link", "set", $"switch{number}", "up");
        }

        // Somebody else in the network, who looks for the service.
        Ip("address", "add", "172.30.2.1/24", "dev", "switch0");
    }

    private string Pid => _process.Id.ToString(CultureInfo.InvariantCulture);

    public void Plug(string node, string pid)
    {
        for (int number = 0; number < 2; number++)
        {
            // The plug of a node that was killed goes when its namespace does, which may not be at once.
            Tool.Run("nsenter", "--target", Pid, "--net", "ip", "link", "delete", $"{node}-{number}");
            Ip("link", "add", $"{node}-{number}", "type", "veth", "peer", "name", $"eth{number}", "netns", pid);
            Ip("link", "set", $"{node}-{number}", "master", $"switch{number}", "up");
        }
    }

    /// <summary>Pulls a node's cable out of a switch, or puts it in again.</summary>
    public void SetCable(string node, int number, bool plugged) =>
        Ip("link", "set", $"{node}-{number}", plugged ? "up" : "down");

    public bool Reaches(string address) =>
        Tool.Run("nsenter", "--target", Pid, "--net", "ping", "-c", "1", "-W", "1", address).Succeeded;

    public void Dispose()
    {
        _process.Kill();
        _process.WaitForExit();
        _process.Dispose();
    }

    private static string Namespace(string process) => new FileInfo($"/proc/{process}/ns/net").LinkTarget!;

    private void Ip(params string[] words) =>
        Tool.Run("nsenter", ["--target", Pid, "--net", "ip", .. words]).OrThrow();
}
