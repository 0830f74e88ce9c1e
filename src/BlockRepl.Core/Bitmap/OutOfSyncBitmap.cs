using System.Buffers.Binary;
using System.Numerics;

namespace BlockRepl.Core.Bitmap;

/// <summary>
/// Which 4 KiB blocks of a device may differ from the peer's: one bit per block, 1 = out of sync. Kept whole in memory;
/// its image on disk is made of 4 KiB pages, each with dirty marks that tell whether the disk still lacks something.
/// Sectors are 512 bytes. Ranges that reach past the device end are cut there; nothing beyond the last bit is ever set.
/// </summary>
public sealed partial class OutOfSyncBitmap : Protocol.IBitmapSink
{
    /// <summary>Largest device, 256 TiB: its bits fit one array.</summary>
    public const ulong MaxCapacitySectors = 1UL << 39;

    public const int BlockBytes = 4096;
    public const int SectorsPerBlock = BlockBytes / SectorBytes;
    private const int SectorBytes = 512;

    private ulong[] _words;

    /// <param name="capacitySectors">Size of the replicated device; all bits start clear, no page is dirty.</param>
    /// <exception cref="ArgumentOutOfRangeException">More than <see cref="MaxCapacitySectors"/>.</exception>
    public OutOfSyncBitmap(ulong capacitySectors)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(capacitySectors, MaxCapacitySectors);
        CapacitySectors = capacitySectors;
        BitCount = BitsFor(capacitySectors);
        _words = new ulong[WordsFor(BitCount)];
        _pageMarks = new PageMarks[PagesFor(BitCount)];
    }

    public ulong CapacitySectors { get; private set; }

    /// <summary>One per block; the last block may be shorter than 4 KiB.</summary>
    public ulong BitCount { get; private set; }

    /// <summary>Blocks out of sync.</summary>
    public ulong SetCount { get; private set; }

    /// <summary>The bits, 64 to a word, lowest block in the least significant bit.</summary>
    public ReadOnlySpan<ulong> Words => _words;

    /// <summary>
    /// Marks a range out of sync, rounded outward to whole blocks; returns how many bits were clear before.
    /// </summary>
    public int SetRange(ulong sector, ulong byteCount)
    {
        if (!OutwardBits(sector, byteCount, out ulong first, out ulong last))
        {
            return 0;
        }

        ulong added = Fill(first, last);
        MarkDirty(first, last, PageMarks.Need, added);
        return (int)Math.Min(added, int.MaxValue);
    }

    /// <summary>
    /// Marks a range in sync, rounded inward to whole blocks; a range that reaches the device end covers the partial
    /// last block too. Returns how many bits were set before.
    /// </summary>
    public int ClearRange(ulong sector, ulong byteCount)
    {
        if (!InwardBits(sector, byteCount, out ulong first, out ulong last))
        {
            return 0;
        }

        ulong removed = Erase(first, last);
        MarkDirty(first, last, PageMarks.Lazy, removed);
        return (int)Math.Min(removed, int.MaxValue);
    }

    /// <summary>Whether any block that the range touches is out of sync.</summary>
    public bool AnySet(ulong sector, ulong byteCount) =>
        OutwardBits(sector, byteCount, out ulong first, out ulong last) && FindNextSet(first) <= last;

    /// <summary>How many blocks that the range touches are out of sync.</summary>
    public int CountInRange(ulong sector, ulong byteCount) =>
        OutwardBits(sector, byteCount, out ulong first, out ulong last)
            ? (int)Math.Min(CountBits(first, last), int.MaxValue)
            : 0;

    public bool IsSet(ulong bit) => bit < BitCount && (_words[bit >> 6] >> (int)(bit & 63) & 1) != 0;

    /// <summary>The first set bit at or after <paramref name="fromBit"/>; ulong.MaxValue if there is none.</summary>
    public ulong FindNextSet(ulong fromBit)
    {
        if (fromBit >= BitCount)
        {
            return ulong.MaxValue;
        }

        int index = (int)(fromBit >> 6);
        ulong word = _words[index] & ulong.MaxValue << (int)(fromBit & 63);
        if (word == 0)
        {
            ReadOnlySpan<ulong> rest = _words.AsSpan(index + 1);
            int skip = rest.IndexOfAnyExcept(0UL);
            if (skip < 0)
            {
                return ulong.MaxValue;
            }

            index += 1 + skip;
            word = _words[index];
        }

        return ((ulong)index << 6) + (ulong)BitOperations.TrailingZeroCount(word);
    }

    public void SetAll()
    {
        Array.Fill(_words, ulong.MaxValue);
        MaskTail();
        SetCount = BitCount;
        MarkAllPagesDirty();
    }

    public void ClearAll()
    {
        Array.Clear(_words);
        SetCount = 0;
        MarkAllPagesDirty();
    }

    /// <summary>
    /// Changes the size. A shrink drops the bits past the new end; a grow adds bits, set unless the caller is sure that
    /// the new space is in sync. The pages of new bits become dirty either way: what the disk holds there is unknown.
    /// </summary>
    public void Resize(ulong newCapacitySectors, bool setNewBits)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(newCapacitySectors, MaxCapacitySectors);
        ulong oldBits = BitCount;
        ulong newBits = BitsFor(newCapacitySectors);
        CapacitySectors = newCapacitySectors;
        BitCount = newBits;
        Array.Resize(ref _words, WordsFor(newBits));
        Array.Resize(ref _pageMarks, PagesFor(newBits));
        MaskTail();
        if (newBits < oldBits)
        {
            SetCount = newBits == 0 ? 0 : CountBits(0, newBits - 1);
        }
        else if (newBits > oldBits)
        {
            if (setNewBits)
            {
                Fill(oldBits, newBits - 1);
            }

            MarkDirty(oldBits, newBits - 1, PageMarks.Need, changed: 1);
        }
    }

    /// <summary>
    /// Joins words of the peer's bitmap into ours (a set bit stays set). Words are 64 bits, little endian; words past
    /// the end of the bitmap and bits past its last one are ignored.
    /// </summary>
    public void MergeWords(ulong firstWord, ReadOnlySpan<byte> littleEndianBytes)
    {
        Span<byte> last = stackalloc byte[8];
        for (int offset = 0;
            offset < littleEndianBytes.Length && firstWord < (ulong)_words.Length;
            offset += 8, firstWord++)
        {
            scoped ReadOnlySpan<byte> bytes = littleEndianBytes[offset..];
            if (bytes.Length < 8)
            {
                last.Clear();
                bytes.CopyTo(last);
                bytes = last;
            }

            int index = (int)firstWord;
            ulong added = BinaryPrimitives.ReadUInt64LittleEndian(bytes) & ValidMask(index) & ~_words[index];
            if (added != 0)
            {
                _words[index] |= added;
                SetCount += (ulong)BitOperations.PopCount(added);
                _pageMarks[index / WordsPerPage] |= PageMarks.Need;
            }
        }
    }

    /// <summary>
    /// Sets bits first..last, both included, as a run-length coded bitmap names them; cut at the end.
    /// </summary>
    public void SetBits(ulong firstBit, ulong lastBit)
    {
        if (firstBit > lastBit || firstBit >= BitCount)
        {
            return;
        }

        lastBit = Math.Min(lastBit, BitCount - 1);
        MarkDirty(firstBit, lastBit, PageMarks.Lazy, Fill(firstBit, lastBit));
    }

    /// <summary>Bits of a device: its blocks, a partial last one included.</summary>
    public static ulong BitsFor(ulong capacitySectors) =>
        capacitySectors / SectorsPerBlock + (capacitySectors % SectorsPerBlock == 0 ? 0UL : 1UL);

    private static int WordsFor(ulong bits) => (int)((bits + 63) / 64);

    private bool OutwardBits(ulong sector, ulong byteCount, out ulong first, out ulong last)
    {
        first = sector / SectorsPerBlock;
        last = 0;
        if (byteCount == 0 || sector >= CapacitySectors)
        {
            return false;
        }

        ulong sectors = Math.Min((byteCount - 1) / SectorBytes + 1, CapacitySectors - sector);
        last = (sector + sectors - 1) / SectorsPerBlock;
        return true;
    }

    private bool InwardBits(ulong sector, ulong byteCount, out ulong first, out ulong last)
    {
        first = sector / SectorsPerBlock + (sector % SectorsPerBlock == 0 ? 0UL : 1UL);
        last = 0;
        if (sector >= CapacitySectors)
        {
            return false;
        }

        ulong sectors = Math.Min(byteCount / SectorBytes, CapacitySectors - sector);
        ulong end = sector + sectors;
        ulong endBit = end == CapacitySectors ? BitCount : end / SectorsPerBlock;
        last = endBit - 1;
        return sectors > 0 && first < endBit;
    }

    private ulong Fill(ulong first, ulong last)
    {
        ulong added = 0;
        int lastWord = (int)(last >> 6);
        for (int index = (int)(first >> 6); index <= lastWord; index++)
        {
            ulong change = RangeMask(index, first, last) & ~_words[index];
            _words[index] |= change;
            added += (ulong)BitOperations.PopCount(change);
        }

        SetCount += added;
        return added;
    }

    private ulong Erase(ulong first, ulong last)
    {
        ulong removed = 0;
        int lastWord = (int)(last >> 6);
        for (int index = (int)(first >> 6); index <= lastWord; index++)
        {
            ulong change = RangeMask(index, first, last) & _words[index];
            _words[index] &= ~change;
            removed += (ulong)BitOperations.PopCount(change);
        }

        SetCount -= removed;
        return removed;
    }

    private ulong CountBits(ulong first, ulong last)
    {
        ulong count = 0;
        int lastWord = (int)(last >> 6);
        for (int index = (int)(first >> 6); index <= lastWord; index++)
        {
            count += (ulong)BitOperations.PopCount(RangeMask(index, first, last) & _words[index]);
        }

        return count;
    }

    private static ulong RangeMask(int word, ulong first, ulong last)
    {
        ulong mask = ulong.MaxValue;
        if ((ulong)word == first >> 6)
        {
            mask = ulong.MaxValue << (int)(first & 63);
        }

        if ((ulong)word == last >> 6)
        {
            mask &= ulong.MaxValue >> (int)(63 - (last & 63));
        }

        return mask;
    }

    /// <summary>The bits of a word that stand for blocks. A full last word keeps all its bits.</summary>
    private ulong ValidMask(int word)
    {
        ulong bits = BitCount - ((ulong)word << 6);
        return bits >= 64 ? ulong.MaxValue : (1UL << (int)bits) - 1;
    }

    private void MaskTail()
    {
        if (_words.Length > 0)
        {
            _words[^1] &= ValidMask(_words.Length - 1);
        }
    }
}
