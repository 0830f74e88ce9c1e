using System.Buffers.Binary;
using BlockRepl.Core.Protocol;

namespace BlockRepl.Simulation.Checks;

/// <summary>
/// One packet as the observer decodes it, without any code of the product but the names of the commands.
/// </summary>
internal readonly struct WirePacket
{
    private const uint Magic80 = 0x83740267;
    private const ushort Magic95 = 0x835a;
    private const uint Magic100 = 0x8620ec20;

    private readonly byte[] _bytes;
    private readonly int _header;

    private WirePacket(byte[] bytes, int header, Command command, int volume, int payloadBytes)
    {
        _bytes = bytes;
        _header = header;
        Command = command;
        Volume = volume;
        PayloadBytes = payloadBytes;
    }

    public Command Command { get; }

    public int Volume { get; }

    public int PayloadBytes { get; }

    /// <summary>Bytes after the header, digest included, payload not.</summary>
    public int BodyBytes => _bytes.Length - _header;

    public ReadOnlySpan<byte> Body => _bytes.AsSpan(_header);

    public ulong Sector => Number64(0);

    public ulong BlockId => Number64(8);

    /// <summary>Bytes that a block packet names, or carries.</summary>
    public int ByteCount => Command switch
    {
        Command.Data or Command.DataReply or Command.RsDataReply => PayloadBytes,
        Command.Trim or Command.Zeroes or Command.WriteSame => (int)Number32(24),
        Command.OutOfSync or Command.RsDeallocated => (int)Number32(8),
        _ => (int)Number32(16),
    };

    public uint DataSequence => Number32(16);

    public DataFlags DataFlags => (DataFlags)Number32(20);

    public uint AckSequence => Number32(20);

    public bool IsWrite => Command is Command.Data or Command.Trim or Command.Zeroes or Command.WriteSame;

    public bool IsBlockAck => Command is Command.RecvAck or Command.WriteAck or Command.RsWriteAck or Command.Superseded
        or Command.NegAck or Command.NegDReply or Command.NegRsDReply or Command.OvResult or Command.RsIsInSync
        or Command.RsCancel or Command.RetryWrite;

    public uint Number32(int offset) => BinaryPrimitives.ReadUInt32BigEndian(Body[offset..]);

    public ulong Number64(int offset) => BinaryPrimitives.ReadUInt64BigEndian(Body[offset..]);

    public static WirePacket Read(byte[] bytes, int payloadBytes, int agreedVersion)
    {
        uint magic = BinaryPrimitives.ReadUInt32BigEndian(bytes);
        int header = agreedVersion >= 100 ? 16 : 8;
        int volume = 0;
        Command command;
        long length;
        if (header == 16)
        {
            Require(
                magic == Magic100 && BinaryPrimitives.ReadUInt32BigEndian(bytes.AsSpan(12)) == 0, agreedVersion, bytes);
            volume = BinaryPrimitives.ReadUInt16BigEndian(bytes.AsSpan(4));
            command = (Command)BinaryPrimitives.ReadUInt16BigEndian(bytes.AsSpan(6));
            length = BinaryPrimitives.ReadUInt32BigEndian(bytes.AsSpan(8));
        }
        else if (magic >> 16 == Magic95)
        {
            Require(agreedVersion >= 95, agreedVersion, bytes);
            command = (Command)BinaryPrimitives.ReadUInt16BigEndian(bytes.AsSpan(2));
            length = BinaryPrimitives.ReadUInt32BigEndian(bytes.AsSpan(4));
        }
        else
        {
            Require(magic == Magic80, agreedVersion, bytes);
            command = (Command)BinaryPrimitives.ReadUInt16BigEndian(bytes.AsSpan(4));
            length = BinaryPrimitives.ReadUInt16BigEndian(bytes.AsSpan(6));
        }

        Require(length == bytes.Length - header + payloadBytes, agreedVersion, bytes);
        Require(Enum.IsDefined(command), agreedVersion, bytes);
        return new WirePacket(bytes, header, command, volume, payloadBytes);
    }

    public static bool BelongsOnMeta(Command command) => command switch
    {
        Command.Ping or Command.PingAck or Command.RecvAck or Command.WriteAck or Command.RsWriteAck => true,
        Command.NegAck or Command.NegDReply or Command.NegRsDReply or Command.BarrierAck => true,
        Command.OvResult or Command.RsIsInSync or Command.RsCancel or Command.Superseded or Command.RetryWrite => true,
        Command.StateChangeReply or Command.ConnStateChangeReply => true,
        _ => false,
    };

    public override string ToString()
    {
        string text = $"{Command} v{Volume}";
        if (IsWrite)
        {
            return $"{text} {Sector}+{ByteCount / 512} id {BlockId:x} seq {DataSequence} {DataFlags}";
        }

        return Command switch
        {
            Command.DataReply or Command.RsDataReply or Command.DataRequest or Command.RsDataRequest
                or Command.RsThinRequest or Command.OvRequest or Command.OvReply or Command.CsumRsRequest
                or Command.OutOfSync or Command.RsDeallocated => $"{text} {Sector}+{ByteCount / 512}",
            Command.Barrier => $"{text} {Number32(0):x}",
            Command.BarrierAck => $"{text} {Number32(0):x} of {Number32(4)}",
            Command.State => $"{text} {Core.State.VolumeState.FromWord(Number32(0))}",
            Command.Uuids => $"{text} {Number64(0):x} {Number64(8):x} {Number64(16):x} {Number64(24):x} "
                + $"bits {Number64(32)} flags {Number64(40)}",
            Command.SyncUuid => $"{text} {Number64(0):x}",
            _ when IsBlockAck => $"{text} {Sector}+{ByteCount / 512} id {BlockId:x} seq {AckSequence}",
            _ => $"{text} ({BodyBytes} bytes)",
        };
    }

    private static void Require(bool condition, int agreedVersion, byte[] bytes)
    {
        if (!condition)
        {
            throw new SimulationException(
                $"a packet with a wrong header for version {agreedVersion}: "
                + $"{Convert.ToHexString(bytes.AsSpan(0, Math.Min(16, bytes.Length)))}");
        }
    }
}
