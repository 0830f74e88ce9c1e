using System.Buffers.Binary;
using System.Numerics;

namespace BlockRepl.Core.Protocol;

/// <summary>
/// Cuts a bitmap into P_BITMAP and P_COMPRESSED_BITMAP packets. Nothing else may be sent on the data stream between the
/// first and the last packet, and the bitmap must not change meanwhile.
/// </summary>
/// <remarks>
/// Per packet, run lengths are tried first; where they take more room than the bits themselves, whole words are sent
/// instead, from the last 64-bit boundary on (a few bits may so be sent twice, the receiver merges). A transfer that
/// ends with whole words has an empty P_BITMAP behind it, one that ends with run lengths has not.
/// </remarks>
public sealed class BitmapSender
{
    private readonly ReadOnlyMemory<ulong> _words;
    private readonly ulong _bitCount;
    private readonly ulong _wordCount;
    private readonly int _bodyBytes;
    private readonly bool _useRunLength;
    private ulong _bit;
    private ulong _word;
    private bool _done;

    /// <param name="words">Bit b of the bitmap is bit b % 64 of word b / 64; surplus bits are not sent.</param>
    /// <param name="bitCount">Bits of the bitmap.</param>
    /// <param name="useRunLength">use-rle; without effect below version 90.</param>
    public BitmapSender(ReadOnlyMemory<ulong> words, ulong bitCount, in Framing framing, bool useRunLength)
    {
        _words = words;
        _bitCount = bitCount;
        _wordCount = (bitCount + 63) / 64;
        _bodyBytes = CommandCatalogue.MaxPacketBytes - HeaderCodec.Size(framing.AgreedVersion);
        _useRunLength = useRunLength && framing.AgreedVersion >= 90;
        Invariant.Require(_wordCount <= (ulong)words.Length, "the words hold all bits");
    }

    /// <summary>The body of the next packet; false when the transfer, its terminator included, is complete.</summary>
    /// <param name="body">At least 4096 bytes.</param>
    public bool WriteNext(Span<byte> body, out Command command, out int length)
    {
        command = Command.Bitmap;
        length = 0;
        if (_done)
        {
            return false;
        }

        if (_useRunLength && _bit < _bitCount && TryWriteRuns(body[.._bodyBytes], out length))
        {
            command = Command.CompressedBitmap;
            _done = _bit == _bitCount;
            return true;
        }

        length = WriteWords(body);
        _done = length == 0;
        return true;
    }

    private bool TryWriteRuns(Span<byte> body, out int length)
    {
        ReadOnlySpan<ulong> words = _words.Span;
        Span<byte> code = body[1..];
        code.Clear();
        RunLengthWriter writer = new(code);
        bool firstValue = IsSet(words, _bit);
        bool value = firstValue;
        ulong position = _bit;
        while (position < _bitCount)
        {
            ulong end = EndOfRun(words, position, value);
            if (!writer.TryAppend(end - position))
            {
                break;
            }

            position = end;
            value = !value;
        }

        if (position - _bit < (ulong)writer.Bytes * 8)
        {
            length = 0;
            return false;
        }

        body[0] = (byte)(RunLengthCode.CodeType | (writer.PadBits << 4) | (firstValue ? 0x80 : 0));
        length = 1 + writer.Bytes;
        _bit = position;
        _word = position / 64;
        return true;
    }

    private int WriteWords(Span<byte> body)
    {
        int count = (int)Math.Min((ulong)(_bodyBytes / 8), _wordCount - _word);
        ReadOnlySpan<ulong> words = _words.Span.Slice((int)_word, count);
        for (int i = 0; i < count; i++)
        {
            BinaryPrimitives.WriteUInt64LittleEndian(body[(i * 8)..], words[i]);
        }

        _word += (ulong)count;
        if (count > 0 && _word == _wordCount && _bitCount % 64 != 0)
        {
            ulong valid = (1UL << (int)(_bitCount % 64)) - 1;
            BinaryPrimitives.WriteUInt64LittleEndian(body[((count - 1) * 8)..], words[count - 1] & valid);
        }

        _bit = Math.Min(_word * 64, _bitCount);
        return count * 8;
    }

    private static bool IsSet(ReadOnlySpan<ulong> words, ulong bit) =>
        (words[(int)(bit / 64)] >> (int)(bit % 64) & 1) != 0;

    /// <summary>
    /// The first bit from <paramref name="start"/> on that has not the value, or the end of the bitmap.
    /// </summary>
    private ulong EndOfRun(ReadOnlySpan<ulong> words, ulong start, bool value)
    {
        ulong same = value ? ulong.MaxValue : 0;
        int index = (int)(start / 64);
        ulong differing = (words[index] ^ same) & (ulong.MaxValue << (int)(start % 64));
        if (differing == 0)
        {
            int skipped = words[(index + 1)..(int)_wordCount].IndexOfAnyExcept(same);
            if (skipped < 0)
            {
                return _bitCount;
            }

            index += 1 + skipped;
            differing = words[index] ^ same;
        }

        return Math.Min(((ulong)index * 64) + (ulong)BitOperations.TrailingZeroCount(differing), _bitCount);
    }
}
