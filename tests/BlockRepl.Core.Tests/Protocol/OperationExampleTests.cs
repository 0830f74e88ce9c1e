using BlockRepl.Core.Protocol;
using BlockRepl.Core.Tests.Protocol.Golden;
using Xunit;
using static BlockRepl.Core.Tests.Protocol.ExamplePacket;

namespace BlockRepl.Core.Tests.Protocol;

/// <summary>The packets of a running connection, byte by byte.</summary>
public sealed class OperationExampleTests
{
    private const ulong Cookie = 0xc0ffee0102030405;

    private const string CookieHex = "c0ffee0102030405 ";

    private const string Syncer = "ffffffffffffffff ";

    [Fact]
    public void State_changes()
    {
        Check(
            V101,
            Command.StateChangeRequest,
            new StateChangeRequestPacket(3, 1),
            "8620ec20 0000 0012 00000008 00000000 00000003 00000001");
        Check(
            V101, Command.StateChangeReply, new StateChangeReplyPacket(1), "8620ec20 0000 001d 00000004 0*4 00000001");
        Check(
            V101, Command.StateChangeReply, new StateChangeReplyPacket(-1), "8620ec20 0000 001d 00000004 0*4 ffffffff");
        Check(
            V101,
            Command.ConnStateChangeRequest,
            new StateChangeRequestPacket(0x1f0, 0x10),
            "8620ec20 0000 002a 00000008 00000000 000001f0 00000010");
        Check(
            V101, Command.ConnStateChangeReply, new StateChangeReplyPacket(1),
            "8620ec20 0000 002b 00000004 0*4 00000001");
    }

    [Fact]
    public void Pings()
    {
        CheckRaw(V101, Command.Ping, [], "8620ec20 0000 0013 00000000 00000000");
        CheckRaw(V101, Command.PingAck, [], "8620ec20 0000 0014 00000000 00000000");
        CheckRaw(V97, Command.Ping, [], "83740267 0013 0000");
    }

    [Fact]
    public void A_write_its_ack_and_its_barrier()
    {
        DataHeader data = new(0x1000, Cookie, 1, DataFlags.Sync | DataFlags.SendWriteAck);
        const string body = "0000000000001000 " + CookieHex + "00000001 00000102";
        Check(V101, Command.Data, data, "8620ec20 0000 0000 00001018 00000000 " + body, 4096);

        Framing crc32c = V101 with { PeerDigest = DigestAlgorithm.Crc32c };
        string withDigest = "8620ec20 0000 0000 0000101c 00000000 " + body + " 498cf137";
        Check(crc32c, Command.Data, data, withDigest, 4 + 4096);
        byte[] payload = new byte[4096];
        payload.AsSpan().Fill(0x5a);
        Assert.Equal(
            TestDigest.Compute(DigestAlgorithm.Crc32c, payload),
            Read(crc32c, Command.Data, Bytes(withDigest)).Digest.ToArray());

        Check(
            V101,
            Command.WriteAck,
            new BlockAck(0x1000, Cookie, 4096, 1),
            "8620ec20 0000 0016 00000018 00000000 0000000000001000 " + CookieHex + "00001000 00000001");
        Check(V101, Command.Barrier, new BarrierPacket(7), "8620ec20 0000 0003 00000008 00000000 07000000 00000000");
        Check(
            V101, Command.BarrierAck, new BarrierAckPacket(7, 3), "8620ec20 0000 001c 00000008 0*4 07000000 00000003");
    }

    [Fact]
    public void A_long_write_in_version_97_has_the_long_header() => Check(
        V97,
        Command.Data,
        new DataHeader(0x1000, Cookie, 1, DataFlags.Sync),
        "835a 0000 00010018 0000000000001000 " + CookieHex + "00000001 00000002",
        65536);

    [Fact]
    public void Discards_and_zeroes()
    {
        DataFlags trim = DataFlags.Discard | DataFlags.SendWriteAck;
        const string data = "0000000000002000 " + CookieHex + "00000002 ";
        Check(
            V101,
            Command.Trim,
            new ZeroHeader(new DataHeader(0x2000, Cookie, 2, trim), 1 << 20),
            "8620ec20 0000 0031 0000001c 00000000 " + data + "00000140 00100000");
        Check(
            V101,
            Command.Zeroes,
            new ZeroHeader(new DataHeader(0x2000, Cookie, 2, trim | DataFlags.Zeroes), 1 << 20),
            "8620ec20 0000 0036 0000001c 00000000 " + data + "00000540 00100000");
    }

