namespace BlockRepl.Core.Protocol;

/// <summary>The two TCP streams of a connection.</summary>
public enum StreamRole
{
    /// <summary>Not known yet; the first packet tells.</summary>
    Unknown,

    /// <summary>Requests, data, configuration, states, bitmaps.</summary>
    Data,

    /// <summary>Acknowledgements and pings.</summary>
    Meta,
}

/// <summary>When a command may come.</summary>
public enum CommandPhase
{
    /// <summary>As the first packet of a stream, by the side that opened it.</summary>
    First,

    /// <summary>In the features exchange.</summary>
    Features,

    /// <summary>Between the features exchange and P_PROTOCOL; the core refuses it later.</summary>
    Authentication,

    /// <summary>After that, for the life of the connection.</summary>
    Operation,
}

/// <summary>What a command looks like in one agreed version.</summary>
/// <param name="Stream">Where it belongs; Unknown = on both streams.</param>
/// <param name="FixedSize">Bytes of the fixed part: the least length, bulk commands aside (digest and payload are
/// added).</param>
/// <param name="MaxLength">Greatest length; equal to <paramref name="FixedSize"/> if nothing variable may
/// follow.</param>
/// <param name="IsBulk">Whether digest and payload follow the fixed part.</param>
public readonly record struct CommandRule(
    StreamRole Stream, CommandPhase Phase, int FixedSize, int MaxLength, bool IsBulk);

/// <summary>How the bytes after a header divide; on the wire: body, digest, payload.</summary>
/// <param name="BodyBytes">What the packet structs decode; at most 4096.</param>
/// <param name="DigestBytes">Digest of the payload; 0 without payload or algorithm.</param>
/// <param name="PayloadBytes">Bulk data, at most 1 MiB.</param>
public readonly record struct PacketShape(int BodyBytes, int DigestBytes, int PayloadBytes);

/// <summary>Every command of protocol 86 to 101: its stream, its phase, its lengths.</summary>
public static partial class CommandCatalogue
{
    public const int MinVersion = 86;
    public const int MaxVersion = 101;

    /// <summary>Most bytes of a packet with its header, bulk payload aside.</summary>
    public const int MaxPacketBytes = 4096;

    /// <summary>Longest digest that a packet may carry (sha512).</summary>
    public const int MaxDigestBytes = 64;

    private const int MaxChallengeBytes = 128;
    private const int MinChallengeBytes = 64;
    private const int MaxBulkLength = ZeroHeader.Size + MaxDigestBytes + CoreLimits.MaxPayloadBytes;

    /// <summary>
    /// Whether a packet with this header may come on this stream now, and how it divides. Everything that the header
    /// alone can tell is checked, so that nothing is allocated or waited for in vain.
    /// </summary>
    /// <returns>None, UnknownCommand, BadLength or BadPayloadSize.</returns>
    public static ProtocolViolation Check(
        in PacketHeader header, StreamRole role, in Framing framing, out PacketShape shape)
    {
        shape = default;
        if (!TryGetRule(header.Command, framing, out CommandRule rule) || !BelongsOn(rule, role))
        {
            return ProtocolViolation.UnknownCommand;
        }

        if (header.Length < rule.FixedSize)
        {
            return ProtocolViolation.BadLength;
        }

        if (rule.IsBulk)
        {
            return CheckBulk(header, rule.FixedSize, framing, out shape);
        }

        if (header.Length > rule.MaxLength || (header.Command == Command.Bitmap && header.Length % 8 != 0))
        {
            return ProtocolViolation.BadLength;
        }

        shape = new(header.Length, 0, 0);
        return ProtocolViolation.None;
    }

    /// <summary>The rule of a command; false if it does not exist with this version and these features.</summary>
    /// <remarks>P_TRIM needs no feature: kernels send it to nodes that never announced it.</remarks>
    public static bool TryGetRule(Command command, in Framing framing, out CommandRule rule)
    {
        bool negotiated = framing.AgreedVersion >= MinVersion;
        rule = command switch
        {
            Command.InitialData or Command.InitialMeta => new(StreamRole.Unknown, CommandPhase.First, 0, 0, false),
            Command.ConnectionFeatures =>
                new(StreamRole.Data, CommandPhase.Features, FeaturesPacket.Size, FeaturesPacket.Size, false),
            Command.AuthChallenge => Authentication(MinChallengeBytes, MaxChallengeBytes),
            Command.AuthResponse => Authentication(0, MaxDigestBytes),
            Command.DelayProbe => Exactly(StreamRole.Unknown, DelayProbePacket.Size),
            _ => Operation(command, framing),
        };
        bool wantsNegotiated = rule.Phase is CommandPhase.Authentication or CommandPhase.Operation;
        return rule.MaxLength >= 0 && wantsNegotiated == negotiated && Exists(command, framing);
    }

    private static readonly CommandRule NoRule = new(StreamRole.Unknown, CommandPhase.Operation, 0, -1, false);

