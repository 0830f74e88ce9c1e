using BlockRepl.Core.Protocol;
using Xunit;

namespace BlockRepl.Core.Tests.Protocol;

public sealed class HeaderCodecTests
{
    [Theory]
    [InlineData(80, 72, "837402670001" + "0048")]
    [InlineData(94, 65535, "837402670001" + "ffff")]
    [InlineData(95, 32768, "837402670001" + "8000")]
    [InlineData(95, 32769, "835a0001" + "00008001")]
    [InlineData(99, 1048600, "835a0001" + "00100018")]
    [InlineData(100, 4, "8620ec20" + "0000" + "0001" + "00000004" + "00000000")]
    [InlineData(101, 1048600, "8620ec20" + "0000" + "0001" + "00100018" + "00000000")]
    public void The_form_follows_from_version_and_length(int version, int length, string expected)
    {
        byte[] buffer = new byte[HeaderCodec.MaxSize];
        PacketHeader header = new(Command.DataReply, 0, length);
        int written = HeaderCodec.Write(buffer, version, header);
        Assert.Equal(expected, Convert.ToHexStringLower(buffer.AsSpan(0, written)));
        Assert.Equal(HeaderCodec.Size(version), written);
        Assert.Equal(ProtocolViolation.None, HeaderCodec.Read(buffer, version, out PacketHeader read));
        Assert.Equal(header, read);
    }

    [Fact]
    public void The_volume_precedes_the_command()
    {
        byte[] buffer = new byte[HeaderCodec.MaxSize];
        HeaderCodec.Write(buffer, 101, new PacketHeader(Command.State, 0x1234, 4));
        Assert.Equal("8620ec201234000e0000000400000000", Convert.ToHexStringLower(buffer));
        Assert.Equal(ProtocolViolation.None, HeaderCodec.Read(buffer, 101, out PacketHeader read));
        Assert.Equal(0x1234, read.Volume);
    }

    [Theory]
    [InlineData(101, "8374026700130000" + "0000000000000000", ProtocolViolation.BadMagic)]
    [InlineData(101, "835a001300000000" + "0000000000000000", ProtocolViolation.BadMagic)]
    [InlineData(99, "8620ec2000000013", ProtocolViolation.BadMagic)]
    [InlineData(80, "0000000000000000", ProtocolViolation.BadMagic)]
    [InlineData(101, "8620ec20000000130000000000000001", ProtocolViolation.NonZeroPad)]
    [InlineData(101, "8620ec20000000138000000000000000", ProtocolViolation.BadLength)]
    [InlineData(99, "835a0000ffffffff", ProtocolViolation.BadLength)]
    [InlineData(80, "835a001300000000", ProtocolViolation.None)]
    [InlineData(86, "8374026700130000", ProtocolViolation.None)]
    public void Reading_names_what_is_wrong(int version, string hex, ProtocolViolation expected) =>
        Assert.Equal(expected, HeaderCodec.Read(Convert.FromHexString(hex), version, out _));

    [Fact]
    public void What_a_header80_cannot_carry_is_a_defect_of_the_caller()
    {
        byte[] buffer = new byte[HeaderCodec.MaxSize];
        Assert.Throws<InvariantException>(
            () => HeaderCodec.Write(buffer, 94, new PacketHeader(Command.Data, 0, 65536)));
        Assert.Throws<InvariantException>(() => HeaderCodec.Write(buffer, 99, new PacketHeader(Command.Data, 1, 4)));
    }
}
