using System.Globalization;
using System.Text;
using BlockRepl.Core.Protocol;
using BlockRepl.Core.Tests.Protocol.Golden;
using Xunit;

namespace BlockRepl.Core.Tests.Protocol;

/// <summary>Every byte of five recorded conversations of two kernel nodes, see tests/golden/wire.</summary>
public sealed class GoldenConversationTests
{
    private static readonly Dictionary<string, Lazy<Conversation>> Conversations =
        GoldenFile.Captures.ToDictionary(name => name, name => new Lazy<Conversation>(() => Conversation.Read(name)));

    public static TheoryData<string> Captures => new(GoldenFile.Captures);

    [Theory]
    [MemberData(nameof(Captures))]
    public void Every_byte_belongs_to_a_packet_as_listed(string capture)
    {
        Conversation conversation = Conversations[capture].Value;
        string[] listing = GoldenFile.Listing(capture);
        Assert.Equal(conversation.StreamBytes, conversation.Packets.Sum(p => (long)p.Raw.Length));
        Assert.Equal(listing.Length, conversation.Packets.Count);
        ulong bits = BitCount(capture);
        for (int i = 0; i < listing.Length; i++)
        {
            Assert.Equal(listing[i], PacketText.Line(conversation.Packets[i], bits));
        }
    }

    [Theory]
    [MemberData(nameof(Captures))]
    public void Packets_are_as_many_as_were_counted(string capture)
    {
        List<RecordedPacket> packets = Conversations[capture].Value.Packets;
        foreach (string line in GoldenFile.Counts(capture))
        {
            string[] part = line.Split(' ');
            int count = packets.Count(p =>
                (part[0] == "all" || part[0] == CommandCatalogue.Name(p.Header.Command))
                && (part[1] == "all" || part[1] == p.Connection.ToString(CultureInfo.InvariantCulture))
                && (part[2] == "all" || part[2] == p.Way));
            Assert.True(count == int.Parse(part[3], CultureInfo.InvariantCulture), $"{line}, but there are {count}");
        }
    }

    [Fact]
    public void The_conversations_are_36122_packets_in_56_directions_that_carry_any()
    {
        Assert.Equal(36122, Conversations.Values.Sum(c => c.Value.Packets.Count));
        Assert.Equal(56, Conversations.Values.Sum(c => c.Value.DirectionsWithPackets));
    }

    [Theory]
    [MemberData(nameof(Captures))]
    public void Written_again_from_its_fields_every_packet_has_the_same_bytes(string capture)
    {
        foreach (RecordedPacket packet in Conversations[capture].Value.Packets)
        {
            Assert.True(
                Reencode.Packet(packet).AsSpan().SequenceEqual(packet.Raw),
                PacketText.Line(packet, BitCount(capture)));
        }
    }

    [Theory]
    [InlineData("seed", DigestAlgorithm.Md5, 69)]
    [InlineData("hmac", DigestAlgorithm.None, 0)]
    [InlineData("sb", DigestAlgorithm.Sha1, 21)]
    [InlineData("sb-policies", DigestAlgorithm.Sha1, 25)]
    [InlineData("congestion", DigestAlgorithm.Crc32c, 408)]
    public void Every_integrity_digest_is_that_of_the_payload(string capture, DigestAlgorithm algorithm, int count)
    {
        var withDigest = Conversations[capture].Value.Packets.Where(p => p.Digest.Length > 0).ToList();
        Assert.Equal(count, withDigest.Count);
        foreach (RecordedPacket packet in withDigest)
        {
            Assert.Equal(algorithm, packet.Framing.PeerDigest);
            Assert.Equal(TestDigest.Compute(algorithm, packet.Payload.Span), packet.Digest);
        }
    }

    [Fact]
    public void The_14_compressed_bitmaps_come_out_of_the_sender_byte_for_byte()
    {
        int count = 0;
        foreach ((string capture, RecordedPacket packet) in Bitmaps(Command.CompressedBitmap))
        {
            count++;
            BitmapImage image = new(BitCount(capture));
            BitmapReceiver receiver = new(image.BitCount, packet.Framing);
            Assert.Equal(ProtocolViolation.None, receiver.Receive(packet.Header.Command, packet.Body, image));
            Assert.True(receiver.Complete);
            Assert.Equal([packet.Body], Send(image, packet.Framing, useRunLength: true));
        }

        Assert.Equal(14, count);
    }

    [Fact]
    public void The_8_plain_bitmaps_come_out_of_the_sender_byte_for_byte()
    {
        int count = 0;
        foreach ((string capture, RecordedPacket packet) in Bitmaps(Command.Bitmap).Where(
            p => p.Packet.Body.Length > 0))
        {
            count++;
            BitmapImage image = new(BitCount(capture));
            BitmapReceiver receiver = new(image.BitCount, packet.Framing);
            Assert.Equal(ProtocolViolation.None, receiver.Receive(packet.Header.Command, packet.Body, image));
            Assert.False(receiver.Complete);
            Assert.Equal(ProtocolViolation.None, receiver.Receive(Command.Bitmap, [], image));
            Assert.True(receiver.Complete);
            Assert.Equal([packet.Body, []], Send(image, packet.Framing, useRunLength: false));
        }

        Assert.Equal(8, count);
    }

    [Fact]
    public void The_6_authentication_responses_are_the_HMAC_of_the_other_nodes_challenge()
    {
        byte[] secret = Encoding.ASCII.GetBytes("s3cret-0948");
        List<RecordedPacket> packets = Conversations["hmac"].Value.Packets;
        var responses = packets.Where(p => p.Header.Command == Command.AuthResponse).ToList();
        Assert.Equal(6, responses.Count);
        foreach (RecordedPacket response in responses)
        {
            RecordedPacket challenge = packets.Single(p => p.Header.Command == Command.AuthChallenge
                && p.Connection == response.Connection && p.Sender != response.Sender);
            Assert.Equal(TestDigest.Hmac(DigestAlgorithm.Sha1, secret, challenge.Body), response.Body);
        }
    }

    private static IEnumerable<(string Capture, RecordedPacket Packet)> Bitmaps(Command command) =>
        from capture in GoldenFile.Captures
        from packet in Conversations[capture].Value.Packets
        where packet.Header.Command == command
        select (capture, packet);

    private static List<byte[]> Send(BitmapImage image, in Framing framing, bool useRunLength)
    {
        List<byte[]> bodies = [];
        byte[] body = new byte[4096];
        BitmapSender sender = new(image.Words, image.BitCount, framing, useRunLength);
        while (sender.WriteNext(body, out _, out int length))
        {
            bodies.Add(body[..length]);
        }

        return bodies;
    }

    private static ulong BitCount(string capture) => capture is "seed" or "congestion" ? 4086ul : 3062ul;
}
