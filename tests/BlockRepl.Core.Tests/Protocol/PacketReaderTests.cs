using System.Buffers;
using System.Globalization;
using System.Text;
using BlockRepl.Core.Protocol;
using Xunit;

namespace BlockRepl.Core.Tests.Protocol;

public sealed class PacketReaderTests
{
    private static readonly int[] VersionClasses = [80, 86, 88, 94, 95, 99, 100, 101];

    private static readonly DigestAlgorithm[] Digests = Enum.GetValues<DigestAlgorithm>();

    public static TheoryData<int> Versions => new(VersionClasses);

    [Theory]
    [MemberData(nameof(Versions))]
    public void Any_bytes_are_packets_or_a_named_violation_however_they_are_cut(int version) =>
        Seeded.Run(3000, random =>
        {
            Framing framing = NextFraming(version, random);
            StreamRole role = (StreamRole)random.Next(3);
            byte[] bytes = NextInput(framing, random);
            string whole = Trace(framing, role, new ReadOnlySequence<byte>(bytes), bytes.Length);
            Assert.Equal(whole, Trace(framing, role, Segments.Split(bytes, 1, random), bytes.Length));
            Assert.Equal(whole, Trace(framing, role, Segments.Split(bytes, 40, random), bytes.Length));
            Assert.Equal(whole, TraceInSteps(framing, role, bytes, random));
        });

    [Theory]
    [MemberData(nameof(Versions))]
    public void The_inputs_of_the_test_above_reach_packets_and_violations(int version)
    {
        HashSet<string> outcomes = [];
        Seeded.Run(3000, random =>
        {
            Framing framing = NextFraming(version, random);
            StreamRole role = (StreamRole)random.Next(3);
            byte[] bytes = NextInput(framing, random);
            foreach (string line in Trace(framing, role, new(bytes), bytes.Length).Split('\n'))
            {
                outcomes.Add(line.Split(' ')[0]);
            }
        });
        Assert.Superset(
            new HashSet<string> { "packet", "more", "BadMagic", "UnknownCommand", "BadLength" }, outcomes);
        Assert.Equal(version >= 100, outcomes.Contains("NonZeroPad"));
        Assert.Equal(version >= 86, outcomes.Contains("BadPayloadSize"));
    }

    [Fact]
    public void The_first_packet_tells_the_role()
    {
        Assert.Equal(StreamRole.Data, RoleAfter(Framing.Initial, Command.InitialData));
        Assert.Equal(StreamRole.Meta, RoleAfter(Framing.Initial, Command.InitialMeta));
        Framing newest = new(101, FeatureFlags.All, DigestAlgorithm.None);
        Assert.Equal(StreamRole.Meta, RoleAfter(newest, Command.Ping));
        Assert.Equal(StreamRole.Data, RoleAfter(newest, Command.UnplugRemote));
    }

    [Fact]
    public void After_a_violation_nothing_more_is_read()
    {
        PacketReader reader = new();
        ReadOnlySequence<byte> garbage = new(new byte[8]);
        Assert.Equal(ReadStatus.Violation, reader.Read(ref garbage));
        byte[] good = new byte[8];
        PacketWriter.WriteEmpty(good, Framing.Initial, 0, Command.InitialData);
        ReadOnlySequence<byte> input = new(good);
        Assert.Equal(ReadStatus.Violation, reader.Read(ref input));
        Assert.Equal(ProtocolViolation.BadMagic, reader.Violation);
        Assert.Equal(8, input.Length);
    }

