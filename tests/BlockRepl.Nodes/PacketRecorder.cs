using System.Diagnostics;
using System.Globalization;
using System.Text.RegularExpressions;

namespace BlockRepl.Nodes;

/// <summary>Records with tcpdump what goes over a network, without a gap and to the end.</summary>
public sealed partial class PacketRecorder : IDisposable
{
    /// <summary>
    /// The kernel hands over what it has recorded when a block is full, or a second after its first packet.
    /// </summary>
    private static readonly TimeSpan HandedOver = TimeSpan.FromMilliseconds(1200);

    /// <summary>
    /// What tshark has to be told of a record: two packets of a connection that two processors send stand in it as they
    /// came to be recorded, and unless they are put in their order the decoder reads the one after the other.
    /// </summary>
    public static readonly string[] Decoding = ["-o", "tcp.reassemble_out_of_order:TRUE"];

    private readonly Process _tcpdump;
    private readonly Stopwatch _quiet = Stopwatch.StartNew();
    private string _read = "";

    private PacketRecorder(Process tcpdump, string file)
    {
        _tcpdump = tcpdump;
        File = file;
    }

    public string File { get; }

    /// <summary>Packets that are not in the record, because tcpdump was too slow; valid after the end.</summary>
    public int Missing { get; private set; }

    /// <param name="start">Starts a program, its errors piped, in the network that is meant.</param>
    /// <param name="device">The network device.</param>
    /// <param name="file">Where the record goes, in pcap's format.</param>
    /// <param name="ports">TCP ports of which one is in each packet.</param>
    /// <returns>A recorder that has begun; null if tcpdump cannot.</returns>
    public static PacketRecorder? Start(
        Func<string, string[], Process> start, string device, string file, params int[] ports)
    {
        string filter = string.Join(" or ", ports.Select(port => $"tcp port {port}"));
        Process tcpdump = start(
            Tool.Find("tcpdump")!, ["-i", device, "-U", "-B", "65536", "-s", "0", "-w", file, filter]);
        string? line = tcpdump.StandardError.ReadLine();
        while (line is not null && !line.Contains("listening on", StringComparison.Ordinal))
        {
            line = tcpdump.StandardError.ReadLine();
        }

        if (line is not null)
        {
            return new PacketRecorder(tcpdump, file);
        }

        tcpdump.Dispose();
        return null;
    }

    /// <summary>
    /// Ends the record when all that was sent is in it: at its signal to end tcpdump forgets what it has not read yet,
    /// and in a busy machine that may be seconds.
    /// </summary>
    public void Stop()
    {
        if (_tcpdump.HasExited)
        {
            return;
        }

        Poll.Until(HasAll, "the recorder to have read everything", seconds: 60);
        Signal("-INT");
        if (!_tcpdump.WaitForExit(TimeSpan.FromSeconds(20)))
        {
            _tcpdump.Kill();
            _tcpdump.WaitForExit();
        }
    }

    public void Dispose()
    {
        if (!_tcpdump.HasExited)
        {
            _tcpdump.Kill();
            _tcpdump.WaitForExit();
        }

        _tcpdump.Dispose();
    }

    /// <summary>
    /// Asks tcpdump for its counts, which it tells between two packets: if it has read none for as long as the kernel
    /// may keep some back, there is none.
    /// </summary>
    private bool HasAll()
    {
        Signal("-USR1");
        string counts = _tcpdump.StandardError.ReadLine() ?? throw new IOException("tcpdump has ended");
        Match match = Counts().Match(counts);
        if (!match.Success)
        {
            throw new InvalidOperationException("tcpdump says: " + counts);
        }

        Missing = int.Parse(match.Groups["dropped"].ValueSpan, CultureInfo.InvariantCulture);
        if (match.Groups["read"].Value != _read)
        {
            _read = match.Groups["read"].Value;
            _quiet.Restart();
        }

        return _quiet.Elapsed > HandedOver;
    }

    private void Signal(string signal) =>
        Tool.Run("/bin/kill", signal, _tcpdump.Id.ToString(CultureInfo.InvariantCulture));

    [GeneratedRegex(
        @"(?<read>\d+) packets? captured, \d+ packets? received by filter, (?<dropped>\d+) packets? dropped")]
    private static partial Regex Counts();
}
