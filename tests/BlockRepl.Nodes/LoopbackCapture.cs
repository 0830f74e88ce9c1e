using System.Diagnostics;

namespace BlockRepl.Nodes;

/// <summary>What goes over some TCP ports of this machine, recorded by tcpdump.</summary>
public static class LoopbackCapture
{
    /// <returns>A tcpdump that has begun; null if it cannot.</returns>
    public static Process? Start(string file, params int[] ports)
    {
        Process tcpdump = Tool.Start(
            Tool.Find("tcpdump")!, "-i", "lo", "-U", "--immediate-mode", "-B", "65536", "-s", "0", "-w", file,
            string.Join(" or ", ports.Select(port => $"tcp port {port}")));
        string? line = tcpdump.StandardError.ReadLine();
        while (line is not null && !line.Contains("listening on", StringComparison.Ordinal))
        {
            line = tcpdump.StandardError.ReadLine();
        }

        if (line is not null)
        {
            return tcpdump;
        }

        tcpdump.Dispose();
        return null;
    }
}