    [Fact]
    public void The_digest_lies_between_body_and_payload()
    {
        Framing framing = new(101, FeatureFlags.All, DigestAlgorithm.Crc32c);
        byte[] packet = new byte[16 + 24 + 4 + 512];
        int head = PacketWriter.WriteHead(
            packet, framing, 3, Command.Data, new DataHeader(1, 2, 3, DataFlags.Sync), 4 + 512);
        packet.AsSpan(head, 4).Fill(0xdd);
        packet.AsSpan(head + 4).Fill(0x5a);
        ReadOnlySequence<byte> input = new(packet);
        PacketReader reader = new() { Framing = framing, Role = StreamRole.Data };
        Assert.Equal(ReadStatus.Packet, reader.Read(ref input));
        Assert.Equal(new PacketHeader(Command.Data, 3, 540), reader.Header);
        Assert.Equal(new DataHeader(1, 2, 3, DataFlags.Sync), DataHeader.Decode(reader.Body, framing));
        Assert.Equal([0xdd, 0xdd, 0xdd, 0xdd], reader.Digest.ToArray());
        Assert.Equal(512, reader.PayloadLength);
        Assert.Equal(512, input.Length);
        Assert.Equal(0x5a, input.FirstSpan[0]);
    }

    [Fact]
    public void Reading_and_writing_the_packets_of_the_data_path_allocates_nothing()
    {
        Framing framing = new(101, FeatureFlags.All, DigestAlgorithm.None);
        byte[] buffer = new byte[4096];
        PacketReader data = new() { Framing = framing };
        PacketReader meta = new() { Framing = framing };
        AllocationCheck.AssertNone(() =>
        {
            for (int i = 0; i < 1000; i++)
            {
                ExchangeWrite(framing, buffer, data, meta);
            }
        });
    }

    private static void ExchangeWrite(in Framing framing, byte[] buffer, PacketReader data, PacketReader meta)
    {
        int length = PacketWriter.WriteHead(
            buffer, framing, 0, Command.Data, new DataHeader(8, 77, 1, DataFlags.SendWriteAck), 4096);
        ReadOnlySequence<byte> input = new(buffer, 0, length);
        Invariant.Require(data.Read(ref input) == ReadStatus.Packet && data.PayloadLength == 4096, "a write");
        DataHeader write = DataHeader.Decode(data.Body, framing);

        length = PacketWriter.Write(
            buffer, framing, 0, Command.WriteAck, new BlockAck(write.Sector, write.BlockId, data.PayloadLength, 1));
        input = new(buffer, 0, length);
        Invariant.Require(meta.Read(ref input) == ReadStatus.Packet, "its ack");
        Invariant.Require(BlockAck.Decode(meta.Body, framing).BlockId == 77, "the same id");

        length = PacketWriter.Write(buffer, framing, 0, Command.Barrier, new BarrierPacket(7));
        input = new(buffer, 0, length);
        Invariant.Require(data.Read(ref input) == ReadStatus.Packet, "a barrier");
    }

    private static StreamRole RoleAfter(in Framing framing, Command command)
    {
        byte[] packet = new byte[16];
        int length = PacketWriter.WriteEmpty(packet, framing, 0, command);
        ReadOnlySequence<byte> input = new(packet, 0, length);
        PacketReader reader = new() { Framing = framing };
        Assert.Equal(ReadStatus.Packet, reader.Read(ref input));
        return reader.Role;
    }

    /// <summary>Reads all of the input, takes payloads, and writes down what comes.</summary>
    private static string Trace(in Framing framing, StreamRole role, ReadOnlySequence<byte> input, int total)
    {
        StringBuilder trace = new();
        PacketReader reader = new() { Framing = framing, Role = role };
        long consumed = 0;
        while (true)
        {
            long before = input.Length;
            ReadStatus status = reader.Read(ref input);
            if (status != ReadStatus.Packet)
            {
                trace.Append(status == ReadStatus.NeedMore ? "more" : reader.Violation.ToString());
                Assert.True(status != ReadStatus.NeedMore || input.Length == 0, "wants more but left bytes");
                return trace.ToString();
            }

            Describe(trace, reader, framing);
            int size = HeaderCodec.Size(framing.AgreedVersion) + reader.Body.Length + reader.Digest.Length;
            Assert.Equal(size, before - input.Length);
            long payload = Math.Min(reader.PayloadLength, input.Length);
            input = input.Slice(payload);
            consumed += size + payload;
            Assert.InRange(consumed, 0, total);
        }
    }

