using System.Globalization;
using System.Security.Cryptography;
using BlockRepl.Core.Protocol;
using BlockRepl.Core.State;
using Xunit;

namespace BlockRepl.Core.Tests.Protocol.Golden;

/// <summary>Writes a decoded packet as a line of NAME.packets.txt.</summary>
internal static class PacketText
{
    public static string Line(RecordedPacket p, ulong bitCount)
    {
        char socket = p.Role == StreamRole.Data ? 'D' : 'M';
        int headerSize = HeaderCodec.Size(p.Framing.AgreedVersion);
        string name = CommandCatalogue.Name(p.Header.Command);
        string line = $"{p.Connection} {socket} {p.Way} {headerSize} {name} {p.Header.Volume} {p.Header.Length}";
        string fields = Fields(p, bitCount);
        return fields.Length == 0 ? line : line + " " + fields;
    }

    private static string Fields(RecordedPacket p, ulong bitCount)
    {
        switch (p.Header.Command)
        {
            case Command.Data or Command.DataReply or Command.RsDataReply:
                return Data(DataHeader.Decode(p.Body, p.Framing), p.Payload.Length)
                    + (p.Digest.Length > 0 ? $" digest={Hex(p.Digest)}" : "")
                    + $" md5={Hex(Md5(p.Payload.Span))}";
            case Command.Trim or Command.Zeroes:
                ZeroHeader zero = ZeroHeader.Decode(p.Body, p.Framing);
                return Data(zero.Data, zero.ByteCount);
            case Command.DataRequest or Command.RsDataRequest or Command.OvRequest:
                return Request(p);
            case Command.OvReply or Command.CsumRsRequest:
                return $"{Request(p)} digest={Hex(p.Body.AsSpan(BlockRequest.Size))}";
            case Command.RecvAck or Command.WriteAck or Command.RsWriteAck or Command.RsIsInSync or Command.OvResult
                or Command.RsCancel:
                BlockAck ack = BlockAck.Decode(p.Body, p.Framing);
                return $"sector={ack.Sector} size={ack.ByteCount} id={ack.BlockId:x16} seq={ack.SequenceNumber}";
            case Command.OutOfSync:
                BlockDescription area = BlockDescription.Decode(p.Body, p.Framing);
                return $"sector={area.Sector} size={area.ByteCount}";
            case Command.Barrier:
                return "number=" + Number(BarrierPacket.Decode(p.Body, p.Framing).Number);
            case Command.BarrierAck:
                BarrierAckPacket barrier = BarrierAckPacket.Decode(p.Body, p.Framing);
                return $"number={Number(barrier.Number)} set={barrier.SetSize}";
            case Command.AuthChallenge or Command.AuthResponse:
                return $"bytes={Hex(p.Body)}";
            case Command.Bitmap or Command.CompressedBitmap:
                return Bitmap(p, bitCount);
            default:
                return Configuration(p);
        }
    }

    private static string Configuration(RecordedPacket p)
    {
        switch (p.Header.Command)
        {
            case Command.ConnectionFeatures:
                FeaturesPacket f = FeaturesPacket.Decode(p.Body, p.Framing);
                return $"min={f.MinVersion} max={f.MaxVersion} features=0x{(uint)f.Flags:x}";
            case Command.Protocol:
                return Protocol(p);
            case Command.SyncParam89:
                Assert.Equal(
                    ProtocolViolation.None, SyncParamPacket.TryDecode(p.Body, p.Framing, out SyncParamPacket s));
                return $"rate={s.ResyncRate} verify={Named(s.VerifyAlgorithm)} csums={Named(s.ChecksumAlgorithm)} "
                    + $"plan={s.PlanAhead} delay={s.DelayTarget} fill={s.FillTarget} max={s.MaxRate}";
            case Command.Sizes:
                return Sizes(SizesPacket.Decode(p.Body, p.Framing));
            case Command.Uuids:
                UuidsPacket u = UuidsPacket.Decode(p.Body, p.Framing);
                return $"current={u.Uuids.Current:x16} bitmap={u.Uuids.Bitmap:x16} h1={u.Uuids.History1:x16} "
                    + $"h2={u.Uuids.History2:x16} bits={u.DirtyBits} flags={(ulong)u.Flags}";
            case Command.SyncUuid:
                return $"uuid={SyncUuidPacket.Decode(p.Body, p.Framing).Uuid:x16}";
            case Command.State:
                return State(StatePacket.Decode(p.Body, p.Framing).Word);
            case Command.StateChangeRequest or Command.ConnStateChangeRequest:
                var request = StateChangeRequestPacket.Decode(p.Body, p.Framing);
                return $"mask=0x{request.Mask:x8} val=0x{request.Value:x8}";
            case Command.StateChangeReply or Command.ConnStateChangeReply:
                return $"code={StateChangeReplyPacket.Decode(p.Body, p.Framing).Code}";
            default:
                Assert.Empty(p.Body);
                return "";
        }
    }

