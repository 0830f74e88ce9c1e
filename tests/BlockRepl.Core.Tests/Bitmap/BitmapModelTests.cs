using BlockRepl.Core.Bitmap;
using Xunit;

namespace BlockRepl.Core.Tests.Bitmap;

/// <summary>Random operations on the bitmap and on an array of bools that is handled block by block.</summary>
public sealed class BitmapModelTests
{
    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(4)]
    [InlineData(5)]
    [InlineData(6)]
    [InlineData(7)]
    [InlineData(8)]
    public void Random_operations_agree_with_a_bit_by_bit_model(int seed)
    {
        var random = new Random(seed);
        var pair = new Pair((ulong)random.Next(1, 700_000));
        for (int step = 0; step < 400; step++)
        {
            string what = pair.Step(random);
            if (step % 8 == 7)
            {
                pair.Check($"seed {seed}, step {step}: {what}");
            }
        }
    }

    private sealed class Pair
    {
        private readonly OutOfSyncBitmap _bitmap;
        private readonly List<byte[]> _disk = [];
        private ulong _sectors;
        private bool[] _model;

        public Pair(ulong sectors)
        {
            _sectors = sectors;
            _bitmap = new OutOfSyncBitmap(sectors);
            _model = new bool[(sectors + 7) / 8];
            SizeDisk();
        }

        public string Step(Random random)
        {
            ulong sector = (ulong)random.NextInt64((long)_sectors + 20);
            ulong bytes =
                (ulong)random.Next(0, 4) * 512 + (ulong)random.Next(0, random.Next(0, 3) == 0 ? 2000 : 20) * 4096;
            switch (random.Next(20))
            {
                case < 8:
                    int set = Touch(sector, bytes, outward: true, value: true);
                    Assert.Equal(set, _bitmap.SetRange(sector, bytes));
                    return $"set {sector}+{bytes}";
                case < 14:
                    int cleared = Touch(sector, bytes, outward: false, value: false);
                    Assert.Equal(cleared, _bitmap.ClearRange(sector, bytes));
                    return $"clear {sector}+{bytes}";
                case < 16:
                    return Merge(random);
                case 16:
                    ulong first = (ulong)random.Next(_model.Length);
                    ulong last = first + (ulong)random.Next(200);
                    _bitmap.SetBits(first, last);
                    for (ulong bit = first; bit <= last && bit < (ulong)_model.Length; bit++)
                    {
                        _model[bit] = true;
                    }

                    return $"bits {first}..{last}";
                case 17:
                    return WritePages(random);
                case 18 when random.Next(5) == 0:
                    return Resize(random);
                default:
                    return "nothing";
            }
        }

        public void Check(string context)
        {
            Assert.True(_bitmap.BitCount == (ulong)_model.Length, context);
            ulong count = 0;
            ulong next = _bitmap.FindNextSet(0);
            for (int bit = 0; bit < _model.Length; bit++)
            {
                if (_model[bit])
                {
                    count++;
                    Assert.True(next == (ulong)bit, context);
                    next = _bitmap.FindNextSet((ulong)bit + 1);
                }
            }

            Assert.True(next == ulong.MaxValue, context);
            Assert.True(_bitmap.SetCount == count, context);
            var page = new byte[4096];
            for (int i = 0; i < _bitmap.PageCount; i++)
            {
                _bitmap.PeekPage(i, page);
                Assert.True(
                    _bitmap.IsPageDirty(i) || page.AsSpan().SequenceEqual(_disk[i]), $"{context}: page {i} is lost");
            }
        }

        private int Touch(ulong sector, ulong bytes, bool outward, bool value)
        {
            int changed = 0;
            ulong start = sector * 512;
            ulong end = Math.Min(start + (outward ? bytes : bytes / 512 * 512), _sectors * 512);
            for (ulong block = start / 4096; block < (ulong)_model.Length && bytes > 0; block++)
            {
                ulong blockStart = block * 4096;
                ulong blockEnd = Math.Min(blockStart + 4096, _sectors * 512);
                bool hit = outward ? blockStart < end && blockEnd > start : blockStart >= start && blockEnd <= end;
                if (hit && _model[block] != value)
                {
                    _model[block] = value;
                    changed++;
                }

                if (blockStart >= end)
                {
                    break;
                }
            }

            return changed;
        }

        private string Merge(Random random)
        {
            int word = random.Next(_model.Length / 64 + 2);
            var bytes = new byte[random.Next(1, 5) * 8];
            random.NextBytes(bytes);
            _bitmap.MergeWords((ulong)word, bytes);
            for (int bit = 0; bit < bytes.Length * 8 && word * 64 + bit < _model.Length; bit++)
            {
                _model[word * 64 + bit] |= (bytes[bit / 8] >> (bit % 8) & 1) != 0;
            }

            return $"merge {bytes.Length} bytes at word {word}";
        }

        private string WritePages(Random random)
        {
            for (int page = _bitmap.NextDirtyPage(0); page >= 0; page = _bitmap.NextDirtyPage(page + 1))
            {
                if (random.Next(3) != 0)
                {
                    _bitmap.CopyPage(page, _disk[page]);
                }
            }

            return "write pages";
        }

        private string Resize(Random random)
        {
            ulong sectors = (ulong)random.Next(1, 700_000);
            bool set = random.Next(2) == 0;
            int old = _model.Length;
            Array.Resize(ref _model, (int)((sectors + 7) / 8));
            if (_model.Length > old)
            {
                _model.AsSpan(old).Fill(set);
            }

            _sectors = sectors;
            _bitmap.Resize(sectors, set);
            SizeDisk();
            _bitmap.MarkAllPagesDirty();
            return $"resize to {sectors}, set {set}";
        }

        private void SizeDisk()
        {
            while (_disk.Count < _bitmap.PageCount)
            {
                _disk.Add(new byte[4096]);
            }
        }
    }
}
