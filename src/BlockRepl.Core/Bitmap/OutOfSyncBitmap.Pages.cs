using System.Buffers.Binary;
using System.Numerics;

namespace BlockRepl.Core.Bitmap;

/// <summary>The bitmap's pages: its image on disk and what of it the disk still lacks.</summary>
public sealed partial class OutOfSyncBitmap
{
    /// <summary>Bytes of a page; one page covers 128 MiB of the device.</summary>
    public const int PageBytes = 4096;

    private const int WordsPerPage = PageBytes / 8;
    private const int ActivityLogExtentsPerPage = 32;

    private PageMarks[] _pageMarks;

    /// <summary>Why a page should be written.</summary>
    [Flags]
    private enum PageMarks : byte
    {
        None = 0,

        /// <summary>Bits were set that the disk does not know.</summary>
        Need = 1,

        /// <summary>
        /// Bits were only cleared, or set by the peer's run-length coded bitmap: the disk errs on the safe side.
        /// </summary>
        Lazy = 2,
    }

    public int PageCount => _pageMarks.Length;

    /// <summary>The page that holds the bits of a 4 MiB activity-log extent; it may lie past the last page.</summary>
    public static int PageOfExtent(uint alExtent) => (int)(alExtent / ActivityLogExtentsPerPage);

    public bool IsPageDirty(int page) => _pageMarks[page] != PageMarks.None;

    /// <summary>
    /// Whether bits were set in the page that the disk lacks; false also for a page whose bits were only cleared.
    /// </summary>
    public bool IsPageNeeded(int page) => (_pageMarks[page] & PageMarks.Need) != 0;

    /// <summary>The first dirty page at or after <paramref name="fromPage"/>; -1 if there is none.</summary>
    public int NextDirtyPage(int fromPage)
    {
        if (fromPage >= _pageMarks.Length)
        {
            return -1;
        }

        int skip = _pageMarks.AsSpan(fromPage).IndexOfAnyExcept(PageMarks.None);
        return skip < 0 ? -1 : fromPage + skip;
    }

    /// <summary>
    /// Hands a page to the disk: copies its 4096 bytes and takes its dirty marks off. Changes made while the write is
    /// under way mark it again; if the write fails the caller marks it again.
    /// </summary>
    public void CopyPage(int page, Span<byte> destination4096)
    {
        _pageMarks[page] = PageMarks.None;
        PeekPage(page, destination4096);
    }

    /// <summary>Copies a page's 4096 bytes without touching its marks.</summary>
    public void PeekPage(int page, Span<byte> destination4096)
    {
        Span<byte> destination = destination4096[..PageBytes];
        ReadOnlySpan<ulong> words = PageWords(page);
        for (int i = 0; i < words.Length; i++)
        {
            BinaryPrimitives.WriteUInt64LittleEndian(destination[(i * 8)..], words[i]);
        }

        destination[(words.Length * 8)..].Clear();
    }

    /// <summary>
    /// Replaces a page by what the disk holds, without marking it dirty. Bits past the device end are dropped: tools
    /// leave them set when they mark whole activity-log extents.
    /// </summary>
    public void LoadPage(int page, ReadOnlySpan<byte> source4096)
    {
        Span<ulong> words = PageWords(page);
        int firstWord = page * WordsPerPage;
        for (int i = 0; i < words.Length; i++)
        {
            ulong loaded = BinaryPrimitives.ReadUInt64LittleEndian(source4096[(i * 8)..]) & ValidMask(firstWord + i);
            SetCount = SetCount - (ulong)BitOperations.PopCount(words[i]) + (ulong)BitOperations.PopCount(loaded);
            words[i] = loaded;
        }
    }

    public void MarkAllPagesDirty() => Array.Fill(_pageMarks, PageMarks.Need);

    /// <summary>Pages that so many bits take, a partial last one included.</summary>
    public static int PagesFor(ulong bits) => (int)((bits + PageBytes * 8 - 1) / (PageBytes * 8));

    private Span<ulong> PageWords(int page)
    {
        int first = page * WordsPerPage;
        return _words.AsSpan(first, Math.Min(WordsPerPage, _words.Length - first));
    }

    private void MarkDirty(ulong firstBit, ulong lastBit, PageMarks mark, ulong changed)
    {
        if (changed == 0)
        {
            return;
        }

        int lastPage = (int)(lastBit / (PageBytes * 8));
        for (int page = (int)(firstBit / (PageBytes * 8)); page <= lastPage; page++)
        {
            _pageMarks[page] |= mark;
        }
    }
}