    [Fact]
    public void Reads_and_resync()
    {
        Check(
            V101,
            Command.DataRequest,
            new BlockRequest(0x1000, Cookie, 4096),
            "8620ec20 0000 0008 00000018 00000000 0000000000001000 " + CookieHex + "00001000 00000000");
        Check(
            V101,
            Command.RsDataRequest,
            new BlockRequest(0x80, BlockIds.Syncer, 32768),
            "8620ec20 0000 0009 00000018 00000000 0000000000000080 " + Syncer + "00008000 00000000");
        Check(
            V101,
            Command.RsDataReply,
            new DataHeader(0x80, BlockIds.Syncer, 0, DataFlags.None),
            "8620ec20 0000 0002 00008018 00000000 0000000000000080 " + Syncer + "00000000 00000000",
            32768);
        Check(
            V101,
            Command.RsWriteAck,
            new BlockAck(0x80, BlockIds.Syncer, 32768, 5),
            "8620ec20 0000 0017 00000018 00000000 0000000000000080 " + Syncer + "00008000 00000005");
        Check(
            V101,
            Command.SyncUuid,
            new SyncUuidPacket(0x99887766554433ee + (1ul << 48)),
            "8620ec20 0000 000f 00000008 00000000 99897766554433ee");
        Check(
            V101,
            Command.OutOfSync,
            new BlockDescription(0x1000, 4096),
            "8620ec20 0000 0028 00000010 00000000 0000000000001000 00001000 00000000");
    }

    [Fact]
    public void Verify()
    {
        BlockRequest block = new(0, BlockIds.Syncer, 4096);
        Check(
            V101, Command.OvRequest, block, "8620ec20 0000 001e 00000018 00000000 0*8 " + Syncer + "00001000 00000000");

        byte[] digest = TestDigest.Compute(DigestAlgorithm.Crc32c, new byte[4096]);
        string reply = "8620ec20 0000 001f 0000001c 00000000 0*8 " + Syncer + "00001000 00000000 8941f998";
        Check(V101, Command.OvReply, block, reply, 4);
        byte[] written = new byte[64];
        int length = PacketWriter.WriteWithTail(written, V101, 0, Command.OvReply, block, digest);
        Assert.Equal(Bytes(reply), written[..length]);
        Assert.Equal(digest, Read(V101, Command.OvReply, Bytes(reply)).Body[BlockRequest.Size..].ToArray());

        Check(
            V101,
            Command.OvResult,
            new BlockAck(0, BlockIds.InSync, 4096, 1),
            "8620ec20 0000 0020 00000018 00000000 0*8 0000000000001267 00001000 00000001");
        Check(
            V101,
            Command.OvResult,
            new BlockAck(0, BlockIds.OutOfSync, 4096, 1),
            "8620ec20 0000 0020 00000018 00000000 0*8 0000000000001268 00001000 00000001");
    }

    [Theory]
    [InlineData(262144, "-262144", "8620ec20 0000 0024 00000005 00000000 327fcfde03")]
    [InlineData(262144, "+262144", "8620ec20 0000 0024 00000005 00000000 b27fcfde03")]
    [InlineData(64, "-8+1-55", "8620ec20 0000 0024 00000004 00000000 329bcf00")]
    [InlineData(
        262144,
        "-1000+300-49+100000-160795",
        "8620ec20 0000 0024 0000000f 00000000 523fb7e2dbff00fedecac29fba9400")]
    [InlineData(4086, "+4086", "8620ec20 0000 0024 00000004 00000000 b23fc50e")]
    [InlineData(4086, "-112+48-3926", "8620ec20 0000 0024 00000007 00000000 32dfcffb3f250e")]
    public void A_compressed_bitmap(int bits, string runs, string hex)
    {
        BitmapImage image = new((ulong)bits);
        PacketReader reader = Read(V101, Command.CompressedBitmap, Bytes(hex));
        BitmapReceiver receiver = new(image.BitCount, V101);
        Assert.Equal(ProtocolViolation.None, receiver.Receive(Command.CompressedBitmap, reader.Body, image));
        Assert.True(receiver.Complete);
        Assert.Equal(runs, image.Runs());

        byte[] body = new byte[4096];
        BitmapSender sender = new(image.Words, image.BitCount, V101, useRunLength: true);
        Assert.True(sender.WriteNext(body, out Command command, out int length));
        Assert.False(sender.WriteNext(new byte[4096], out _, out _));
        CheckRaw(V101, command, body[..length], hex);
    }

    [Fact]
    public void A_plain_bitmap_and_its_terminator()
    {
        byte[] body = new byte[4096];
        BitmapSender sender = new(new ulong[] { 0x100 }, 64, V101, useRunLength: false);
        Assert.True(sender.WriteNext(body, out Command command, out int length));
        CheckRaw(V101, command, body[..length], "8620ec20 0000 0004 00000008 00000000 0001000000000000");
        Assert.True(sender.WriteNext(body, out command, out length));
        Assert.Equal(0, length);
        CheckRaw(V101, command, [], "8620ec20 0000 0004 00000000 00000000");
        Assert.False(sender.WriteNext(body, out _, out _));
    }
}
