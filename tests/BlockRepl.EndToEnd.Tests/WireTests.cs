using BlockRepl.Nodes;
using Xunit;

namespace BlockRepl.EndToEnd.Tests;

/// <summary>What two of our nodes say to each other, as an independent decoder reads it.</summary>
public sealed class WireTests
{
    [Fact]
    public void Tshark_decodes_our_conversation_by_drbds_packet_names_and_finds_nothing_malformed()
    {
        Need.Root("capture on the loopback interface");
        Need.Program("tcpdump", "tcpdump");
        Need.Program("tshark", "tshark");
        Need.Program("nbdcopy", "libnbd-bin");
        using var nodes =
            new TwoNodes(new TwoNodesOptions { Net = "protocol C; data-integrity-alg md5; verify-alg md5;" });
        string capture = Path.Combine(nodes.Folder, "capture.pcap");
        using PacketRecorder? recorder =
            PacketRecorder.Start(Tool.Start, "lo", capture, nodes.Left.Port, nodes.Right.Port);
        Assert.SkipWhen(recorder is null, "tcpdump cannot capture on lo here");
        RunThroughALife(nodes);
        recorder.Stop();
        Assert.Equal(0, recorder.Missing);

        string[] decode = ["-r", capture, "--enable-heuristic", "drbd_tcp", .. PacketRecorder.Decoding];
        string decoded = Tool.Run("tshark", [.. decode, "-Y", "drbd", "-V"]).OrThrow().Output;
        string malformed = Tool.Run("tshark", [.. decode, "-Y", "_ws.malformed"]).OrThrow().Output;
        Assert.True(malformed.Length == 0, malformed);
        foreach (string packet in ExpectedPackets)
        {
            Assert.True(decoded.Contains($"DRBD [{packet}]", StringComparison.Ordinal), $"tshark shows no {packet}");
        }
    }

    private static readonly string[] ExpectedPackets =
    [
        "P_CONNECTION_FEATURES", "P_PROTOCOL", "P_SYNC_PARAM89", "P_SIZES", "P_UUIDS", "P_STATE", "P_INITIAL_DATA",
        "P_INITIAL_META", "P_DATA", "P_BARRIER", "P_BARRIER_ACK", "P_WRITE_ACK", "P_RS_DATA_REQUEST", "P_RS_DATA_REPLY",
        "P_RS_WRITE_ACK", "P_OV_REQUEST", "P_OV_REPLY", "P_OV_RESULT",
    ];

    /// <summary>First connect, full sync, writes with a flush, verify, disconnect.</summary>
    private static void RunThroughALife(TwoNodes nodes)
    {
        nodes.CreateAndConnect();
        nodes.FirstSync();
        Clients.CopyIn(Clients.RandomFile(nodes.Folder, "content", 4 << 20, seed: 51), nodes.Left);
        nodes.Left.Command("verify", "r0");
        nodes.Left.WaitFor(v => v.IsInSync, "the end of verify");
        nodes.Down(nodes.Left, nodes.Right);
    }
}
