using BlockRepl.Core.Generations;
using BlockRepl.Core.Options;
using BlockRepl.Core.Protocol;
using Xunit;

namespace BlockRepl.Core.Tests.Protocol;

/// <summary>decode(encode(x)) = x for every body at every version, and the sizes are those of the catalogue.</summary>
public sealed class BodyRoundTripTests
{
    public static TheoryData<int> Versions => [86, 87, 88, 89, 94, 95, 99, 100, 101];

    [Theory]
    [MemberData(nameof(Versions))]
    public void Block_packets_survive(int version) => Seeded.Run(500, random =>
    {
        Framing framing = NextFraming(version, random);
        BlockRequest request = new(random.NextUInt64(), random.NextUInt64(), random.NextSize());
        Check(framing, Command.DataRequest, request with { Pad = random.NextUInt32() });
        Check(framing, Command.WriteAck, new BlockAck(
            random.NextUInt64(), random.NextUInt64(), random.NextSize(), random.NextUInt32()));
        Check(framing with { AgreedVersion = Math.Max(version, 96) }, Command.OutOfSync, new BlockDescription(
            random.NextUInt64(), random.NextSize())
        {
            Pad = random.NextUInt32(),
        });
    });

    [Theory]
    [MemberData(nameof(Versions))]
    public void Data_packets_survive(int version) => Seeded.Run(500, random =>
    {
        Framing framing = NextFraming(version, random) with { Features = FeatureFlags.All };
        DataHeader data = new(
            random.NextUInt64(), random.NextUInt64(), random.NextUInt32(), (DataFlags)random.NextUInt32());
        Check(framing, Command.Data, data);
        Check(framing, Command.Trim, new ZeroHeader(data, random.NextSize()));
        Check(framing, Command.WriteSame, new WriteSameHeader(data, random.NextSize()));
        Check(framing, Command.Barrier, new BarrierPacket(random.NextUInt32()));
        Check(framing, Command.BarrierAck, new BarrierAckPacket(random.NextUInt32(), random.NextUInt32()));
        Check(framing, Command.DelayProbe, new DelayProbePacket(random.NextUInt32(), random.NextUInt32()));
    });

    [Theory]
    [MemberData(nameof(Versions))]
    public void State_packets_survive(int version) => Seeded.Run(500, random =>
    {
        Framing framing = NextFraming(version, random);
        UuidSet uuids = new(random.NextUInt64(), random.NextUInt64(), random.NextUInt64(), random.NextUInt64());
        Check(framing, Command.Uuids, new UuidsPacket(uuids, random.NextUInt64(), (UuidFlags)random.NextUInt64()));
        Check(framing, Command.SyncUuid, new SyncUuidPacket(random.NextUInt64()));
        Check(framing, Command.State, new StatePacket(random.NextUInt32()));
        Check(
            framing,
            Command.StateChangeRequest,
            new StateChangeRequestPacket(random.NextUInt32(), random.NextUInt32()));
        Check(framing, Command.StateChangeReply, new StateChangeReplyPacket((int)random.NextUInt32()));
    });

    [Theory]
    [MemberData(nameof(Versions))]
    public void Configuration_packets_survive(int version) => Seeded.Run(500, random =>
    {
        Framing framing = NextFraming(version, random);
        Check(framing, Command.Protocol, new ProtocolPacket(
            (ReplicationProtocol)random.Next(1, 4),
            (AfterSplitBrain)random.Next(11),
            (AfterSplitBrain)random.Next(11),
            (AfterSplitBrain)random.Next(11),
            (ConnectionFlags)random.NextUInt32(),
            random.NextBool(),
            version >= 87 ? random.NextName() : ""));
        Check(framing, SyncParamPacket.CommandFor(version), new SyncParamPacket(
            random.NextSize(),
            version >= 88 ? random.NextName() : "",
            version >= 89 ? random.NextName() : "",
            version >= 95 ? random.NextSize() : 0,
            version >= 95 ? random.NextSize() : 0,
            version >= 95 ? random.NextSize() : 0,
            version >= 95 ? random.NextSize() : 0));
        Check(framing, Command.Sizes, NextSizes(framing, random));
        Check(Framing.Initial, Command.ConnectionFeatures, new FeaturesPacket(
            random.NextSize(), (FeatureFlags)random.NextUInt32(), random.NextSize()));
    });

    private static SizesPacket NextSizes(in Framing framing, Random random) => new(
        random.NextUInt64(),
        random.NextUInt64(),
        random.NextUInt64(),
        random.NextUInt32(),
        (DeviceSizeFlags)(ushort)random.NextUInt32(),
        (framing.Features & FeatureFlags.WriteSame) == 0 ? default : new QueueLimits(
            random.NextUInt32(),
            random.NextUInt32(),
            random.NextUInt32(),
            random.NextUInt32(),
            random.NextUInt32(),
            random.NextBool(),
            random.NextBool(),
            random.NextBool()));

    private static Framing NextFraming(int version, Random random) =>
        new(version, (FeatureFlags)random.Next(16), DigestAlgorithm.None);

    private static void Check<T>(in Framing framing, Command command, in T body)
        where T : struct, IPacketBody
    {
        byte[] buffer = new byte[PacketWriter.MaxPacketSize];
        buffer.AsSpan().Fill(0xa5);
        int written = PacketWriter.Write(buffer, framing, 0, command, body);
        int headerSize = HeaderCodec.Size(framing.AgreedVersion);
        Assert.Equal(headerSize + body.EncodedSize(framing), written);
        Assert.True(buffer.AsSpan(written).IndexOfAnyExcept((byte)0xa5) < 0, "wrote beyond its size");

        Assert.Equal(ProtocolViolation.None, HeaderCodec.Read(buffer, framing.AgreedVersion, out PacketHeader header));
        Assert.Equal(new PacketHeader(command, 0, body.EncodedSize(framing)), header);
        Assert.True(CommandCatalogue.TryGetRule(command, framing, out CommandRule rule));
        Assert.InRange(header.Length, rule.FixedSize, rule.MaxLength);
        Assert.Equal(body, AnyBody.Decode(command, buffer.AsSpan(headerSize, header.Length), framing));
    }
}
