using System.Buffers;
using BlockRepl.Core.Protocol;

namespace BlockRepl.Core.Tests.Protocol.Golden;

/// <summary>A recorded packet, whole.</summary>
/// <param name="Connection">Counts from 1 in the order of the data streams.</param>
/// <param name="Sender">'B' or 'C'.</param>
/// <param name="Raw">Its bytes from header to payload.</param>
/// <param name="Framing">How it was framed.</param>
internal sealed record RecordedPacket(
    int Connection,
    StreamRole Role,
    char Sender,
    Framing Framing,
    PacketHeader Header,
    byte[] Body,
    byte[] Digest,
    ReadOnlyMemory<byte> Payload,
    byte[] Raw)
{
    public string Way => Sender == 'B' ? "B>C" : "C>B";
}

/// <summary>
/// Feeds the streams of a capture to packet readers, one per direction, and follows the handshakes: the features give
/// the framing, each P_PROTOCOL the digest of its sender's data.
/// </summary>
internal sealed class Conversation
{
    private readonly Dictionary<TcpDirection, Direction> _directions = [];
    private readonly List<Connection> _connections = [];

    public List<RecordedPacket> Packets { get; } = [];

    /// <summary>All bytes of the streams.</summary>
    public long StreamBytes { get; private set; }

    /// <summary>Directions of streams that carry a packet.</summary>
    public int DirectionsWithPackets => _directions.Values.Count(d => d.PacketCount > 0);

    public static Conversation Read(string capture)
    {
        Conversation conversation = new();
        foreach (TcpChunk chunk in TcpCapture.Read(GoldenFile.Unpack(capture + ".pcap")))
        {
            conversation.Feed(chunk);
        }

        foreach (Direction direction in conversation._directions.Values)
        {
            if (!direction.AtPacketEnd)
            {
                throw new InvalidDataException("a stream ends within a packet");
            }
        }

        return conversation;
    }

    private void Feed(TcpChunk chunk)
    {
        StreamBytes += chunk.Bytes.Length;
        Direction direction = DirectionOf(chunk.Direction);
        ReadOnlySequence<byte> input = new(chunk.Bytes);
        while (direction.Read(ref input) is { } packet)
        {
            if (packet.Header.Command is Command.InitialData or Command.InitialMeta)
            {
                Join(chunk.Direction, direction);
                packet = packet with { Connection = direction.Connection!.Number };
            }

            Packets.Add(packet);
            direction.Connection!.Follow(packet);
        }
    }

    private Direction DirectionOf(TcpDirection key)
    {
        if (!_directions.TryGetValue(key, out Direction? direction))
        {
            direction = new Direction(key.FromHost == 11 ? 'B' : 'C');
            _directions.Add(key, direction);
        }

        return direction;
    }

    /// <summary>A first packet: a data stream begins a connection, a meta stream belongs to the latest one.</summary>
    private void Join(TcpDirection key, Direction direction)
    {
        if (direction.Reader.Role == StreamRole.Data)
        {
            _connections.Add(new Connection(_connections.Count + 1));
        }

        Direction reverse = DirectionOf(key.Reversed());
        reverse.Reader.Role = direction.Reader.Role;
        _connections[^1].Add(direction);
        _connections[^1].Add(reverse);
    }

    private sealed class Connection(int number)
    {
        private readonly List<Direction> _directions = [];
        private readonly Dictionary<char, FeaturesPacket> _features = [];

        public int Number { get; } = number;

        public void Add(Direction direction)
        {
            direction.Connection = this;
            _directions.Add(direction);
        }

        public void Follow(RecordedPacket packet)
        {
            if (packet.Header.Command == Command.ConnectionFeatures)
            {
                _features[packet.Sender] = FeaturesPacket.Decode(packet.Body, packet.Framing);
                if (_features.Count == 2)
                {
                    Agree(_features['B'], _features['C']);
                }
            }
            else if (packet.Header.Command is Command.Protocol or Command.ProtocolUpdate)
            {
                ProtocolPacket.TryDecode(packet.Body, packet.Framing, out ProtocolPacket protocol);
                if (!DigestAlgorithms.TryParse(protocol.IntegrityAlgorithm, out DigestAlgorithm algorithm))
                {
                    throw new InvalidDataException("an integrity algorithm that was not recorded");
                }

                foreach (Direction direction in _directions.Where(d => d.Sender == packet.Sender))
                {
                    direction.Reader.Framing = direction.Reader.Framing with { PeerDigest = algorithm };
                }
            }
        }

        private void Agree(in FeaturesPacket one, in FeaturesPacket other)
        {
            int version = Math.Min(one.MaxVersion, other.MaxVersion);
            foreach (Direction direction in _directions)
            {
                direction.Reader.Framing = new(version, one.Flags & other.Flags, DigestAlgorithm.None);
            }
        }
    }

    private sealed class Direction(char sender)
    {
        private readonly ArrayBufferWriter<byte> _raw = new();
        private int _payloadMissing;
        private bool _inPayload;

        public char Sender { get; } = sender;

        public PacketReader Reader { get; } = new();

        public Connection? Connection { get; set; }

        public int PacketCount { get; private set; }

        public bool AtPacketEnd => _raw.WrittenCount == 0;

        /// <summary>The next packet that the input completes, or null when it is used up.</summary>
        public RecordedPacket? Read(ref ReadOnlySequence<byte> input)
        {
            if (!_inPayload)
            {
                ReadOnlySequence<byte> before = input;
                ReadStatus status = Reader.Read(ref input);
                if (status == ReadStatus.Violation)
                {
                    throw new InvalidDataException($"{Reader.Violation} in {Reader.Header} at packet {PacketCount}");
                }

                Keep(before.Slice(0, before.Length - input.Length));
                if (status == ReadStatus.NeedMore)
                {
                    return null;
                }

                _inPayload = true;
                _payloadMissing = Reader.PayloadLength;
            }

            int taken = (int)Math.Min(_payloadMissing, input.Length);
            Keep(input.Slice(0, taken));
            input = input.Slice(taken);
            _payloadMissing -= taken;
            return _payloadMissing == 0 ? Finish() : null;
        }

        private void Keep(ReadOnlySequence<byte> bytes)
        {
            foreach (ReadOnlyMemory<byte> part in bytes)
            {
                _raw.Write(part.Span);
            }
        }

        private RecordedPacket Finish()
        {
            _inPayload = false;
            PacketCount++;
            byte[] raw = _raw.WrittenSpan.ToArray();
            _raw.ResetWrittenCount();
            return new RecordedPacket(
                Connection?.Number ?? 0,
                Reader.Role,
                Sender,
                Reader.Framing,
                Reader.Header,
                Reader.Body.ToArray(),
                Reader.Digest.ToArray(),
                raw.AsMemory(raw.Length - Reader.PayloadLength),
                raw);
        }
    }
}
