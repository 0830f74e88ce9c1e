using BlockRepl.Core.Protocol;
using BlockRepl.Simulation.Net;
using BlockRepl.Simulation.Nodes;

namespace BlockRepl.Simulation.Checks;

/// <summary>
/// A second reader of everything the nodes send: it cuts and decodes with rules of its own and checks that each packet
/// may come where it comes. It sees a packet when the core hands it over, so it can compare with the disks at that
/// moment.
/// </summary>
public sealed class WireObserver(SimCluster cluster)
{
    private readonly Dictionary<int, StreamView> _streams = [];
    private readonly ConnectionView?[] _current = new ConnectionView?[2];

    /// <summary>Packets seen, by command.</summary>
    public SortedDictionary<Command, long> Counts { get; } = [];

    /// <summary>A packet of a node; a payload follows the bytes.</summary>
    internal void OnSend(SimNode node, SimSocket socket, byte[] bytes, ReadOnlySpan<byte> payload)
    {
        if (socket.Peer is null)
        {
            return;
        }

        int key = Math.Min(socket.Id, socket.Peer.Id);
        if (!_streams.TryGetValue(key, out StreamView? stream))
        {
            _streams.Add(key, stream = new StreamView());
        }

        WirePacket packet = WirePacket.Read(bytes, payload.Length, VersionOf(node, stream));
        Counts[packet.Command] = Counts.GetValueOrDefault(packet.Command) + 1;
        node.RunningHost.Note(
            TraceKind.Send, (ulong)packet.Command, (ulong)bytes.Length, () => $"> {packet} on {socket.Id}");
        Place(node, stream, packet);
    }

    /// <summary>A meta stream carries nothing that tells the version; it is that of the node's data stream.</summary>
    private int VersionOf(SimNode node, StreamView stream) =>
        stream.IsMeta == true ? _current[node.Index]?.AgreedVersion ?? stream.AgreedVersion : stream.AgreedVersion;

    private void Place(SimNode node, StreamView stream, in WirePacket packet)
    {
        switch (packet.Command)
        {
            case Command.InitialData:
                stream.IsMeta = false;
                break;
            case Command.InitialMeta:
                stream.IsMeta = true;
                break;
            case Command.ConnectionFeatures:
                OnFeatures(node, stream, packet);
                break;
            default:
                OnOperation(node, stream, packet);
                break;
        }
    }

    private void OnFeatures(SimNode node, StreamView stream, in WirePacket packet)
    {
        if (stream.IsMeta != false)
        {
            throw new SimulationException(
                $"node {node.Name} sends P_CONNECTION_FEATURES on a stream that is no data stream");
        }

        stream.Connection ??= new ConnectionView(cluster);
        _current[node.Index] = stream.Connection;
        stream.MaxVersion[node.Index] = packet.Number32(8);
        if (stream.MaxVersion[0] != 0 && stream.MaxVersion[1] != 0)
        {
            stream.AgreedVersion = (int)Math.Min(stream.MaxVersion[0], stream.MaxVersion[1]);
            stream.Connection.AgreedVersion = stream.AgreedVersion;
        }
    }

    private void OnOperation(SimNode node, StreamView stream, in WirePacket packet)
    {
        bool meta = WirePacket.BelongsOnMeta(packet.Command);
        stream.IsMeta ??= meta;
        if (stream.IsMeta != meta)
        {
            throw new SimulationException($"node {node.Name} sends {packet} on the wrong stream");
        }

        ConnectionView? connection = meta ? _current[node.Index] : stream.Connection;
        if (connection is null)
        {
            throw new SimulationException($"node {node.Name} sends {packet} before the features exchange");
        }

        connection.OnPacket(node, packet);
    }

    /// <summary>What is known of one TCP connection.</summary>
    private sealed class StreamView
    {
        public bool? IsMeta { get; set; }

        public uint[] MaxVersion { get; } = new uint[2];

        public int AgreedVersion { get; set; } = 80;

        public ConnectionView? Connection { get; set; }
    }
}
