using BlockRepl.Core.Protocol;
using BlockRepl.Core.Tests.Protocol.Golden;
using Xunit;

namespace BlockRepl.Core.Tests.Protocol;

/// <summary>What a sender or a mixture of packets carries arrives, and what no sender may send is refused.</summary>
public sealed class BitmapTransferTests
{
    private static readonly Framing Newest = new(101, FeatureFlags.All, DigestAlgorithm.None);

    public static TheoryData<int, bool> Senders => new()
    {
        { 86, true }, { 90, true }, { 95, false }, { 99, true }, { 100, true }, { 101, false }, { 101, true },
    };

    [Theory]
    [MemberData(nameof(Senders))]
    public void What_is_sent_arrives(int version, bool useRunLength) => Seeded.Run(400, random =>
    {
        Framing framing = new(version, FeatureFlags.None, DigestAlgorithm.None);
        BitmapImage image = NextImage(random);
        BitmapImage copy = new(image.BitCount);
        BitmapReceiver receiver = new(image.BitCount, framing);
        List<(Command Command, byte[] Body)> packets = Send(image, framing, useRunLength);
        foreach ((Command command, byte[] body) in packets)
        {
            Assert.False(receiver.Complete);
            Assert.Equal(ProtocolViolation.None, receiver.Receive(command, body, copy));
        }

        Assert.True(receiver.Complete);
        Assert.Equal(image.Words, copy.Words);
        CheckForm(packets, framing, useRunLength && version >= 90);
    });

    [Fact]
    public void Both_kinds_of_packets_and_the_change_between_them_occur()
    {
        HashSet<(Command, Command)> changes = [];
        Seeded.Run(400, random =>
        {
            List<(Command Command, byte[] Body)> packets = Send(NextImage(random), Newest, true);
            foreach (((Command Command, byte[]) one, (Command Command, byte[]) next) in packets.Zip(packets.Skip(1)))
            {
                changes.Add((one.Command, next.Command));
            }
        });
        Assert.Equal(4, changes.Count);
    }

    [Fact]
    public void Any_mixture_of_packets_arrives() => Seeded.Run(600, random =>
    {
        BitmapImage image = NextImage(random);
        BitmapImage copy = new(image.BitCount);
        BitmapReceiver receiver = new(image.BitCount, Newest);
        MixedSender sender = new(image, random);
        while (sender.TryNext(out Command command, out byte[] body))
        {
            Assert.False(receiver.Complete);
            Assert.Equal(ProtocolViolation.None, receiver.Receive(command, body, copy));
        }

        Assert.True(receiver.Complete);
        Assert.Equal(image.Words, copy.Words);
    });

    [Theory]
    [InlineData(0xccccccccccccccccul, Command.CompressedBitmap)]
    [InlineData(0xccccccccccccccc4ul, Command.Bitmap)]
    public void Run_lengths_are_sent_unless_they_take_more_bytes_than_the_bits(ulong word, Command expected)
    {
        // A run of two bits takes two bits of code, no loss; a run of one takes two as well.
        Assert.Equal(expected, Send(new BitmapImage(64) { Words = { [0] = word } }, Newest, true)[0].Command);
    }

    [Fact]
    public void Surplus_bits_of_the_last_word_are_neither_sent_nor_taken()
    {
        ulong[] words = [ulong.MaxValue];
        byte[] body = new byte[4096];
        BitmapSender sender = new(words, 12, Newest, useRunLength: false);
        Assert.True(sender.WriteNext(body, out Command command, out int length));
        Assert.Equal("ff0f000000000000", Convert.ToHexStringLower(body.AsSpan(0, length)));

        BitmapImage copy = new(12);
        BitmapReceiver receiver = new(12, Newest);
        body.AsSpan(0, 8).Fill(0xff);
        Assert.Equal(ProtocolViolation.None, receiver.Receive(command, body.AsSpan(0, 8), copy));
        Assert.Equal(0xffful, copy.Words[0]);
    }

    [Fact]
    public void Nothing_is_sent_of_no_bits_but_the_terminator()
    {
        (Command command, byte[] body) = Assert.Single(Send(new BitmapImage(0), Newest, true));
        Assert.Equal(Command.Bitmap, command);
        Assert.Empty(body);
    }

