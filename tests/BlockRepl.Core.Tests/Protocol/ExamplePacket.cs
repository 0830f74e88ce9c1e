using System.Buffers;
using System.Globalization;
using BlockRepl.Core.Protocol;
using Xunit;

namespace BlockRepl.Core.Tests.Protocol;

/// <summary>Compares packets with bytes worked out by hand from the layouts, in both directions.</summary>
internal static class ExamplePacket
{
    public static readonly Framing V101 = new(101, FeatureFlags.All, DigestAlgorithm.None);

    public static readonly Framing V97 = new(97, FeatureFlags.None, DigestAlgorithm.None);

    /// <summary>Hex digits in groups; "0*58" stands for 58 zero bytes.</summary>
    public static byte[] Bytes(string hex)
    {
        List<byte> bytes = [];
        foreach (string group in hex.Split(' ', StringSplitOptions.RemoveEmptyEntries))
        {
            bytes.AddRange(group.StartsWith("0*", StringComparison.Ordinal)
                ? new byte[int.Parse(group[2..], CultureInfo.InvariantCulture)]
                : Convert.FromHexString(group));
        }

        return [.. bytes];
    }

    /// <summary>The packet is written as these bytes, and read from them.</summary>
    /// <param name="more">Bytes behind the fixed part: a tail given in the hex, or digest and payload as far as
    /// given.</param>
    public static void Check<T>(in Framing framing, Command command, in T body, string hex, int more = 0)
        where T : struct, IPacketBody
    {
        byte[] expected = Bytes(hex);
        byte[] written = new byte[PacketWriter.MaxPacketSize];
        int head = PacketWriter.WriteHead(written, framing, 0, command, body, more);
        Assert.Equal(expected[..head], written[..head]);

        PacketReader reader = Read(framing, command, expected);
        int fixedSize = body.EncodedSize(framing);
        Assert.Equal(fixedSize + more, reader.Header.Length);
        Assert.Equal(body, AnyBody.Decode(command, reader.Body, framing));
    }

    /// <summary>A packet without fields, or one whose body is bytes.</summary>
    public static void CheckRaw(in Framing framing, Command command, byte[] body, string hex)
    {
        byte[] written = new byte[PacketWriter.MaxPacketSize];
        int length = body.Length == 0
            ? PacketWriter.WriteEmpty(written, framing, 0, command)
            : PacketWriter.WriteRaw(written, framing, 0, command, body);
        Assert.Equal(Bytes(hex), written[..length]);
        Assert.Equal(body, Read(framing, command, Bytes(hex)).Body.ToArray());
    }

    public static PacketReader Read(in Framing framing, Command command, byte[] packet)
    {
        ReadOnlySequence<byte> input = new(packet);
        PacketReader reader = new() { Framing = framing };
        ReadStatus status = reader.Read(ref input);
        Assert.Equal(ProtocolViolation.None, reader.Violation);
        Assert.Equal(ReadStatus.Packet, status);
        Assert.Equal(command, reader.Header.Command);
        return reader;
    }
}
