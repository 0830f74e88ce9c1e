using System.Buffers.Binary;
using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;

namespace BlockRepl.Interop.Tests;

/// <summary>
/// A peer of an older version, as far as a pair needs it that is in sync already: it shakes hands, lets either be
/// Primary, keeps what is written and confirms it. It knows nothing of our codec: all bytes are laid out here.
/// </summary>
internal sealed class ScriptedPeer : IDisposable
{
    private const ushort Data = 0x00, Barrier = 0x03, Unplug = 0x07, SyncParam = 0x0a, Protocol = 0x0b, Uuids = 0x0c;
    private const ushort Sizes = 0x0d, State = 0x0e, StateChangeRequest = 0x12, Ping = 0x13, PingAck = 0x14;
    private const ushort WriteAck = 0x16, BarrierAck = 0x1c, StateChangeReply = 0x1d, SyncParam89 = 0x23;
    private const ushort ConnectionStateRequest = 0x2a, ConnectionStateReply = 0x2b;
    private const ushort InitialMeta = 0xfff1, InitialData = 0xfff2, Features = 0xfffe;

    private const uint Primary = 1, Secondary = 2, Connected = 10 << 4, WaitingForParameters = 9 << 4;
    private const uint UpToDate = 8 << 9, PeerUpToDate = 8 << 13, PeerUnknown = 6 << 13, Success = 1;
    private const uint WantsWriteAck = 256;
    private const int ReceiveTimeoutMilliseconds = 30_000;

    private readonly int _version;
    private readonly TcpClient _data;
    private readonly TcpClient _meta;
    private readonly List<string> _complaints = [];
    private readonly BlockingCollection<(ushort Command, byte[] Body)> _answers = [];
    private readonly Dictionary<ushort, int> _seen = [];
    private bool _handshakeDone;
    private uint _epochSize;
    private uint _sequence;
    private volatile bool _closing;

    /// <param name="version">The highest that this peer knows: 86 to 100.</param>
    /// <param name="generations">What both have.</param>
    public ScriptedPeer(int version, int port, Generations generations, long byteCount)
    {
        _version = version;
        Image = new byte[byteCount];
        _data = Open(port, InitialData);
        _meta = Open(port, InitialMeta);
        ExchangeFeatures();
        SendHandshake(generations);
        new Thread(() => Serve(_data, OnData)) { IsBackground = true }.Start();
        new Thread(() => Serve(_meta, OnMeta)) { IsBackground = true }.Start();
    }

    /// <summary>The peer's disk.</summary>
    public byte[] Image { get; }

    /// <summary>What was not as this version has it.</summary>
    public IReadOnlyList<string> Complaints => _complaints;

    /// <summary>How many packets of a command came in.</summary>
    public int Seen(ushort command)
    {
        lock (_seen)
        {
            return _seen.GetValueOrDefault(command);
        }
    }

    /// <summary>Becomes Primary if the other agrees.</summary>
    public void Promote()
    {
        byte[] request = new byte[8];
        BinaryPrimitives.WriteUInt32BigEndian(request, 3);
        BinaryPrimitives.WriteUInt32BigEndian(request.AsSpan(4), Primary);
        Send(_data, StateChangeRequest, request);
        int code = BinaryPrimitives.ReadInt32BigEndian(Answer(StateChangeReply));
        Check(code >= (int)Success, $"promotion is refused: {code}");
        SendState(Primary);
    }

    /// <summary>Writes as a Primary and waits for the confirmation of the write and of its epoch.</summary>
    public void Write(long offset, byte[] data, uint epoch)
    {
        byte[] body = new byte[24 + data.Length];
        BinaryPrimitives.WriteInt64BigEndian(body, offset / 512);
        BinaryPrimitives.WriteUInt64BigEndian(body.AsSpan(8), 0x1122334455667788UL + epoch);
        BinaryPrimitives.WriteUInt32BigEndian(body.AsSpan(16), ++_sequence);
        BinaryPrimitives.WriteUInt32BigEndian(body.AsSpan(20), _version >= 100 ? WantsWriteAck : 0);
        data.CopyTo(body, 24);
        data.CopyTo(Image, offset);
        Send(_data, Data, body);
        byte[] ack = Answer(WriteAck);
        Check(ack.AsSpan(0, 16).SequenceEqual(body.AsSpan(0, 16)), "a write ack names another write");
        Check(BinaryPrimitives.ReadInt32BigEndian(ack.AsSpan(16)) == data.Length, "a write ack has another size");
        byte[] barrier = new byte[8];
        BinaryPrimitives.WriteUInt32LittleEndian(barrier, epoch);
        Send(_data, Barrier, barrier);
        byte[] barrierAck = Answer(BarrierAck);
        Check(barrierAck.AsSpan(0, 4).SequenceEqual(barrier.AsSpan(0, 4)), "a barrier ack names another epoch");
        Check(BinaryPrimitives.ReadUInt32BigEndian(barrierAck.AsSpan(4)) == 1, "a barrier ack counts wrong");
    }

