using BlockRepl.Core.Protocol;
using Xunit;

namespace BlockRepl.Core.Tests.Protocol;

public sealed class CommandCatalogueTests
{
    private static readonly Framing Newest = new(101, FeatureFlags.All, DigestAlgorithm.None);

    /// <summary>Fixed part and greatest length with version 101 and all features.</summary>
    [Theory]
    [InlineData(Command.Barrier, StreamRole.Data, 8, 8)]
    [InlineData(Command.Bitmap, StreamRole.Data, 0, 4080)]
    [InlineData(Command.UnplugRemote, StreamRole.Data, 0, 0)]
    [InlineData(Command.DataRequest, StreamRole.Data, 24, 24)]
    [InlineData(Command.RsDataRequest, StreamRole.Data, 24, 24)]
    [InlineData(Command.Protocol, StreamRole.Data, 25, 88)]
    [InlineData(Command.Uuids, StreamRole.Data, 48, 48)]
    [InlineData(Command.Sizes, StreamRole.Data, 56, 56)]
    [InlineData(Command.State, StreamRole.Data, 4, 4)]
    [InlineData(Command.SyncUuid, StreamRole.Data, 8, 8)]
    [InlineData(Command.AuthChallenge, StreamRole.Data, 64, 128)]
    [InlineData(Command.AuthResponse, StreamRole.Data, 0, 64)]
    [InlineData(Command.StateChangeRequest, StreamRole.Data, 8, 8)]
    [InlineData(Command.Ping, StreamRole.Meta, 0, 0)]
    [InlineData(Command.PingAck, StreamRole.Meta, 0, 0)]
    [InlineData(Command.RecvAck, StreamRole.Meta, 24, 24)]
    [InlineData(Command.WriteAck, StreamRole.Meta, 24, 24)]
    [InlineData(Command.RsWriteAck, StreamRole.Meta, 24, 24)]
    [InlineData(Command.Superseded, StreamRole.Meta, 24, 24)]
    [InlineData(Command.NegAck, StreamRole.Meta, 24, 24)]
    [InlineData(Command.NegDReply, StreamRole.Meta, 24, 24)]
    [InlineData(Command.NegRsDReply, StreamRole.Meta, 24, 24)]
    [InlineData(Command.BarrierAck, StreamRole.Meta, 8, 8)]
    [InlineData(Command.StateChangeReply, StreamRole.Meta, 4, 4)]
    [InlineData(Command.OvRequest, StreamRole.Data, 24, 24)]
    [InlineData(Command.OvReply, StreamRole.Data, 25, 88)]
    [InlineData(Command.OvResult, StreamRole.Meta, 24, 24)]
    [InlineData(Command.CsumRsRequest, StreamRole.Data, 25, 88)]
    [InlineData(Command.RsIsInSync, StreamRole.Meta, 24, 24)]
    [InlineData(Command.SyncParam89, StreamRole.Data, 148, 148)]
    [InlineData(Command.CompressedBitmap, StreamRole.Data, 2, 4080)]
    [InlineData(Command.OutOfSync, StreamRole.Data, 16, 16)]
    [InlineData(Command.RsCancel, StreamRole.Meta, 24, 24)]
    [InlineData(Command.ConnStateChangeRequest, StreamRole.Data, 8, 8)]
    [InlineData(Command.ConnStateChangeReply, StreamRole.Meta, 4, 4)]
    [InlineData(Command.RetryWrite, StreamRole.Meta, 24, 24)]
    [InlineData(Command.ProtocolUpdate, StreamRole.Data, 25, 88)]
    [InlineData(Command.Trim, StreamRole.Data, 28, 28)]
    [InlineData(Command.RsThinRequest, StreamRole.Data, 24, 24)]
    [InlineData(Command.RsDeallocated, StreamRole.Data, 16, 16)]
    [InlineData(Command.Zeroes, StreamRole.Data, 28, 28)]
    public void Lengths_and_streams_are_enforced(Command command, StreamRole stream, int min, int max)
    {
        StreamRole other = stream == StreamRole.Data ? StreamRole.Meta : StreamRole.Data;
        Assert.Equal(ProtocolViolation.UnknownCommand, Check(command, min, other, Newest));
        Assert.Equal(ProtocolViolation.None, Check(command, min, stream, Newest));
        Assert.Equal(ProtocolViolation.None, Check(command, max, stream, Newest));
        Assert.Equal(ProtocolViolation.None, Check(command, max, StreamRole.Unknown, Newest));
        Assert.Equal(ProtocolViolation.BadLength, Check(command, max + 1, stream, Newest));
        if (min > 0)
        {
            Assert.Equal(ProtocolViolation.BadLength, Check(command, min - 1, stream, Newest));
        }
    }