    [Theory]
    [InlineData(Command.Bitmap, "00", ProtocolViolation.BadLength)]
    [InlineData(Command.Bitmap, "", ProtocolViolation.BadLength)]
    [InlineData(Command.Bitmap, "00000000000000000000000000000000", ProtocolViolation.BadLength)]
    [InlineData(Command.CompressedBitmap, "32", ProtocolViolation.BadLength)]
    [InlineData(Command.CompressedBitmap, "339bcf00", ProtocolViolation.BadBitmapEncoding)]
    [InlineData(Command.CompressedBitmap, "309bcf00", ProtocolViolation.BadBitmapEncoding)]
    [InlineData(Command.CompressedBitmap, "729bcf", ProtocolViolation.BadBitmapCode)]
    [InlineData(Command.CompressedBitmap, "02ffffffffffffffffff", ProtocolViolation.BitmapOverflow)]
    [InlineData(Command.CompressedBitmap, "b27fcfde03", ProtocolViolation.BitmapOverflow)]
    [InlineData(Command.CompressedBitmap, "327fcfde03", ProtocolViolation.BitmapOverflow)]
    [InlineData(Command.State, "00000000", ProtocolViolation.UnknownCommand)]
    public void What_does_not_fit_64_bits_is_named(Command command, string hex, ProtocolViolation expected)
    {
        BitmapImage image = new(64);
        BitmapReceiver receiver = new(64, Newest);
        Assert.Equal(expected, receiver.Receive(command, Convert.FromHexString(hex), image));
        Assert.False(receiver.Complete);
    }

    [Fact]
    public void Wrong_pad_bits_make_a_run_too_many()
    {
        // 8 clear, 1 set, 55 clear and, with 0 pad bits instead of 3, the zero bits as one more run.
        BitmapReceiver receiver = new(64, Newest);
        Assert.Equal(
            ProtocolViolation.BitmapOverflow,
            receiver.Receive(Command.CompressedBitmap, Convert.FromHexString("029bcf00"), new BitmapImage(64)));
    }

    [Fact]
    public void After_the_end_nothing_is_taken()
    {
        BitmapImage image = new(64);
        BitmapReceiver receiver = new(64, Newest);
        Assert.Equal(
            ProtocolViolation.None,
            receiver.Receive(Command.CompressedBitmap, Convert.FromHexString("329bcf00"), image));
        Assert.True(receiver.Complete);
        Assert.Equal(0x100ul, image.Words[0]);
        Assert.Equal(ProtocolViolation.BitmapOverflow, receiver.Receive(Command.Bitmap, [], image));
    }

    [Fact]
    public void Whole_words_want_an_empty_packet_behind_them()
    {
        BitmapImage image = new(64);
        BitmapReceiver receiver = new(64, Newest);
        Assert.Equal(ProtocolViolation.None, receiver.Receive(Command.Bitmap, new byte[8], image));
        Assert.False(receiver.Complete);
        Assert.Equal(
            ProtocolViolation.BitmapOverflow,
            receiver.Receive(Command.CompressedBitmap, Convert.FromHexString("329bcf00"), image));
        Assert.Equal(ProtocolViolation.None, receiver.Receive(Command.Bitmap, [], image));
        Assert.True(receiver.Complete);
    }

    [Fact]
    public void Any_bytes_are_merged_within_the_bitmap_or_refused_by_name()
    {
        HashSet<ProtocolViolation> outcomes = [];
        Seeded.Run(20_000, random =>
        {
            ulong bits = (ulong)random.Next(0, 100_000);
            BitmapImage image = new(bits);
            BitmapReceiver receiver = new(bits, Newest);
            ProtocolViolation violation = ProtocolViolation.None;
            for (int i = 0; i < 4 && violation == ProtocolViolation.None; i++)
            {
                byte[] body = random.NextBytes(random.Next(3) == 0 ? random.Next(512) * 8 : random.Next(60));
                if (body.Length > 0)
                {
                    body[0] = random.Next(10) == 0 ? body[0] : (byte)((body[0] & 0xf0) | 2);
                }

                Command command = random.NextBool() ? Command.Bitmap : Command.CompressedBitmap;
                violation = receiver.Receive(command, body, image);
                outcomes.Add(violation);
            }
        });
        Assert.Superset(
            new HashSet<ProtocolViolation>
            {
                ProtocolViolation.None,
                ProtocolViolation.BadLength,
                ProtocolViolation.BadBitmapEncoding,
                ProtocolViolation.BadBitmapCode,
                ProtocolViolation.BitmapOverflow,
            },
            outcomes);
    }

