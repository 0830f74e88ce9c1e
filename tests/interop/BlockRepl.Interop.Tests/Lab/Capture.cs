using System.Diagnostics;
using System.Globalization;
using System.Text.RegularExpressions;
using BlockRepl.Nodes;
using Xunit;

namespace BlockRepl.Interop.Tests;

/// <summary>What goes over the segment, recorded, and read by an independent decoder.</summary>
internal sealed partial class Capture : IDisposable
{
    private const int DecodeSeconds = 300;
    private readonly Process _recorder;
    private string _gaps = "0";
    private string _read = "";

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

    /// <summary>
    /// Ends the record when all that was sent is in it: at its signal to end the recorder forgets what it has not read
    /// yet, and in a busy machine that may be seconds.
    /// </summary>
    public void Stop()
    {
        if (_recorder.HasExited)
        {
            return;
        }

        Poll.Until(HasAll, "the recorder to have read everything", seconds: 60);
        Signal("-INT");
        if (!_recorder.WaitForExit(TimeSpan.FromSeconds(20)))
        {
            _recorder.Kill();
            _recorder.WaitForExit();
        }
    }

    /// <summary>How often each of DRBD's packets was sent, by its name; malformed ones count as "malformed".</summary>
    public Dictionary<string, int> Packets()
    {
        Assert.True(_gaps == "0", $"the record lacks {_gaps} packets: the recorder was too slow");
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
            _recorder.Kill();
            _recorder.WaitForExit();
        }

        _recorder.Dispose();
    }

    /// <summary>
    /// Asks the recorder for its counts. It answers between two packets: if it has read none since it was last asked,
    /// there is none.
    /// </summary>
    private bool HasAll()
    {
        Signal("-USR1");
        string counts = _recorder.StandardError.ReadLine() ?? throw new IOException("the recorder has ended");
        Match match = Counts().Match(counts);
        Assert.True(match.Success, "the recorder says: " + counts);
        _gaps = match.Groups["dropped"].Value;
        (string before, _read) = (_read, match.Groups["read"].Value);
        return _read == before;
    }

    private void Signal(string signal) =>
        Tool.Run("/bin/kill", signal, _recorder.Id.ToString(CultureInfo.InvariantCulture));

    [GeneratedRegex(
        @"(?<read>\d+) packets? captured, \d+ packets? received by filter, (?<dropped>\d+) packets? dropped")]
    private static partial Regex Counts();
}
