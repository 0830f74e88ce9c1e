using BlockRepl.Core.Protocol;
using Xunit;

namespace BlockRepl.Core.Tests.Protocol;

public sealed class RunLengthCodeTests
{
    [Theory]
    [InlineData(1ul, 2, 0x0ul)]
    [InlineData(2ul, 2, 0x2ul)]
    [InlineData(3ul, 3, 0x1ul)]
    [InlineData(4ul, 3, 0x5ul)]
    [InlineData(5ul, 5, 0x03ul)]
    [InlineData(8ul, 5, 0x1bul)]
    [InlineData(9ul, 7, 0x07ul)]
    [InlineData(16ul, 7, 0x77ul)]
    [InlineData(17ul, 10, 0x0ful)]
    [InlineData(48ul, 10, 0x3eful)]
    [InlineData(49ul, 14, 0x1ful)]
    [InlineData(55ul, 14, 0x19ful)]
    [InlineData(304ul, 14, 0x3fdful)]
    [InlineData(305ul, 21, 0x3ful)]
    [InlineData(8496ul, 21, 0x1fff3ful)]
    [InlineData(8497ul, 29, 0x7ful)]
    [InlineData(2105648ul, 29, 0x1fffff7ful)]
    [InlineData(2105649ul, 42, 0xbful)]
    [InlineData(17181974832ul, 42, 0x3ffffffffbful)]
    [InlineData(17181974833ul, 64, 0xfful)]
    [InlineData(72057611219902768ul, 64, 0xfffffffffffffffful)]
    public void Levels_begin_and_end_where_the_table_says(ulong run, int bits, ulong word)
    {
        Assert.Equal(word, RunLengthCode.Encode(run, out int written));
        Assert.Equal(bits, written);
        Assert.Equal(run, RunLengthCode.Decode(word, out int read));
        Assert.Equal(bits, read);
    }

    [Fact]
    public void Every_look_ahead_is_a_run_whose_code_it_begins_with() => Seeded.Run(100_000, random =>
    {
        ulong lookAhead = random.NextUInt64();
        ulong run = RunLengthCode.Decode(lookAhead, out int bits);
        ulong word = RunLengthCode.Encode(run, out int again);
        Assert.Equal(bits, again);
        Assert.Equal(bits == 64 ? lookAhead : lookAhead & ((1ul << bits) - 1), word);
    });

    [Fact]
    public void Runs_without_a_code_are_a_defect_of_the_caller()
    {
        Assert.Throws<InvariantException>(() => RunLengthCode.Encode(0, out _));
        Assert.Throws<InvariantException>(() => RunLengthCode.Encode(RunLengthCode.MaxRun + 1, out _));
    }

    [Fact]
    public void Written_runs_are_read_back_and_a_full_area_takes_no_more() => Seeded.Run(2000, random =>
    {
        byte[] code = new byte[random.Next(1, 100)];
        List<ulong> runs = [];
        RunLengthWriter writer = new(code);
        while (true)
        {
            ulong run = 1 + (random.NextUInt64() >> random.Next(8, 64)) % RunLengthCode.MaxRun;
            RunLengthCode.Encode(run, out int bits);
            long free = (code.Length - writer.Bytes) * 8L + (writer.Bytes > 0 ? writer.PadBits : 0);
            Assert.Equal(bits <= free, writer.TryAppend(run));
            if (bits > free)
            {
                break;
            }

            runs.Add(run);
        }

        RunLengthReader reader = new(code.AsSpan(0, writer.Bytes), writer.PadBits);
        foreach (ulong run in runs)
        {
            Assert.True(reader.TryTake(out ulong read));
            Assert.Equal(run, read);
        }

        Assert.True(reader.AtEnd);
    });

    [Fact]
    public void A_code_word_that_is_cut_off_is_noticed() => Seeded.Run(2000, random =>
    {
        byte[] code = new byte[8];
        RunLengthWriter writer = new(code);
        writer.TryAppend(1 + (random.NextUInt64() >> 8) % (RunLengthCode.MaxRun - 1));
        int bits = (writer.Bytes * 8) - writer.PadBits;
        int kept = random.Next(1, bits);
        int bytes = (kept + 7) / 8;
        RunLengthReader reader = new(code.AsSpan(0, bytes), (bytes * 8) - kept);
        // What is left can be a shorter code word by chance (its prefix cut off), but never one beyond the valid bits.
        long total = 0;
        while (!reader.AtEnd && reader.TryTake(out ulong run))
        {
            RunLengthCode.Encode(run, out int used);
            total += used;
        }

        Assert.True(total <= kept, $"{total} of {kept} bits");
        Assert.True(reader.AtEnd == (total == kept));
    });
}
