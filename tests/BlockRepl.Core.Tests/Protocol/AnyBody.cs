using BlockRepl.Core.Protocol;

namespace BlockRepl.Core.Tests.Protocol;

/// <summary>Decodes whatever a command carries.</summary>
internal static class AnyBody
{
    /// <summary>
    /// The decoded struct; null for commands without one; a ProtocolViolation if the content is refused.
    /// </summary>
    public static object? Decode(Command command, ReadOnlySpan<byte> body, in Framing framing)
    {
        switch (command)
        {
            case Command.Data or Command.DataReply or Command.RsDataReply: return DataHeader.Decode(body, framing);
            case Command.Trim or Command.Zeroes: return ZeroHeader.Decode(body, framing);
            case Command.WriteSame: return WriteSameHeader.Decode(body, framing);
            case Command.DataRequest or Command.RsDataRequest or Command.RsThinRequest or Command.OvRequest
                or Command.OvReply or Command.CsumRsRequest: return BlockRequest.Decode(body, framing);
            case Command.OutOfSync or Command.RsDeallocated: return BlockDescription.Decode(body, framing);
            case Command.Barrier: return BarrierPacket.Decode(body, framing);
            case Command.BarrierAck: return BarrierAckPacket.Decode(body, framing);
            case Command.DelayProbe: return DelayProbePacket.Decode(body, framing);
            case Command.ConnectionFeatures: return FeaturesPacket.Decode(body, framing);
            case Command.Sizes: return SizesPacket.Decode(body, framing);
            case Command.Uuids: return UuidsPacket.Decode(body, framing);
            case Command.SyncUuid: return SyncUuidPacket.Decode(body, framing);
            case Command.State: return StatePacket.Decode(body, framing);
            case Command.StateChangeRequest or Command.ConnStateChangeRequest:
                return StateChangeRequestPacket.Decode(body, framing);
            case Command.StateChangeReply or Command.ConnStateChangeReply:
                return StateChangeReplyPacket.Decode(body, framing);
            case Command.Protocol or Command.ProtocolUpdate:
                ProtocolViolation protocol = ProtocolPacket.TryDecode(body, framing, out ProtocolPacket options);
                return protocol == ProtocolViolation.None ? options : protocol;
            case Command.SyncParam or Command.SyncParam89:
                ProtocolViolation param = SyncParamPacket.TryDecode(body, framing, out SyncParamPacket values);
                return param == ProtocolViolation.None ? values : param;
            case Command.RecvAck or Command.WriteAck or Command.RsWriteAck or Command.Superseded or Command.RetryWrite
                or Command.NegAck or Command.NegDReply or Command.NegRsDReply or Command.RsCancel or Command.OvResult
                or Command.RsIsInSync: return BlockAck.Decode(body, framing);
            default: return null;
        }
    }
}