    /// <summary>The rules that a kernel relies on: exact sizes, gain by compression, the terminator.</summary>
    private static void CheckForm(List<(Command Command, byte[] Body)> packets, in Framing framing, bool compressed)
    {
        int header = HeaderCodec.Size(framing.AgreedVersion);
        Assert.All(packets, p => Assert.InRange(p.Body.Length, 0, 4096 - header));
        Assert.True(compressed || packets.All(p => p.Command == Command.Bitmap), "run lengths although not wanted");
        Assert.Equal(packets[^1].Command == Command.Bitmap, packets[^1].Body.Length == 0);
        Assert.DoesNotContain(packets.SkipLast(1), p => p.Body.Length == 0);
        var plain = packets.Where(p => p.Command == Command.Bitmap && p.Body.Length > 0).ToList();
        Assert.All(plain.SkipLast(1), p => Assert.Equal((4096 - header) / 8 * 8, p.Body.Length));
    }

    private static List<(Command Command, byte[] Body)> Send(BitmapImage image, in Framing framing, bool useRunLength)
    {
        List<(Command, byte[])> packets = [];
        byte[] buffer = new byte[4096];
        BitmapSender sender = new(image.Words, image.BitCount, framing, useRunLength);
        while (sender.WriteNext(buffer, out Command command, out int length))
        {
            packets.Add((command, buffer[..length]));
        }

        return packets;
    }

    /// <summary>Up to 200,000 bits in stretches of long runs, short runs and noise.</summary>
    private static BitmapImage NextImage(Random random)
    {
        BitmapImage image = new((ulong)random.Next(1, random.Next(4) == 0 ? 200_000 : 3000));
        ulong bit = 0;
        while (bit < image.BitCount)
        {
            ulong end = Math.Min(bit + 1 + (ulong)random.Next(60_000), image.BitCount);
            int kind = random.Next(4);
            for (; bit < end; bit++)
            {
                bool set = kind switch
                {
                    0 => false,
                    1 => true,
                    2 => random.NextBool(),
                    _ => random.Next(300) == 0,
                };
                image.Words[bit / 64] |= set ? 1ul << (int)(bit % 64) : 0;
            }
        }

        return image;
    }

    /// <summary>Sends words or runs as chance decides, and stops runs wherever it likes.</summary>
    private sealed class MixedSender(BitmapImage image, Random random)
    {
        private readonly ulong _wordCount = (image.BitCount + 63) / 64;
        private ulong _bit;
        private ulong _word;
        private bool _done;

        public bool TryNext(out Command command, out byte[] body)
        {
            command = Command.Bitmap;
            body = [];
            if (_done)
            {
                return false;
            }

            if (_bit < image.BitCount && random.NextBool())
            {
                command = Command.CompressedBitmap;
                body = Runs();
                _done = _bit == image.BitCount;
                return true;
            }

            int count = (int)Math.Min(510, _wordCount - _word);
            body = [.. image.Words.Skip((int)_word).Take(count).SelectMany(BitConverter.GetBytes)];
            _word += (ulong)count;
            _bit = Math.Min(_word * 64, image.BitCount);
            _done = count == 0;
            return true;
        }

        private byte[] Runs()
        {
            byte[] body = new byte[random.Next(20, 4080)];
            RunLengthWriter writer = new(body.AsSpan(1));
            bool first = image[_bit];
            bool value = first;
            int wanted = random.Next(1, 2000);
            while (_bit < image.BitCount && wanted-- > 0)
            {
                ulong end = _bit + 1;
                // The last run of a packet may be split anywhere.
                while (end < image.BitCount && image[end] == value && !(wanted == 0 && random.Next(100) == 0))
                {
                    end++;
                }

                if (!writer.TryAppend(end - _bit))
                {
                    break;
                }

                _bit = end;
                value = !value;
            }

            _word = _bit / 64;
            body[0] = (byte)(2 | (writer.PadBits << 4) | (first ? 0x80 : 0));
            return body[..(1 + writer.Bytes)];
        }
    }
}