    private static string Protocol(RecordedPacket p)
    {
        Assert.Equal(ProtocolViolation.None, ProtocolPacket.TryDecode(p.Body, p.Framing, out ProtocolPacket q));
        Assert.True(q.IsInRange);
        return $"protocol={q.Protocol} after_sb={(int)q.After0},{(int)q.After1},{(int)q.After2} "
            + $"conn_flags={(uint)q.Flags} two_primaries={(q.AllowTwoPrimaries ? 1 : 0)} "
            + $"integrity={Named(q.IntegrityAlgorithm)}";
    }

    private static string Sizes(in SizesPacket s)
    {
        QueueLimits q = s.Limits;
        int[] flags = [q.DiscardEnabled ? 1 : 0, q.DiscardZeroesData ? 1 : 0, q.WriteSameCapable ? 1 : 0];
        return $"d={s.DiskSectors} u={s.UserSectors} c={s.CurrentSectors} max_bio={s.MaxIoBytes} order=0 "
            + $"dds={(int)s.Flags} limits={q.PhysicalBlockBytes},{q.LogicalBlockBytes},{q.AlignmentOffset},"
            + $"{q.MinIoBytes},{q.OptimalIoBytes},{string.Join(',', flags)}";
    }

    private static string State(uint word)
    {
        string roles = $"{(Role)(word & 3)}/{(Role)(word >> 2 & 3)}";
        string disks = $"{(DiskState)(word >> 9 & 15)}/{(DiskState)(word >> 13 & 15)}";
        return $"state=0x{word:x8} ({roles},{(ConnectionState)(word >> 4 & 31)},{disks})";
    }

    private static string Bitmap(RecordedPacket p, ulong bitCount)
    {
        if (p.Body.Length == 0)
        {
            return "(end)";
        }

        // No recorded transfer has more than one packet with content.
        BitmapImage image = new(bitCount);
        BitmapReceiver receiver = new(bitCount, p.Framing);
        Assert.Equal(ProtocolViolation.None, receiver.Receive(p.Header.Command, p.Body, image));
        return p.Header.Command == Command.Bitmap
            ? $"words={p.Body.Length / 8} runs={image.Runs()}"
            : $"encoding=0x{p.Body[0]:x2} runs={image.Runs()} code={Hex(p.Body.AsSpan(1))}";
    }

    private static string Request(RecordedPacket p)
    {
        BlockRequest request = BlockRequest.Decode(p.Body, p.Framing);
        return $"sector={request.Sector} size={request.ByteCount} id={request.BlockId:x16}";
    }

    private static string Data(in DataHeader data, int size) =>
        $"sector={data.Sector} size={size} id={data.BlockId:x16} seq={data.SequenceNumber} dp=0x{(uint)data.Flags:x}";

    private static string Named(string algorithm) => algorithm.Length == 0 ? "-" : algorithm;

    private static string Number(uint littleEndian) =>
        System.Buffers.Binary.BinaryPrimitives.ReverseEndianness(littleEndian).ToString(
            "x8", CultureInfo.InvariantCulture);

    private static string Hex(ReadOnlySpan<byte> bytes) => Convert.ToHexStringLower(bytes);

#pragma warning disable CA5351 // the listing names payloads by their md5
    private static byte[] Md5(ReadOnlySpan<byte> bytes) => MD5.HashData(bytes);
#pragma warning restore CA5351
}