    private static CommandRule Operation(Command command, in Framing framing) => command switch
    {
        Command.Data or Command.DataReply or Command.RsDataReply => Bulk(DataHeader.Size),
        Command.WriteSame => Bulk(WriteSameHeader.Size),
        Command.Trim or Command.Zeroes => Exactly(StreamRole.Data, ZeroHeader.Size),
        Command.Barrier => Exactly(StreamRole.Data, BarrierPacket.Size),
        Command.UnplugRemote => Exactly(StreamRole.Data, 0),
        Command.DataRequest or Command.RsDataRequest or Command.RsThinRequest or Command.OvRequest =>
            Exactly(StreamRole.Data, BlockRequest.Size),
        Command.OvReply or Command.CsumRsRequest => Variable(BlockRequest.Size + 1, BlockRequest.Size + MaxDigestBytes),
        Command.OutOfSync or Command.RsDeallocated => Exactly(StreamRole.Data, BlockDescription.Size),
        Command.Bitmap => Variable(0, MaxPacketBytes - HeaderCodec.Size(framing.AgreedVersion)),
        Command.CompressedBitmap => Variable(2, MaxPacketBytes - HeaderCodec.Size(framing.AgreedVersion)),
        Command.Protocol or Command.ProtocolUpdate => ProtocolRule(framing.AgreedVersion),
        Command.SyncParam or Command.SyncParam89 => SyncParamRule(framing.AgreedVersion),
        Command.Sizes => Exactly(StreamRole.Data, SizesPacket.Size(framing)),
        Command.Uuids => Exactly(StreamRole.Data, UuidsPacket.Size),
        Command.SyncUuid => Exactly(StreamRole.Data, SyncUuidPacket.Size),
        Command.State => Exactly(StreamRole.Data, StatePacket.Size),
        Command.StateChangeRequest or Command.ConnStateChangeRequest =>
            Exactly(StreamRole.Data, StateChangeRequestPacket.Size),
        Command.StateChangeReply or Command.ConnStateChangeReply =>
            Exactly(StreamRole.Meta, StateChangeReplyPacket.Size),
        Command.Ping or Command.PingAck => Exactly(StreamRole.Meta, 0),
        Command.BarrierAck => Exactly(StreamRole.Meta, BarrierAckPacket.Size),
        Command.RecvAck or Command.WriteAck or Command.RsWriteAck or Command.Superseded or Command.RetryWrite
            or Command.NegAck or Command.NegDReply or Command.NegRsDReply or Command.RsCancel or Command.OvResult
            or Command.RsIsInSync => Exactly(StreamRole.Meta, BlockAck.Size),
        _ => NoRule,
    };

    private static bool Exists(Command command, in Framing framing) => command switch
    {
        Command.SyncParam => framing.AgreedVersion <= 88,
        Command.SyncParam89 or Command.CsumRsRequest or Command.RsIsInSync => framing.AgreedVersion >= 89,
        Command.CompressedBitmap => framing.AgreedVersion >= 90,
        Command.OutOfSync or Command.RsCancel => framing.AgreedVersion >= 96,
        Command.ConnStateChangeRequest or Command.ConnStateChangeReply or Command.RetryWrite
            or Command.ProtocolUpdate => framing.AgreedVersion >= 100,
        Command.RsThinRequest or Command.RsDeallocated => (framing.Features & FeatureFlags.ThinResync) != 0,
        Command.WriteSame => (framing.Features & FeatureFlags.WriteSame) != 0,
        Command.Zeroes => (framing.Features & FeatureFlags.WriteZeroes) != 0,
        _ => true,
    };

    private static bool BelongsOn(in CommandRule rule, StreamRole role) => rule.Phase == CommandPhase.First
        ? role == StreamRole.Unknown
        : role == StreamRole.Unknown || rule.Stream == StreamRole.Unknown || rule.Stream == role;

    private static ProtocolViolation CheckBulk(
        in PacketHeader header, int fixedSize, in Framing framing, out PacketShape shape)
    {
        int digest = framing.PeerDigest.Size();
        int payload = header.Length - fixedSize - digest;
        shape = default;
        if (payload < 0)
        {
            return ProtocolViolation.BadLength;
        }

        int limit = header.Command == Command.WriteSame ? 4096 : CoreLimits.MaxPayloadBytes;
        bool mayBeEmpty = header.Command == Command.Data;
        if (payload > limit || payload % 512 != 0 || (payload == 0 && !mayBeEmpty))
        {
            return ProtocolViolation.BadPayloadSize;
        }

        shape = new(fixedSize, digest, payload);
        return ProtocolViolation.None;
    }

    private static CommandRule ProtocolRule(int version) => version >= 87
        ? Variable(ProtocolPacket.FixedSize + 1, ProtocolPacket.FixedSize + AlgorithmName.MaxSize)
        : Exactly(StreamRole.Data, ProtocolPacket.FixedSize);

    private static CommandRule SyncParamRule(int version) => version switch
    {
        <= 87 => Exactly(StreamRole.Data, 4),
        88 => Variable(4 + 1, 4 + AlgorithmName.MaxSize),
        <= 94 => Exactly(StreamRole.Data, 132),
        _ => Exactly(StreamRole.Data, 148),
    };

    private static CommandRule Exactly(StreamRole stream, int size) =>
        new(stream, CommandPhase.Operation, size, size, false);

    private static CommandRule Variable(int min, int max) =>
        new(StreamRole.Data, CommandPhase.Operation, min, max, false);

    private static CommandRule Bulk(int fixedSize) =>
        new(StreamRole.Data, CommandPhase.Operation, fixedSize, MaxBulkLength, true);

    private static CommandRule Authentication(int min, int max) =>
        new(StreamRole.Data, CommandPhase.Authentication, min, max, false);
}