    public void Dispose()
    {
        _closing = true;
        _data.Dispose();
        _meta.Dispose();
        _answers.Dispose();
    }

    private TcpClient Open(int port, ushort first)
    {
        var stream = new TcpClient { NoDelay = true, ReceiveTimeout = ReceiveTimeoutMilliseconds };
        stream.Connect(IPAddress.Loopback, port);
        Send(stream, first, []);
        return stream;
    }

    private void ExchangeFeatures()
    {
        byte[] mine = new byte[72];
        BinaryPrimitives.WriteUInt32BigEndian(mine, 86);
        BinaryPrimitives.WriteUInt32BigEndian(mine.AsSpan(8), (uint)_version);
        Send(_data, Features, mine);
        (ushort command, byte[] body) = Receive(_data);
        Check(command == Features && body.Length == 72, $"the first packet is {command:x4} of {body.Length} bytes");
        _handshakeDone = true;
    }

    private void SendHandshake(Generations generations)
    {
        byte[] protocol = new byte[_version >= 87 ? 25 : 24];
        BinaryPrimitives.WriteUInt32BigEndian(protocol, 3);
        Send(_data, Protocol, protocol);
        Send(_data, _version >= 89 ? SyncParam89 : SyncParam, new byte[SyncParamBytes]);
        byte[] sizes = new byte[32];
        BinaryPrimitives.WriteInt64BigEndian(sizes, Image.Length / 512);
        BinaryPrimitives.WriteInt64BigEndian(sizes.AsSpan(16), Image.Length / 512);
        BinaryPrimitives.WriteUInt32BigEndian(sizes.AsSpan(24), 32768);
        Send(_data, Sizes, sizes);
        byte[] uuids = new byte[48];
        BinaryPrimitives.WriteUInt64BigEndian(uuids, generations.Current);
        BinaryPrimitives.WriteUInt64BigEndian(uuids.AsSpan(8), generations.Bitmap);
        Send(_data, Uuids, uuids);
        byte[] state = new byte[4];
        BinaryPrimitives.WriteUInt32BigEndian(state, Secondary | WaitingForParameters | UpToDate | PeerUnknown);
        Send(_data, State, state);
    }

    private int SyncParamBytes => _version switch { <= 87 => 4, 88 => 5, < 95 => 132, _ => 148 };

    private void SendState(uint role)
    {
        byte[] state = new byte[4];
        BinaryPrimitives.WriteUInt32BigEndian(state, role | (Secondary << 2) | Connected | UpToDate | PeerUpToDate);
        Send(_data, State, state);
    }

    private void OnData(ushort command, byte[] body)
    {
        switch (command)
        {
            case Protocol:
                Check(body.Length == (_version >= 87 ? 25 : 24), $"P_PROTOCOL has {body.Length} bytes");
                break;
            case SyncParam or SyncParam89:
                bool fits = body.Length == SyncParamBytes && (command == SyncParam89) == (_version >= 89);
                Check(fits, "P_SYNC_PARAM is of another version");
                break;
            case Sizes:
                Check(body.Length == 32, $"P_SIZES has {body.Length} bytes");
                break;
            case State when Seen(State) == 1:
                SendState(Secondary);
                break;
            case Data:
                OnWrite(body);
                break;
            case Barrier:
                BinaryPrimitives.WriteUInt32BigEndian(body.AsSpan(4), _epochSize);
                _epochSize = 0;
                Send(_meta, BarrierAck, body);
                break;
            case StateChangeRequest or ConnectionStateRequest:
                Check(command == StateChangeRequest || _version >= 100, "P_CONN_ST_CHG_REQ is unknown to this version");
                Send(_meta, command == StateChangeRequest ? StateChangeReply : ConnectionStateReply, [0, 0, 0, 1]);
                break;
            case Uuids or State or Unplug:
                break;
            default:
                Check(false, $"packet {command:x4} on the data stream");
                break;
        }
    }