    [Theory]
    [InlineData(Command.SyncParam, 86, 88)]
    [InlineData(Command.SyncParam89, 89, 101)]
    [InlineData(Command.CsumRsRequest, 89, 101)]
    [InlineData(Command.RsIsInSync, 89, 101)]
    [InlineData(Command.CompressedBitmap, 90, 101)]
    [InlineData(Command.OutOfSync, 96, 101)]
    [InlineData(Command.RsCancel, 96, 101)]
    [InlineData(Command.ConnStateChangeRequest, 100, 101)]
    [InlineData(Command.ConnStateChangeReply, 100, 101)]
    [InlineData(Command.RetryWrite, 100, 101)]
    [InlineData(Command.ProtocolUpdate, 100, 101)]
    [InlineData(Command.Data, 86, 101)]
    [InlineData(Command.Trim, 86, 101)]
    public void A_command_exists_from_its_version_on(Command command, int from, int to)
    {
        for (int version = CommandCatalogue.MinVersion; version <= CommandCatalogue.MaxVersion; version++)
        {
            Framing framing = new(version, FeatureFlags.None, DigestAlgorithm.None);
            Assert.Equal(version >= from && version <= to, CommandCatalogue.TryGetRule(command, framing, out _));
        }
    }

    [Theory]
    [InlineData(86, Command.SyncParam, 4, 4)]
    [InlineData(87, Command.SyncParam, 4, 4)]
    [InlineData(88, Command.SyncParam, 5, 68)]
    [InlineData(89, Command.SyncParam89, 132, 132)]
    [InlineData(94, Command.SyncParam89, 132, 132)]
    [InlineData(95, Command.SyncParam89, 148, 148)]
    [InlineData(86, Command.Protocol, 24, 24)]
    [InlineData(87, Command.Protocol, 25, 88)]
    [InlineData(99, Command.Bitmap, 0, 4088)]
    [InlineData(101, Command.Sizes, 32, 32)]
    public void Lengths_follow_the_version(int version, Command command, int min, int max)
    {
        Framing framing = new(version, FeatureFlags.None, DigestAlgorithm.None);
        Assert.True(CommandCatalogue.TryGetRule(command, framing, out CommandRule rule));
        Assert.Equal((min, max), (rule.FixedSize, rule.MaxLength));
    }

    [Theory]
    [InlineData(Command.RsThinRequest, FeatureFlags.ThinResync)]
    [InlineData(Command.RsDeallocated, FeatureFlags.ThinResync)]
    [InlineData(Command.WriteSame, FeatureFlags.WriteSame)]
    [InlineData(Command.Zeroes, FeatureFlags.WriteZeroes)]
    public void Some_commands_need_a_feature(Command command, FeatureFlags feature)
    {
        Framing with = new(101, feature, DigestAlgorithm.None);
        Framing without = new(101, FeatureFlags.All & ~feature, DigestAlgorithm.None);
        Assert.True(CommandCatalogue.TryGetRule(command, with, out _));
        Assert.False(CommandCatalogue.TryGetRule(command, without, out _));
    }

    [Fact]
    public void Before_the_features_exchange_only_three_commands_exist()
    {
        var known = Enumerable.Range(0, 0x10000)
            .Where(code => CommandCatalogue.TryGetRule((Command)code, Framing.Initial, out _))
            .Select(code => (Command)code);
        Assert.Equal([Command.InitialMeta, Command.InitialData, Command.ConnectionFeatures], known);
    }

