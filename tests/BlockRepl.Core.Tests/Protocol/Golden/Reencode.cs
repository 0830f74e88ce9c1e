using BlockRepl.Core.Protocol;
using Xunit;

namespace BlockRepl.Core.Tests.Protocol.Golden;

/// <summary>
/// Writes a packet again from its decoded fields; the result has to be the recorded bytes, none masked.
/// </summary>
internal static class Reencode
{
    public static byte[] Packet(RecordedPacket p)
    {
        byte[] buffer = new byte[PacketWriter.MaxPacketSize];
        int head = Head(p, buffer, p.Digest.Length + p.Payload.Length);
        return [.. buffer.AsSpan(0, head), .. p.Digest, .. p.Payload.Span];
    }

    private static int Head(RecordedPacket p, byte[] to, int more)
    {
        switch (p.Header.Command)
        {
            case Command.Data or Command.DataReply or Command.RsDataReply:
                return Write(p, to, DataHeader.Decode(p.Body, p.Framing), more);
            case Command.Trim or Command.Zeroes:
                return Write(p, to, ZeroHeader.Decode(p.Body, p.Framing));
            case Command.DataRequest or Command.RsDataRequest or Command.RsThinRequest or Command.OvRequest:
                return Write(p, to, BlockRequest.Decode(p.Body, p.Framing));
            case Command.OvReply or Command.CsumRsRequest:
                BlockRequest hashed = BlockRequest.Decode(p.Body, p.Framing);
                return PacketWriter.WriteWithTail(
                    to, p.Framing, p.Header.Volume, p.Header.Command, hashed, p.Body.AsSpan(BlockRequest.Size));
            case Command.OutOfSync or Command.RsDeallocated:
                return Write(p, to, BlockDescription.Decode(p.Body, p.Framing));
            case Command.Barrier:
                return Write(p, to, BarrierPacket.Decode(p.Body, p.Framing));
            case Command.BarrierAck:
                return Write(p, to, BarrierAckPacket.Decode(p.Body, p.Framing));
            case Command.AuthChallenge or Command.AuthResponse or Command.Bitmap or Command.CompressedBitmap:
                return PacketWriter.WriteRaw(to, p.Framing, p.Header.Volume, p.Header.Command, p.Body);
            default:
                return Configuration(p, to);
        }
    }

    private static int Configuration(RecordedPacket p, byte[] to)
    {
        switch (p.Header.Command)
        {
            case Command.ConnectionFeatures:
                return Write(p, to, FeaturesPacket.Decode(p.Body, p.Framing));
            case Command.Protocol or Command.ProtocolUpdate:
                Assert.Equal(ProtocolViolation.None, ProtocolPacket.TryDecode(p.Body, p.Framing, out var protocol));
                return Write(p, to, protocol);
            case Command.SyncParam or Command.SyncParam89:
                Assert.Equal(ProtocolViolation.None, SyncParamPacket.TryDecode(p.Body, p.Framing, out var param));
                return Write(p, to, param);
            case Command.Sizes:
                return Write(p, to, SizesPacket.Decode(p.Body, p.Framing));
            case Command.Uuids:
                return Write(p, to, UuidsPacket.Decode(p.Body, p.Framing));
            case Command.SyncUuid:
                return Write(p, to, SyncUuidPacket.Decode(p.Body, p.Framing));
            case Command.State:
                return Write(p, to, StatePacket.Decode(p.Body, p.Framing));
            case Command.StateChangeRequest or Command.ConnStateChangeRequest:
                return Write(p, to, StateChangeRequestPacket.Decode(p.Body, p.Framing));
            case Command.StateChangeReply or Command.ConnStateChangeReply:
                return Write(p, to, StateChangeReplyPacket.Decode(p.Body, p.Framing));
            case Command.Ping or Command.PingAck or Command.UnplugRemote or Command.InitialData or Command.InitialMeta:
                return PacketWriter.WriteEmpty(to, p.Framing, p.Header.Volume, p.Header.Command);
            default:
                return Write(p, to, BlockAck.Decode(p.Body, p.Framing));
        }
    }

    private static int Write<T>(RecordedPacket p, byte[] to, in T body, int more = 0)
        where T : struct, IPacketBody =>
        PacketWriter.WriteHead(to, p.Framing, p.Header.Volume, p.Header.Command, body, more);
}
