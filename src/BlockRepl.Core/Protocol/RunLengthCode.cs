using System.Buffers.Binary;

namespace BlockRepl.Core.Protocol;

// level | bits | prefix bits | prefix | data bits | runs from .. to
//   1   |   2  |      1      |  0x00  |     1     | 1 .. 2
//   2   |   3  |      2      |  0x01  |     1     | 3 .. 4
//   3   |   5  |      3      |  0x03  |     2     | 5 .. 8
//   4   |   7  |      4      |  0x07  |     3     | 9 .. 16
//   5   |  10  |      5      |  0x0f  |     5     | 17 .. 48
//   6   |  14  |      6      |  0x1f  |     8     | 49 .. 304
//   7   |  21  |      8      |  0x3f  |    13     | 305 .. 8496
//   8   |  29  |      8      |  0x7f  |    21     | 8497 .. 2105648
//   9   |  42  |      8      |  0xbf  |    34     | 2105649 .. 17181974832
//  10   |  64  |      8      |  0xff  |    56     | 17181974833 .. 72057611219902768
// A code word is (run - from) << prefix bits | prefix; words follow each other in a bit stream, lowest bit first.

/// <summary>The variable-length integers of P_COMPRESSED_BITMAP: each stands for a run of equal bits.</summary>
public static class RunLengthCode
{
    /// <summary>The longest run that has a code.</summary>
    public const ulong MaxRun = 72057611219902768;

    internal const int Levels = 10;

    /// <summary>Low four bits of the encoding byte: run lengths in this code, the only type there is.</summary>
    internal const byte CodeType = 2;

    private static ReadOnlySpan<byte> TotalBits => [2, 3, 5, 7, 10, 14, 21, 29, 42, 64];

    private static ReadOnlySpan<byte> PrefixBits => [1, 2, 3, 4, 5, 6, 8, 8, 8, 8];

    private static ReadOnlySpan<byte> Prefixes => [0x00, 0x01, 0x03, 0x07, 0x0f, 0x1f, 0x3f, 0x7f, 0xbf, 0xff];

    private static ReadOnlySpan<ulong> From =>
        [1, 3, 5, 9, 17, 49, 305, 8497, 2105649, 17181974833, MaxRun + 1];

    /// <summary>The code word of a run of 1..<see cref="MaxRun"/> bits and its length in bits.</summary>
    public static ulong Encode(ulong run, out int bits)
    {
        Invariant.Require(run is >= 1 and <= MaxRun, "the run has a code");
        int level = 0;
        while (run >= From[level + 1])
        {
            level++;
        }

        bits = TotalBits[level];
        return ((run - From[level]) << PrefixBits[level]) | Prefixes[level];
    }

    /// <summary>The run at the low end of 64 bits of look-ahead, and the bits of its code word.</summary>
    public static ulong Decode(ulong lookAhead, out int bits)
    {
        int level = 0;
        while ((lookAhead & ((1UL << PrefixBits[level]) - 1)) != Prefixes[level])
        {
            // Ends at the latest at the last level: its prefix is what is left of eight bits when all others do not
            // fit.
            level++;
        }

        bits = TotalBits[level];
        ulong word = bits == 64 ? lookAhead : lookAhead & ((1UL << bits) - 1);
        return (word >> PrefixBits[level]) + From[level];
    }
}

/// <summary>Appends runs to a code area that the caller has cleared.</summary>
internal ref struct RunLengthWriter(Span<byte> code)
{
    private readonly Span<byte> _code = code;
    private long _bit;

    /// <summary>Bytes used so far.</summary>
    public readonly int Bytes => (int)((_bit + 7) / 8);

    /// <summary>Unused bits of the last byte.</summary>
    public readonly int PadBits => (int)(-_bit & 7);

    /// <summary>False, and nothing written, if the run's code does not fit.</summary>
    public bool TryAppend(ulong run)
    {
        ulong word = RunLengthCode.Encode(run, out int bits);
        if (_bit + bits > _code.Length * 8L)
        {
            return false;
        }

        int done = 0;
        while (done < bits)
        {
            int shift = (int)(_bit & 7);
            _code[(int)(_bit >> 3)] |= (byte)(word >> done << shift);
            int step = Math.Min(8 - shift, bits - done);
            done += step;
            _bit += step;
        }

        return true;
    }
}

/// <summary>Takes runs from a code area, which may hold anything.</summary>
internal ref struct RunLengthReader(ReadOnlySpan<byte> code, int padBits)
{
    private readonly ReadOnlySpan<byte> _code = code;
    private readonly long _endBit = (code.Length * 8L) - padBits;
    private long _bit;

    public readonly bool AtEnd => _bit >= _endBit;

    /// <summary>False if the code word reaches beyond the valid bits.</summary>
    public bool TryTake(out ulong run)
    {
        run = RunLengthCode.Decode(LookAhead(), out int bits);
        if (_bit + bits > _endBit)
        {
            return false;
        }

        _bit += bits;
        return true;
    }

    /// <summary>
    /// The next 64 bits; zeroes behind the last byte. What the pad bits hold does not matter: a prefix that reaches
    /// into them belongs to a code word that does so too.
    /// </summary>
    private readonly ulong LookAhead()
    {
        int start = (int)(_bit >> 3);
        int shift = (int)(_bit & 7);
        Span<byte> window = stackalloc byte[16];
        ReadOnlySpan<byte> rest = _code[start..];
        rest[..Math.Min(9, rest.Length)].CopyTo(window);
        ulong low = BinaryPrimitives.ReadUInt64LittleEndian(window) >> shift;
        return shift == 0 ? low : low | ((ulong)window[8] << (64 - shift));
    }
}
