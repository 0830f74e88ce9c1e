using System.Diagnostics;
using System.Globalization;
using BlockRepl.Nodes;
using Xunit;

namespace BlockRepl.Interop.Tests;

/// <summary>What goes over the segment, recorded, and read by an independent decoder.</summary>
internal sealed class Capture : IDisposable
{
    private const int DecodeSeconds = 300;
    private readonly Process _recorder;

    public Capture(NetworkSegment segment, string path)
    {
        Path = path;
        _recorder = segment.Start(
            Tool.Find("tcpdump")!, "-i", NetworkSegment.Tap, "-U", "-B", "65536", "-s", "0", "-w", path,
            "tcp port 7788");
        string? line = _recorder.StandardError.ReadLine();
        while (line is not null && !line.Contains("listening on", StringComparison.Ordinal))
        {
            line = _recorder.StandardError.ReadLine();
        }

        Assert.NotNull(line);
    }

    public string Path { get; }

    public void Stop()
    {
        Tool.Run("/bin/kill", "-INT", _recorder.Id.ToString(CultureInfo.InvariantCulture));
        if (!_recorder.WaitForExit(TimeSpan.FromSeconds(20)))
        {
            _recorder.Kill();
            _recorder.WaitForExit();
        }
    }

    /// <summary>How often each of DRBD's packets was sent, by its name; malformed ones count as "malformed".</summary>
    public Dictionary<string, int> Packets()
    {
        string names = Tool.Run("tshark", DecodeSeconds, [
            "-r", Path, "--enable-heuristic", "drbd_tcp", "-Y", "drbd", "-T", "fields", "-e", "drbd.command",
            "-e", "_ws.malformed"]).OrThrow().Output;
        var counts = new Dictionary<string, int>();
        foreach (string line in names.Split('\n', StringSplitOptions.RemoveEmptyEntries))
        {
            string[] fields = line.Split('\t');
            foreach (string command in fields[0].Split(',', StringSplitOptions.RemoveEmptyEntries))
            {
                Count(PacketName.Of(command));
            }

            if (fields.Length > 1 && fields[1].Length > 0)
            {
                Count("malformed");
            }
        }

        return counts;

        void Count(string name) => counts[name] = counts.GetValueOrDefault(name) + 1;
    }

    public void Dispose()
    {
        if (!_recorder.HasExited)
        {
            Stop();
        }

        _recorder.Dispose();
    }
}
