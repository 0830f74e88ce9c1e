using System.Buffers.Binary;
using System.Text;
using BlockRepl.Core.Protocol;
using Xunit;

namespace BlockRepl.Core.Tests.Protocol.Golden;

/// <summary>A bitmap in memory that takes what a receiver merges; refuses anything beyond its end.</summary>
internal sealed class BitmapImage(ulong bitCount) : IBitmapSink
{
    public ulong BitCount { get; } = bitCount;

    public ulong[] Words { get; } = new ulong[(bitCount + 63) / 64];

    public bool this[ulong bit] => (Words[bit / 64] >> (int)(bit % 64) & 1) != 0;

    public void MergeWords(ulong firstWord, ReadOnlySpan<byte> littleEndianBytes)
    {
        Assert.Equal(0, littleEndianBytes.Length % 8);
        for (int i = 0; i < littleEndianBytes.Length / 8; i++)
        {
            Words[(int)firstWord + i] |= BinaryPrimitives.ReadUInt64LittleEndian(littleEndianBytes[(i * 8)..]);
        }

        if (BitCount % 64 != 0)
        {
            Assert.Equal(0ul, Words[^1] >> (int)(BitCount % 64));
        }
    }

    public void SetBits(ulong firstBit, ulong lastBit)
    {
        Assert.True(firstBit <= lastBit && lastBit < BitCount, $"{firstBit}..{lastBit} of {BitCount}");
        for (ulong bit = firstBit; bit <= lastBit; bit++)
        {
            Words[bit / 64] |= 1ul << (int)(bit % 64);
        }
    }

    /// <summary>For example "-64+6-20": runs of clear and set bits from bit 0.</summary>
    public string Runs()
    {
        StringBuilder text = new();
        ulong start = 0;
        while (start < BitCount)
        {
            ulong end = start + 1;
            while (end < BitCount && this[end] == this[start])
            {
                end++;
            }

            text.Append(this[start] ? '+' : '-').Append(end - start);
            start = end;
        }

        return text.ToString();
    }
}