    /// <summary>The same with the bytes arriving in several calls.</summary>
    private static string TraceInSteps(in Framing framing, StreamRole role, byte[] bytes, Random random)
    {
        StringBuilder trace = new();
        PacketReader reader = new() { Framing = framing, Role = role };
        int payload = 0;
        int offset = 0;
        while (offset < bytes.Length)
        {
            int step = Math.Min(random.Next(1, 30), bytes.Length - offset);
            ReadOnlySequence<byte> input = new(bytes, offset, step);
            offset += step;
            while (true)
            {
                int taken = (int)Math.Min(payload, input.Length);
                payload -= taken;
                input = input.Slice(taken);
                ReadStatus status = payload > 0 ? ReadStatus.NeedMore : reader.Read(ref input);
                if (status == ReadStatus.NeedMore)
                {
                    break;
                }

                if (status == ReadStatus.Violation)
                {
                    return trace.Append(reader.Violation).ToString();
                }

                Describe(trace, reader, framing);
                payload = reader.PayloadLength;
            }
        }

        return trace.Append("more").ToString();
    }

    private static void Describe(StringBuilder trace, PacketReader reader, in Framing framing)
    {
        object? body = AnyBody.Decode(reader.Header.Command, reader.Body, framing);
        trace.Append(CultureInfo.InvariantCulture, $"packet {reader.Header} {reader.Role} ")
            .Append(body)
            .Append(Convert.ToHexString(reader.Body))
            .Append('|')
            .Append(Convert.ToHexString(reader.Digest))
            .Append(CultureInfo.InvariantCulture, $"|{reader.PayloadLength}\n");
    }

    private static Framing NextFraming(int version, Random random) =>
        new(version, (FeatureFlags)random.Next(16), Digests[random.Next(Digests.Length)]);

    /// <summary>Noise, or a few packets with a header that is right or nearly so and a body of noise.</summary>
    private static byte[] NextInput(in Framing framing, Random random)
    {
        if (random.Next(8) == 0)
        {
            return random.NextBytes(random.Next(200));
        }

        List<byte> bytes = [];
        for (int i = random.Next(1, 5); i > 0; i--)
        {
            AddPacket(bytes, framing, random);
        }

        return [.. bytes];
    }

    private static void AddPacket(List<byte> bytes, in Framing framing, Random random)
    {
        Command[] all = Enum.GetValues<Command>();
        Command command = random.Next(10) == 0 ? (Command)random.Next(0x10000) : all[random.Next(all.Length)];
        int length = random.Next(300);
        if (CommandCatalogue.TryGetRule(command, framing, out CommandRule rule) && random.Next(20) != 0)
        {
            length = rule.IsBulk
                ? rule.FixedSize + framing.PeerDigest.Size() + (random.Next(3) * 512)
                : random.Next(rule.FixedSize, Math.Min(rule.MaxLength, rule.FixedSize + 40) + 1);
        }

        byte[] packet = new byte[HeaderCodec.MaxSize + length];
        int headerSize = HeaderCodec.Write(packet, framing.AgreedVersion, new PacketHeader(command, 0, length));
        byte[] body = random.NextBytes(length);
        Tame(body, random);
        body.CopyTo(packet.AsSpan(headerSize));
        if (random.Next(20) == 0)
        {
            packet[random.Next(headerSize)] ^= (byte)(1 << random.Next(8));
        }

        bytes.AddRange(packet.AsSpan(0, headerSize + length));
    }

    /// <summary>Makes sectors and sizes valid more often than chance would.</summary>
    private static void Tame(byte[] body, Random random)
    {
        if (body.Length >= 2 && random.Next(8) != 0)
        {
            body[0] = 0;
            body[1] &= 0x3f;
        }

        foreach (int offset in new[] { 8, 16, 24 })
        {
            if (body.Length >= offset + 4 && random.Next(4) != 0)
            {
                body[offset] = 0;
                body[offset + 1] = 0;
                body[offset + 3] = 0;
                body[offset + 2] = (byte)(body[offset + 2] & 0xfe);
            }
        }
    }
}
