using System.Buffers;
using BlockRepl.Core.Tests;
using BlockRepl.Iscsi.Protocol;
using BlockRepl.Iscsi.Protocol.Pdus;
using BlockRepl.Iscsi.Tests.Simulated;
using Xunit;

namespace BlockRepl.Iscsi.Tests;

public sealed class PduTests
{
    private const int MaxData = 8192;

    [Fact]
    public void The_digest_is_that_of_the_rfcs_examples()
    {
        byte[] ascending = [.. Enumerable.Range(0, 32).Select(i => (byte)i)];
        Assert.Equal(0x8a9136aau, Crc32C.Of(new byte[32]));
        Assert.Equal(0x62a8ab43u, Crc32C.Of(Enumerable.Repeat((byte)0xff, 32).ToArray()));
        Assert.Equal(0x46dd794eu, Crc32C.Of(ascending));
        Assert.Equal(0x46dd794eu, Crc32C.Of(Pieces.Of(ascending, 1)));
    }

    [Fact]
    public void A_write_command_is_laid_out_as_the_rfc_says()
    {
        byte[] header = new byte[48];
        byte[] cdb = [0x2a, 8, 0, 0, 0, 2, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0];
        new ScsiCommandRequest(false, true, 1UL << 48, 0x11, 512, 0x22, 0x33, cdb).Encode(header);
        byte[] expected =
        [
            0x01, 0xa1, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0,
            0, 0, 0, 0x11, 0, 0, 2, 0, 0, 0, 0, 0x22, 0, 0, 0, 0x33, .. cdb,
        ];
        Assert.Equal(expected, header);
    }

    [Fact]
    public void A_login_request_is_laid_out_as_the_rfc_says()
    {
        byte[] header = new byte[48];
        new LoginRequest(true, LoginStage.Operational, LoginStage.FullFeature, [0x80, 1, 2, 3, 4, 5], 0, 6, 7, 8)
            .Encode(header);
        byte[] expected =
        [
            0x43, 0x87, 0, 0, 0, 0, 0, 0, 0x80, 1, 2, 3, 4, 5, 0, 0, 0, 0, 0, 6, 0, 0, 0, 0, 0, 0, 0, 7, 0, 0, 0, 8,
            .. new byte[16],
        ];
        Assert.Equal(expected, header);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void What_is_written_is_cut_back_from_any_pieces(bool digests) => Seeded.Run(1, 200, random =>
    {
        var output = new ArrayBufferWriter<byte>();
        var both = new Digests(digests, digests);
        var written = new List<(byte[] Header, byte[] Data)>();
        for (int i = 0; i < 5; i++)
        {
            byte[] header = new byte[48];
            random.NextBytes(header.AsSpan(8));
            header[0] = (byte)Opcode.DataIn;
            byte[] data = new byte[random.Next(0, 600)];
            random.NextBytes(data);
            PduWriter.Write(output, header, data, both);
            written.Add((header, data));
        }

        ReadOnlySequence<byte> stream = Pieces.Of(output.WrittenSpan, random.Next(1, 100));
        foreach ((byte[] header, byte[] data) in written)
        {
            Assert.True(PduReader.TryRead(ref stream, both, MaxData, out IncomingPdu pdu));
            Assert.Equal(header, pdu.Header);
            Assert.Equal(data, pdu.Data.ToArray());
        }

        Assert.True(stream.IsEmpty);
    });

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void The_digests_are_where_an_independent_codec_expects_them(bool digests)
    {
        var output = new ArrayBufferWriter<byte>();
        byte[] header = new byte[48];
        header[0] = (byte)Opcode.DataIn;
        PduWriter.Write(output, header, "hello"u8, new Digests(digests, digests));
        List<byte> bytes = [.. output.WrittenSpan];
        TargetPdu pdu = TargetPdu.TakeFrom(bytes, digests)!;
        Assert.Equal("hello"u8, pdu.Data);
        Assert.Empty(bytes);
    }

    [Fact]
    public void A_pdu_that_is_not_whole_is_waited_for()
    {
        byte[] whole = new TargetPdu(0x25) { Data = new byte[77] }.ToBytes(digests: true);
        for (int size = 0; size < whole.Length; size++)
        {
            ReadOnlySequence<byte> part = Pieces.Of(whole.AsSpan(0, size), 1);
            Assert.False(PduReader.TryRead(ref part, new Digests(true, true), MaxData, out _));
            Assert.Equal(size, part.Length);
        }
    }

    [Fact]
    public void Any_changed_bit_is_found_by_the_digests()
    {
        byte[] whole = new TargetPdu(0x25) { Data = [1, 2, 3, 4, 5] }.ToBytes(digests: true);
        for (int bit = 0; bit < whole.Length * 8; bit++)
        {
            byte[] changed = [.. whole];
            changed[bit / 8] ^= (byte)(1 << (bit % 8));
            var stream = new ReadOnlySequence<byte>(changed);
            Assert.Throws<IscsiException>(() =>
                PduReader.TryRead(ref stream, new Digests(true, true), MaxData, out _));
        }
    }

    [Theory]
    [InlineData(0, 0x01, "opcode 0x01")]
    [InlineData(0, 0x3e, "opcode 0x3e")]
    [InlineData(4, 1, "additional header")]
    [InlineData(5, 1, "65536 bytes, at most 8192")]
    public void A_header_that_promises_nonsense_is_refused_before_anything_is_waited_for(
        int offset, byte value, string words)
    {
        byte[] header = new TargetPdu(0x25).ToBytes(digests: false);
        header[offset] = value;
        var stream = new ReadOnlySequence<byte>(header);
        IscsiException failure = Assert.Throws<IscsiException>(() =>
            PduReader.TryRead(ref stream, default, MaxData, out _));
        Assert.Equal(IscsiError.ProtocolViolation, failure.Error);
        Assert.Contains(words, failure.Message, StringComparison.Ordinal);
    }
}
