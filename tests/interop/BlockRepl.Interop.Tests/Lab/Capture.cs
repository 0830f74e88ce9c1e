using BlockRepl.Nodes;
using Xunit;

namespace BlockRepl.Interop.Tests;

/// <summary>What goes over the segment, recorded, and read by an independent decoder.</summary>
internal sealed class Capture : IDisposable
{
    private const int DecodeSeconds = 300;
    private readonly PacketRecorder _recorder;

    public Capture(NetworkSegment segment, string path)
    {
        PacketRecorder? recorder = PacketRecorder.Start(segment.Start, NetworkSegment.Tap, path, 7788);
        Assert.NotNull(recorder);
        _recorder = recorder;
    }

    public string Path => _recorder.File;

    public void Stop() => _recorder.Stop();

    public void Dispose() => _recorder.Dispose();

    /// <summary>How often each of DRBD's packets was sent, by its name; malformed ones count as "malformed".</summary>
    public Dictionary<string, int> Packets()
    {
        Assert.Equal(0, _recorder.Missing);
        string names = Tool.Run("tshark", DecodeSeconds, [
            "-r", Path, "--enable-heuristic", "drbd_tcp", .. PacketRecorder.Decoding, "-Y", "drbd", "-T", "fields",
            "-e", "drbd.command", "-e", "_ws.malformed"]).OrThrow().Output;
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
}
