using System.Buffers.Binary;
using System.Globalization;
using System.Numerics;
using BlockRepl.Core.Bitmap;

namespace BlockRepl.Core.MetaData;

/// <summary>
/// The text of dump-md, line by line as drbdmeta prints it for v08 (and as its restore-md reads it), except that the
/// flags are the true ones: drbdmeta up to 9.32 prints zero there.
/// </summary>
public static class DumpMetaData
{
    private const int WordsPerRow = 4;
    private const int RowsPerHeading = 8;
    private const int KiBPerWord = 64 * OutOfSyncBitmap.BlockBytes / 1024;

    /// <param name="superBlock">The decoded superblock.</param>
    /// <param name="layout">Its layout.</param>
    /// <param name="readPage">Reads a 4 KiB page of the bitmap, by number, as it lies on disk.</param>
    public static IEnumerable<string> Lines(SuperBlock superBlock, MetaDataLayout layout, Func<int, byte[]> readPage)
    {
        foreach (string line in Head(superBlock, layout))
        {
            yield return line;
        }

        long pages = Math.Min(
            OutOfSyncBitmap.PagesFor(OutOfSyncBitmap.BitsFor(superBlock.SizeSectors)),
            layout.BitmapBytes / OutOfSyncBitmap.PageBytes);
        yield return Text($"# bm-bytes {pages * OutOfSyncBitmap.PageBytes};");
        yield return "bm {";
        var printer = new BitmapPrinter();
        for (int page = 0; page < pages; page++)
        {
            byte[] bytes = readPage(page);
            for (int row = 0; row < bytes.Length; row += WordsPerRow * 8)
            {
                foreach (string line in printer.Add(bytes.AsSpan(row, WordsPerRow * 8)))
                {
                    yield return line;
                }
            }
        }

        foreach (string line in printer.End())
        {
            yield return line;
        }

        yield return "}";
        yield return Text($"# bits-set {printer.BitsSet};");
    }

    private static IEnumerable<string> Head(SuperBlock superBlock, MetaDataLayout layout)
    {
        yield return "# DRBD meta data dump";
        yield return "#";
        yield return "";
        yield return "version \"v08\";";
        yield return "";
        if (superBlock.NeedsReplay)
        {
            yield return "This_is_an_unclean_meta_data_dump._Don't_trust_the_bitmap.";
            yield return "# You should \"apply-al\" first, if you plan to restore this.";
            yield return "";
        }

        yield return Text($"# md_size_sect {superBlock.MdSizeSectors}");
        yield return Text($"# md_offset {layout.SuperBlockOffset}");
        yield return Text($"# al_offset {layout.ActivityLogOffset}");
        yield return Text($"# bm_offset {layout.BitmapOffset}");
        yield return "";
        yield return "uuid {";
        yield return Text(
            $"    0x{superBlock.Uuids.Current:X16}; 0x{superBlock.Uuids.Bitmap:X16};")
            + Text($" 0x{superBlock.Uuids.History1:X16}; 0x{superBlock.Uuids.History2:X16};");
        yield return Text($"    flags 0x{(uint)superBlock.Flags:X8};");
        yield return "}";
        yield return Text($"# al-extents {superBlock.AlExtents};");
        yield return Text($"la-size-sect {superBlock.SizeSectors};");
        yield return Text($"bm-byte-per-bit {OutOfSyncBitmap.BlockBytes};");
        yield return Text($"device-uuid 0x{superBlock.DeviceUuid:X16};");
        yield return Text($"la-peer-max-bio-size {superBlock.PeerMaxBioBytes};");
        yield return Text($"al-stripes {superBlock.Ring.Stripes};");
        yield return Text($"al-stripe-size-4k {superBlock.Ring.StripeSize4k};");
    }

    private static string Text(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);

    /// <summary>
    /// Prints rows of four words; equal neighbouring rows are joined if they consist of one 32-bit number, repeated.
    /// </summary>
    private sealed class BitmapPrinter
    {
        private long _row;
        private long _runStart;
        private long _runRows;
        private ulong _runWord;

        public long BitsSet { get; private set; }

        public List<string> Add(ReadOnlySpan<byte> bytes)
        {
            var lines = new List<string>();
            Span<ulong> words = stackalloc ulong[WordsPerRow];
            for (int i = 0; i < WordsPerRow; i++)
            {
                words[i] = BinaryPrimitives.ReadUInt64LittleEndian(bytes[(i * 8)..]);
                BitsSet += BitOperations.PopCount(words[i]);
            }

            bool uniform = words[0] >> 32 == (uint)words[0] && !words.ContainsAnyExcept(words[0]);
            if (_runRows > 0 && (!uniform || words[0] != _runWord))
            {
                EndRun(lines);
            }

            if (uniform)
            {
                _runStart = _runRows == 0 ? _row : _runStart;
                _runWord = words[0];
                _runRows++;
            }
            else
            {
                Heading(_row, lines);
                lines.Add(Text($"    0x{words[0]:X16}; 0x{words[1]:X16}; 0x{words[2]:X16}; 0x{words[3]:X16};"));
            }

            _row++;
            return lines;
        }

        public List<string> End()
        {
            var lines = new List<string>();
            if (_runRows > 0)
            {
                EndRun(lines);
            }

            return lines;
        }

        private void EndRun(List<string> lines)
        {
            Heading(_runStart, lines);
            lines.Add(_runRows == 1
                ? Text($"    0x{_runWord:X16}; 0x{_runWord:X16}; 0x{_runWord:X16}; 0x{_runWord:X16};")
                : Text($"    {_runRows * WordsPerRow} times 0x{_runWord:X16};"));
            _runRows = 0;
        }

        private static void Heading(long row, List<string> lines)
        {
            if (row % RowsPerHeading == 0)
            {
                lines.Add(Text($"   # at {row * WordsPerRow * KiBPerWord}kB"));
            }
        }
    }
}
