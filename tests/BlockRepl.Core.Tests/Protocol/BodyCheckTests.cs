using System.Buffers;
using BlockRepl.Core.Protocol;
using Xunit;

namespace BlockRepl.Core.Tests.Protocol;

/// <summary>Sizes and sectors that the reader refuses before it waits for a payload.</summary>
public sealed class BodyCheckTests
{
    private static readonly Framing Newest = new(101, FeatureFlags.All, DigestAlgorithm.None);

    [Theory]
    [InlineData(512, 0, ProtocolViolation.None)]
    [InlineData(1048576, 8, ProtocolViolation.None)]
    [InlineData(0, 0, ProtocolViolation.BadPayloadSize)]
    [InlineData(511, 0, ProtocolViolation.BadPayloadSize)]
    [InlineData(1048576 + 512, 0, ProtocolViolation.BadPayloadSize)]
    [InlineData(int.MinValue, 0, ProtocolViolation.BadPayloadSize)]
    [InlineData(512, 1L << 54, ProtocolViolation.BadSector)]
    [InlineData(512, (1L << 54) - 1, ProtocolViolation.None)]
    [InlineData(512, -1, ProtocolViolation.BadSector)]
    public void Requests_are_at_most_1_MiB(int size, long sector, ProtocolViolation expected)
    {
        BlockRequest request = new((ulong)sector, BlockIds.Syncer, size);
        Command[] requests = [Command.DataRequest, Command.RsDataRequest, Command.RsThinRequest, Command.OvRequest];
        foreach (Command command in requests)
        {
            Assert.Equal(expected, Read(command, request));
        }

        Assert.Equal(expected, Read(Command.OvReply, request, 16));
        Assert.Equal(expected, Read(Command.CsumRsRequest, request, 4));
    }

    [Theory]
    [InlineData(512, ProtocolViolation.None)]
    [InlineData(128 << 20, ProtocolViolation.None)]
    [InlineData((128 << 20) + 512, ProtocolViolation.BadPayloadSize)]
    [InlineData(0, ProtocolViolation.BadPayloadSize)]
    [InlineData(1, ProtocolViolation.BadPayloadSize)]
    [InlineData(-512, ProtocolViolation.BadPayloadSize)]
    public void Areas_are_at_most_128_MiB(int size, ProtocolViolation expected)
    {
        ZeroHeader area = new(new DataHeader(8, 1, 1, DataFlags.Discard), size);
        Assert.Equal(expected, Read(Command.Trim, area));
        Assert.Equal(expected, Read(Command.Zeroes, area));
        Assert.Equal(expected, Read(Command.OutOfSync, new BlockDescription(8, size)));
        Assert.Equal(expected, Read(Command.RsDeallocated, new BlockDescription(8, size)));
    }

    [Fact]
    public void An_empty_write_is_a_flush_or_nothing()
    {
        Assert.Equal(ProtocolViolation.None, Read(Command.Data, new DataHeader(0, 1, 1, DataFlags.Flush)));
        Assert.Equal(ProtocolViolation.BadPayloadSize, Read(Command.Data, new DataHeader(0, 1, 1, DataFlags.Sync)));
    }

    [Fact]
    public void Data_beyond_any_device_are_refused_before_they_are_awaited()
    {
        DataHeader data = new(BodyCheck.SectorLimit, 1, 1, DataFlags.None);
        Assert.Equal(ProtocolViolation.BadSector, Read(Command.Data, data, 4096));
        Assert.Equal(ProtocolViolation.BadSector, Read(Command.RsDataReply, data, 4096));
        Assert.Equal(ProtocolViolation.None, Read(Command.DataReply, data with { Sector = 5 }, 4096));
    }

    private static ProtocolViolation Read<T>(Command command, in T body, int more = 0)
        where T : struct, IPacketBody
    {
        byte[] packet = new byte[64 + more];
        int head = PacketWriter.WriteHead(packet, Newest, 0, command, body, more);
        // Of a bulk packet not a byte of the payload is there yet.
        bool bulk = command is Command.Data or Command.DataReply or Command.RsDataReply;
        ReadOnlySequence<byte> input = new(packet, 0, bulk ? head : head + more);
        PacketReader reader = new() { Framing = Newest, Role = StreamRole.Data };
        ReadStatus status = reader.Read(ref input);
        Assert.Equal(reader.Violation == ProtocolViolation.None ? ReadStatus.Packet : ReadStatus.Violation, status);
        return reader.Violation;
    }
}
