using System.Buffers;

namespace BlockRepl.Core.Protocol;

/// <summary>What <see cref="PacketReader.Read"/> found.</summary>
public enum ReadStatus
{
    /// <summary>All bytes were taken; the packet is not complete yet.</summary>
    NeedMore,

    /// <summary>A packet is complete, its bulk payload aside.</summary>
    Packet,

    /// <summary>
    /// The bytes are no packet that may come here. The stream is of no use any more; the answer stays the same.
    /// </summary>
    Violation,
}

/// <summary>
/// Cuts the bytes of one direction of one stream into packets. Incremental, any division of the input will do, and
/// without allocation once constructed. It never takes a byte beyond the packet it reports.
/// </summary>
/// <remarks>
/// A packet can change how the next ones are cut (P_CONNECTION_FEATURES, P_PROTOCOL), so deliver each packet and set
/// <see cref="Framing"/> before the next call; and do not read a stream whose next packet nobody wants yet: the bytes
/// of a meta stream may have arrived before the features on the data stream were evaluated.
/// </remarks>
public sealed class PacketReader
{
    private readonly byte[] _scratch = new byte[CommandCatalogue.MaxPacketBytes + CommandCatalogue.MaxDigestBytes];
    private int _filled;
    private bool _hasHeader;
    private PacketHeader _header;
    private PacketShape _shape;

    public Framing Framing { get; set; } = Framing.Initial;

    /// <summary>
    /// Unknown until the first packet that belongs on one stream only; or set by who opened the stream.
    /// </summary>
    public StreamRole Role { get; set; }

    /// <summary>Why Read answered Violation.</summary>
    public ProtocolViolation Violation { get; private set; }

    /// <summary>The header of the packet; with a violation the header as far as it could be read.</summary>
    public PacketHeader Header => _header;

    /// <summary>Everything between the header and the payload's digest. Valid until the next call of Read.</summary>
    public ReadOnlySpan<byte> Body => _scratch.AsSpan(0, _shape.BodyBytes);

    /// <summary>The digest of the payload, computed by the peer; empty without payload or algorithm.</summary>
    public ReadOnlySpan<byte> Digest => _scratch.AsSpan(_shape.BodyBytes, _shape.DigestBytes);

    /// <summary>
    /// Bytes of bulk payload that follow in the stream; the caller takes them before it calls Read again.
    /// </summary>
    public int PayloadLength => _shape.PayloadBytes;

    /// <summary>
    /// Takes bytes up to the end of the next packet's body and digest, and shortens the input by them.
    /// </summary>
    public ReadStatus Read(ref ReadOnlySequence<byte> input)
    {
        if (Violation != ProtocolViolation.None)
        {
            return ReadStatus.Violation;
        }

        if (!_hasHeader)
        {
            _shape = default;
            int headerSize = HeaderCodec.Size(Framing.AgreedVersion);
            if (!Fill(ref input, headerSize))
            {
                return ReadStatus.NeedMore;
            }

            Violation = TakeHeader(headerSize);
            if (Violation != ProtocolViolation.None)
            {
                return ReadStatus.Violation;
            }
        }

        if (!Fill(ref input, _shape.BodyBytes + _shape.DigestBytes))
        {
            return ReadStatus.NeedMore;
        }

        _hasHeader = false;
        _filled = 0;
        Violation = BodyCheck.Check(_header.Command, _shape, Body);
        return Violation == ProtocolViolation.None ? ReadStatus.Packet : ReadStatus.Violation;
    }

    private ProtocolViolation TakeHeader(int headerSize)
    {
        ProtocolViolation violation =
            HeaderCodec.Read(_scratch.AsSpan(0, headerSize), Framing.AgreedVersion, out _header);
        if (violation == ProtocolViolation.None)
        {
            violation = CommandCatalogue.Check(_header, Role, Framing, out _shape);
        }

        if (violation != ProtocolViolation.None)
        {
            return violation;
        }

        _hasHeader = true;
        _filled = 0;
        if (Role == StreamRole.Unknown)
        {
            Role = RoleOf(_header.Command);
        }

        return ProtocolViolation.None;
    }

    private StreamRole RoleOf(Command command)
    {
        CommandCatalogue.TryGetRule(command, Framing, out CommandRule rule);
        return command switch
        {
            Command.InitialData => StreamRole.Data,
            Command.InitialMeta => StreamRole.Meta,
            _ => rule.Stream,
        };
    }

    /// <summary>Copies until the scratch holds the wanted bytes; false if the input ends before.</summary>
    private bool Fill(ref ReadOnlySequence<byte> input, int wanted)
    {
        int missing = wanted - _filled;
        if (missing <= 0)
        {
            return true;
        }

        Span<byte> target = _scratch.AsSpan(_filled);
        ReadOnlySpan<byte> first = input.FirstSpan;
        if (first.Length >= missing)
        {
            first[..missing].CopyTo(target);
            input = input.Slice(missing);
            _filled = wanted;
            return true;
        }

        int taken = (int)Math.Min(missing, input.Length);
        ReadOnlySequence<byte> part = input.Slice(0, taken);
        part.CopyTo(target);
        input = input.Slice(taken);
        _filled += taken;
        return _filled == wanted;
    }
}
