using System.Buffers.Binary;
using System.Globalization;
using System.Text;
using BlockRepl.Core.Bitmap;
using BlockRepl.Core.Generations;
using BlockRepl.Core.MetaData;

namespace BlockRepl.Cli.Offline;

/// <summary>What a text of dump-md says; places are those of the disk it goes to.</summary>
/// <param name="Bitmap">Whole pages, as they lie on disk.</param>
internal sealed record MetaDataDump(SuperBlock SuperBlock, byte[] Bitmap)
{
    /// <summary>32 TiB: the bitmap of more is too much to have in memory.</summary>
    public const ulong MaxSectors = 1UL << 36;

    private const int WordBytes = 8;
    private const int ChunkBytes = 1 << 20;

    /// <summary>Bytes of the pages that a size needs.</summary>
    public static int BitmapBytes(ulong sizeSectors) =>
        OutOfSyncBitmap.PagesFor(OutOfSyncBitmap.BitsFor(sizeSectors)) * OutOfSyncBitmap.PageBytes;

    /// <exception cref="FormatException">It is no such text; the message says where and why.</exception>
    public static MetaDataDump Parse(TextReader text)
    {
        var words = new Words(text);
        words.Expect("version");
        string version = words.Next();
        if (version != "\"v08\"")
        {
            throw words.Bad($"the dump is of {version}; \"v08\" is handled");
        }

        words.Expect(";");
        if (words.Current.StartsWith("This_is_an_unclean", StringComparison.Ordinal))
        {
            throw words.Bad(
                "the activity log was not applied, so the bitmap lacks what it names; run apply-al and dump again");
        }

        words.Expect("uuid", "{");
        var uuids = new UuidSet(words.Hex(), words.Hex(), words.Hex(), words.Hex());
        words.Expect("flags");
        ulong flags = words.Hex();
        words.Expect("}");
        ulong size = words.Field("la-size-sect", MaxSectors);
        if (words.Field("bm-byte-per-bit", uint.MaxValue) != OutOfSyncBitmap.BlockBytes)
        {
            throw words.Bad($"bm-byte-per-bit must be {OutOfSyncBitmap.BlockBytes}");
        }

        words.Expect("device-uuid");
        ulong deviceUuid = words.Hex();
        var superBlock = new SuperBlock
        {
            Uuids = uuids,
            // A new log is written, which is clean.
            Flags = (SuperBlockFlags)flags | SuperBlockFlags.ActivityLogClean,
            Magic = SuperBlock.MagicNormal,
            SizeSectors = size,
            DeviceUuid = deviceUuid,
            PeerMaxBioBytes = (uint)words.OptionalField("la-peer-max-bio-size", 0),
            AlStripes = (uint)words.OptionalField("al-stripes", 1),
            AlStripeSize4k = (uint)words.OptionalField("al-stripe-size-4k", 8),
        };
        return new MetaDataDump(superBlock, ParseBitmap(words, size));
    }

    /// <summary>
    /// The steps that write all of it. The superblock comes last: until then what lies there is not taken for meta
    /// data.
    /// </summary>
    public static IEnumerable<MetaDataStep> Steps(MetaDataLayout layout, SuperBlock superBlock, byte[] bitmap)
    {
        foreach (MetaDataStep step in CreateMetaData.InitialiseLog(layout))
        {
            yield return step;
        }

        for (long done = 0; done < layout.BitmapBytes; done += ChunkBytes)
        {
            var chunk = new byte[Math.Min(ChunkBytes, layout.BitmapBytes - done)];
            int used = (int)Math.Clamp(bitmap.Length - done, 0, chunk.Length);
            bitmap.AsSpan((int)Math.Min(done, bitmap.Length), used).CopyTo(chunk);
            yield return new MetaDataStep(layout.BitmapOffset + done, chunk);
        }

        yield return MetaDataStep.Flush;
        yield return CreateMetaData.WriteSuperBlock(layout, superBlock);
        yield return MetaDataStep.Flush;
    }

    private static byte[] ParseBitmap(Words words, ulong sizeSectors)
    {
        var bitmap = new byte[BitmapBytes(sizeSectors)];
        int needed = (int)((OutOfSyncBitmap.BitsFor(sizeSectors) + 63) / 64);
        int count = 0;
        words.Expect("bm", "{");
        while (words.Current != "}")
        {
            ulong times = 1;
            if (!words.Current.StartsWith("0x", StringComparison.Ordinal))
            {
                times = words.Number(ulong.MaxValue);
                words.Expect("times");
            }

            ulong word = words.Hex();
            if (times > (ulong)(bitmap.Length / WordBytes - count))
            {
                throw words.Bad($"bm is longer than la-size-sect {sizeSectors} needs");
            }

            for (; times > 0; times--)
            {
                BinaryPrimitives.WriteUInt64LittleEndian(bitmap.AsSpan(WordBytes * count++), word);
            }
        }

        return count >= needed
            ? bitmap
            : throw words.Bad($"bm has {count} words; la-size-sect {sizeSectors} needs {needed}");
    }

    /// <summary>The text, word by word; comments are left out.</summary>
    private sealed class Words
    {
        private readonly TextReader _text;
        private int _line = 1;

        public Words(TextReader text)
        {
            _text = text;
            Current = Read();
        }

        /// <summary>Empty at the end.</summary>
        public string Current { get; private set; }

        public string Next()
        {
            string word = Current;
            Current = Read();
            return word;
        }

        public void Expect(params ReadOnlySpan<string> words)
        {
            foreach (string word in words)
            {
                if (Current != word)
                {
                    throw Bad($"'{word}' expected, found '{Current}'");
                }

                Next();
            }
        }

        /// <summary>A number of 16 or 8 digits, and the semicolon behind it.</summary>
        public ulong Hex()
        {
            string word = Current;
            if (word.Length is not (10 or 18) || !word.StartsWith("0x", StringComparison.Ordinal) || !ulong.TryParse(
                word.AsSpan(2), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out ulong value))
            {
                throw Bad($"a hexadecimal number of 16 digits expected, found '{word}'");
            }

            Next();
            Expect(";");
            return value;
        }

        public ulong Number(ulong maximum)
        {
            if (!ulong.TryParse(Current, NumberStyles.None, CultureInfo.InvariantCulture, out ulong value)
                || value > maximum)
            {
                throw Bad($"a number up to {maximum} expected, found '{Current}'");
            }

            Next();
            return value;
        }

        public ulong Field(string name, ulong maximum)
        {
            Expect(name);
            ulong value = Number(maximum);
            Expect(";");
            return value;
        }

        /// <summary>One that dumps of older versions do not have.</summary>
        public ulong OptionalField(string name, ulong fallback) =>
            Current == name ? Field(name, uint.MaxValue) : fallback;

        public FormatException Bad(string problem) => new($"line {_line}: {problem}");

        private string Read()
        {
            int next = _text.Read();
            while (next is '#' or ' ' or '\t' or '\r' or '\n')
            {
                while (next == '#' && _text.Peek() is not (-1 or '\n'))
                {
                    _text.Read();
                }

                _line += next == '\n' ? 1 : 0;
                next = _text.Read();
            }

            if (next < 0 || next is ';' or '{' or '}')
            {
                return next < 0 ? "" : $"{(char)next}";
            }

            var word = new StringBuilder().Append((char)next);
            while (_text.Peek() is not (-1 or '#' or ' ' or '\t' or '\r' or '\n' or ';' or '{' or '}')
                && word.Length < ChunkBytes)
            {
                word.Append((char)_text.Read());
            }

            return word.ToString();
        }
    }
}