    private void OnWrite(byte[] body)
    {
        int size = body.Length - 24;
        uint flags = BinaryPrimitives.ReadUInt32BigEndian(body.AsSpan(20));
        int largest = _version switch { < 95 => 32 << 10, < 100 => 128 << 10, _ => 1 << 20 };
        Check(size > 0 && size % 512 == 0 && size <= largest, $"a write of {size} bytes");
        Check((flags & WantsWriteAck) != 0 == _version >= 100, $"flags {flags:x}");
        body.AsSpan(24).CopyTo(Image.AsSpan((int)(BinaryPrimitives.ReadInt64BigEndian(body) * 512)));
        byte[] ack = new byte[24];
        body.AsSpan(0, 16).CopyTo(ack);
        BinaryPrimitives.WriteInt32BigEndian(ack.AsSpan(16), size);
        BinaryPrimitives.WriteUInt32BigEndian(ack.AsSpan(20), ++_sequence);
        _epochSize++;
        Send(_meta, WriteAck, ack);
    }

    private void OnMeta(ushort command, byte[] body)
    {
        switch (command)
        {
            case Ping:
                Send(_meta, PingAck, []);
                break;
            case PingAck:
                break;
            default:
                _answers.Add((command, body));
                break;
        }
    }

    private byte[] Answer(ushort command)
    {
        if (!_answers.TryTake(out (ushort Command, byte[] Body) answer, ReceiveTimeoutMilliseconds))
        {
            throw new TimeoutException($"no answer {command:x4} of version {_version}");
        }

        Check(answer.Command == command, $"the answer is {answer.Command:x4} instead of {command:x4}");
        return answer.Body;
    }

    private void Serve(TcpClient stream, Action<ushort, byte[]> handler)
    {
        try
        {
            while (true)
            {
                (ushort command, byte[] body) = Receive(stream);
                lock (_seen)
                {
                    _seen[command] = _seen.GetValueOrDefault(command) + 1;
                }

                handler(command, body);
            }
        }
        catch (Exception e) when (e is IOException or ObjectDisposedException or InvalidOperationException)
        {
            _closing = true;
        }
    }

    private void Check(bool condition, string complaint)
    {
        if (!condition && !_closing)
        {
            lock (_complaints)
            {
                _complaints.Add(complaint);
            }
        }
    }

    private void Send(TcpClient stream, ushort command, byte[] body)
    {
        byte[] packet;
        if (_handshakeDone && _version >= 100)
        {
            packet = new byte[16 + body.Length];
            BinaryPrimitives.WriteUInt32BigEndian(packet, 0x8620ec20);
            BinaryPrimitives.WriteUInt16BigEndian(packet.AsSpan(6), command);
            BinaryPrimitives.WriteInt32BigEndian(packet.AsSpan(8), body.Length);
        }
        else if (_handshakeDone && _version >= 95 && body.Length > 32768)
        {
            packet = new byte[8 + body.Length];
            BinaryPrimitives.WriteUInt16BigEndian(packet, 0x835a);
            BinaryPrimitives.WriteUInt16BigEndian(packet.AsSpan(2), command);
            BinaryPrimitives.WriteInt32BigEndian(packet.AsSpan(4), body.Length);
        }
        else
        {
            packet = new byte[8 + body.Length];
            BinaryPrimitives.WriteUInt32BigEndian(packet, 0x83740267);
            BinaryPrimitives.WriteUInt16BigEndian(packet.AsSpan(4), command);
            BinaryPrimitives.WriteUInt16BigEndian(packet.AsSpan(6), (ushort)body.Length);
        }

        body.CopyTo(packet, packet.Length - body.Length);
        lock (stream)
        {
            stream.GetStream().Write(packet);
        }
    }

    private (ushort Command, byte[] Body) Receive(TcpClient stream)
    {
        bool modern = _handshakeDone && _version >= 100;
        byte[] header = new byte[modern ? 16 : 8];
        stream.GetStream().ReadExactly(header);
        (int commandAt, int lengthAt) = modern ? (6, 8) : header[0] == 0x83 && header[1] == 0x5a ? (2, 4) : (4, 6);
        ushort command = BinaryPrimitives.ReadUInt16BigEndian(header.AsSpan(commandAt));
        int length = lengthAt == 6
            ? BinaryPrimitives.ReadUInt16BigEndian(header.AsSpan(6))
            : BinaryPrimitives.ReadInt32BigEndian(header.AsSpan(lengthAt));
        uint magic = BinaryPrimitives.ReadUInt32BigEndian(header);
        uint wanted = modern ? 0x8620ec20u : 0x83740267u;
        bool large = !modern && _version >= 95 && length > 32768;
        Check(large ? magic >> 16 == 0x835a : magic == wanted, $"header {magic:x8} for {length} bytes");
        byte[] body = new byte[length];
        stream.GetStream().ReadExactly(body);
        return (command, body);
    }
}