    [Fact]
    public void After_it_all_others_exist_and_have_a_name()
    {
        var known = Enumerable.Range(0, 0x10000)
            .Where(code => CommandCatalogue.TryGetRule((Command)code, Newest, out _))
            .Select(code => (Command)code)
            .ToList();
        Command[] missing =
            [Command.SyncParam, Command.InitialMeta, Command.InitialData, Command.ConnectionFeatures];
        Assert.Equal(Enum.GetValues<Command>().Except(missing), known);
        Assert.DoesNotContain("P_?", Enum.GetValues<Command>().Select(CommandCatalogue.Name));
        Assert.Equal("P_?", CommandCatalogue.Name((Command)0x2e));
    }

    [Fact]
    public void The_first_packet_comes_only_where_the_role_is_unknown()
    {
        Assert.Equal(ProtocolViolation.None, Check(Command.InitialMeta, 0, StreamRole.Unknown, Framing.Initial));
        Assert.Equal(ProtocolViolation.UnknownCommand, Check(Command.InitialMeta, 0, StreamRole.Meta, Framing.Initial));
        Assert.Equal(ProtocolViolation.BadLength, Check(Command.InitialData, 1, StreamRole.Unknown, Framing.Initial));
    }

    [Theory]
    [InlineData(Command.Data, 24, 0, DigestAlgorithm.None, ProtocolViolation.None)]
    [InlineData(Command.Data, 24 + 512, 512, DigestAlgorithm.None, ProtocolViolation.None)]
    [InlineData(Command.Data, 24 + 16 + 512, 512, DigestAlgorithm.Md5, ProtocolViolation.None)]
    [InlineData(Command.RsDataReply, 24 + 1048576, 1048576, DigestAlgorithm.None, ProtocolViolation.None)]
    [InlineData(Command.Data, 24 + 1048576 + 512, 0, DigestAlgorithm.None, ProtocolViolation.BadPayloadSize)]
    [InlineData(Command.Data, 24 + 511, 0, DigestAlgorithm.None, ProtocolViolation.BadPayloadSize)]
    [InlineData(Command.Data, 24 + 512, 0, DigestAlgorithm.Md5, ProtocolViolation.BadPayloadSize)]
    [InlineData(Command.Data, int.MaxValue, 0, DigestAlgorithm.None, ProtocolViolation.BadPayloadSize)]
    [InlineData(Command.DataReply, 24, 0, DigestAlgorithm.None, ProtocolViolation.BadPayloadSize)]
    [InlineData(Command.RsDataReply, 24, 0, DigestAlgorithm.None, ProtocolViolation.BadPayloadSize)]
    [InlineData(Command.Data, 23, 0, DigestAlgorithm.None, ProtocolViolation.BadLength)]
    [InlineData(Command.Data, 39, 0, DigestAlgorithm.Md5, ProtocolViolation.BadLength)]
    [InlineData(Command.WriteSame, 28 + 4096, 4096, DigestAlgorithm.None, ProtocolViolation.None)]
    [InlineData(Command.WriteSame, 28 + 4608, 0, DigestAlgorithm.None, ProtocolViolation.BadPayloadSize)]
    [InlineData(Command.Trim, 28 + 512, 0, DigestAlgorithm.None, ProtocolViolation.BadLength)]
    public void Payloads_are_limited_by_the_header_alone(
        Command command, int length, int payload, DigestAlgorithm digest, ProtocolViolation expected)
    {
        Framing framing = Newest with { PeerDigest = digest };
        PacketHeader header = new(command, 0, length);
        Assert.Equal(expected, CommandCatalogue.Check(header, StreamRole.Data, framing, out PacketShape shape));
        Assert.Equal(payload, shape.PayloadBytes);
        if (expected == ProtocolViolation.None)
        {
            Assert.Equal(length, shape.BodyBytes + shape.DigestBytes + shape.PayloadBytes);
        }
    }

    private static ProtocolViolation Check(Command command, int length, StreamRole role, in Framing framing) =>
        CommandCatalogue.Check(new PacketHeader(command, 0, length), role, framing, out _);
}
