using BlockRepl.Core.Bitmap;
using Xunit;

namespace BlockRepl.Core.Tests.Bitmap;

/// <summary>The bitmap's rules one by one; the model test tries them in all combinations.</summary>
public sealed class OutOfSyncBitmapTests
{
    private const ulong MiB = 2048;

    [Theory]
    [InlineData(0UL, 0UL)]
    [InlineData(1UL, 1UL)]
    [InlineData(8UL, 1UL)]
    [InlineData(9UL, 2UL)]
    [InlineData(2097157UL, 262145UL)]
    [InlineData(130992UL, 16374UL)]
    public void There_is_a_bit_for_every_block_and_for_a_partial_last_one(ulong sectors, ulong bits)
    {
        var bitmap = new OutOfSyncBitmap(sectors);
        Assert.Equal(bits, bitmap.BitCount);
        Assert.Equal((int)((bits + 32767) / 32768), bitmap.PageCount);
        Assert.Equal((int)((bits + 63) / 64), bitmap.Words.Length);
    }

    [Fact]
    public void Setting_rounds_outward_and_clearing_inward()
    {
        var bitmap = new OutOfSyncBitmap(64 * MiB);
        Assert.Equal(2, bitmap.SetRange(15, 1024));
        Assert.True(bitmap.IsSet(1) && bitmap.IsSet(2));
        Assert.Equal(0, bitmap.ClearRange(9, 4096));
        Assert.Equal(1, bitmap.ClearRange(8, 4096 + 512));
        Assert.False(bitmap.IsSet(1));
        Assert.Equal(1UL, bitmap.SetCount);
    }

    [Fact]
    public void A_clear_that_reaches_the_device_end_covers_the_partial_last_block()
    {
        var bitmap = new OutOfSyncBitmap(21);
        bitmap.SetAll();
        Assert.Equal(0, bitmap.ClearRange(16, 4 * 512));
        Assert.Equal(1, bitmap.ClearRange(16, 5 * 512));
        Assert.Equal(2UL, bitmap.SetCount);
    }

    [Fact]
    public void Ranges_past_the_device_end_are_cut_and_ranges_beyond_it_do_nothing()
    {
        var bitmap = new OutOfSyncBitmap(20);
        Assert.Equal(3, bitmap.SetRange(0, ulong.MaxValue));
        Assert.Equal(0, bitmap.SetRange(20, 4096));
        Assert.Equal(0, bitmap.SetRange(ulong.MaxValue, ulong.MaxValue));
        Assert.Equal(0, bitmap.ClearRange(ulong.MaxValue, ulong.MaxValue));
        Assert.False(bitmap.AnySet(ulong.MaxValue, 1));
        Assert.Equal(3, bitmap.ClearRange(0, ulong.MaxValue));
        Assert.Equal(0UL, bitmap.SetCount);
    }

    [Fact]
    public void An_empty_range_touches_nothing()
    {
        var bitmap = new OutOfSyncBitmap(MiB);
        Assert.Equal(0, bitmap.SetRange(8, 0));
        bitmap.SetAll();
        Assert.Equal(0, bitmap.ClearRange(8, 0));
        Assert.False(bitmap.AnySet(8, 0));
    }

    [Fact]
    public void A_full_last_word_keeps_its_bits()
    {
        // The kernel module forgets the last 256 KiB of such devices when it attaches; that must not be copied.
        var bitmap = new OutOfSyncBitmap(512 * 2);
        var page = new byte[4096];
        page.AsSpan(0, 16).Fill(0xFF);
        bitmap.LoadPage(0, page);
        Assert.Equal(128UL, bitmap.SetCount);
        Assert.True(bitmap.IsSet(127));
    }

    [Fact]
    public void Bits_past_the_end_are_dropped_on_every_way_in()
    {
        var ones = new byte[4096];
        ones.AsSpan().Fill(0xFF);
        var bitmap = new OutOfSyncBitmap(70 * 8);
        bitmap.LoadPage(0, ones);
        Assert.Equal(70UL, bitmap.SetCount);
        bitmap.ClearAll();
        bitmap.MergeWords(0, ones);
        Assert.Equal(70UL, bitmap.SetCount);
        bitmap.ClearAll();
        bitmap.SetBits(60, ulong.MaxValue);
        Assert.Equal(10UL, bitmap.SetCount);
        bitmap.SetAll();
        Assert.Equal(70UL, bitmap.SetCount);
        Assert.Equal((1UL << 6) - 1, bitmap.Words[1]);
    }

    [Fact]
    public void Merged_words_join_the_bits_that_are_there()
    {
        var bitmap = new OutOfSyncBitmap(64 * MiB);
        bitmap.SetBits(0, 0);
        bitmap.MergeWords(0, [2, 0, 0, 0, 0, 0, 0, 0x80]);
        bitmap.MergeWords(1, [1]);
        bitmap.MergeWords(ulong.MaxValue, [1, 2, 3]);
        Assert.Equal(0x8000000000000003UL, bitmap.Words[0]);
        Assert.Equal(1UL, bitmap.Words[1]);
        Assert.Equal(4UL, bitmap.SetCount);
    }

    [Fact]
    public void A_page_is_marked_when_its_bits_change_and_not_when_they_do_not()
    {
        var bitmap = new OutOfSyncBitmap(1024 * MiB);
        Assert.Equal(-1, bitmap.NextDirtyPage(0));
        bitmap.SetRange(3 * 128 * MiB, 4096);
        Assert.Equal(3, bitmap.NextDirtyPage(0));
        Assert.True(bitmap.IsPageNeeded(3));
        var page = new byte[4096];
        bitmap.CopyPage(3, page);
        Assert.Equal(1, page[0]);
        Assert.False(bitmap.IsPageDirty(3));
        bitmap.SetRange(3 * 128 * MiB, 4096);
        Assert.False(bitmap.IsPageDirty(3));
        bitmap.ClearRange(3 * 128 * MiB, 4096);
        Assert.True(bitmap.IsPageDirty(3));
        Assert.False(bitmap.IsPageNeeded(3));
        bitmap.CopyPage(3, page);
        bitmap.ClearRange(3 * 128 * MiB, 4096);
        Assert.Equal(-1, bitmap.NextDirtyPage(0));
    }

    [Fact]
    public void A_range_over_a_page_boundary_marks_both_pages()
    {
        var bitmap = new OutOfSyncBitmap(1024 * MiB);
        bitmap.SetRange(128 * MiB - 8, 8192);
        Assert.True(bitmap.IsPageDirty(0) && bitmap.IsPageDirty(1) && !bitmap.IsPageDirty(2));
    }

    [Fact]
    public void A_page_goes_to_the_disk_and_back_with_the_lowest_block_in_the_lowest_bit()
    {
        var bitmap = new OutOfSyncBitmap(300 * MiB);
        bitmap.SetBits(32768 + 8, 32768 + 8);
        bitmap.SetBits(32768 + 64, 32768 + 65);
        var page = new byte[4096];
        bitmap.CopyPage(1, page);
        Assert.Equal(1, page[1]);
        Assert.Equal(3, page[8]);
        var other = new OutOfSyncBitmap(300 * MiB);
        other.LoadPage(1, page);
        Assert.Equal(bitmap.Words.ToArray(), other.Words.ToArray());
        Assert.Equal(3UL, other.SetCount);
    }

    [Fact]
    public void A_page_that_the_bitmap_fills_only_in_part_ends_in_zeroes()
    {
        var bitmap = new OutOfSyncBitmap(64 * MiB);
        bitmap.SetAll();
        var page = new byte[4096];
        page.AsSpan().Fill(0xAA);
        bitmap.CopyPage(0, page);
        Assert.Equal(2048, page.Count(value => value == 0xFF));
        Assert.Equal(2048, page.Count(value => value == 0));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Growing_sets_the_new_bits_or_not_and_marks_their_pages(bool set)
    {
        var bitmap = new OutOfSyncBitmap(100 * MiB + 3);
        bitmap.SetBits(5, 5);
        bitmap.CopyPage(0, new byte[4096]);
        ulong oldBits = bitmap.BitCount;
        bitmap.Resize(300 * MiB, set);
        Assert.Equal(1 + (set ? bitmap.BitCount - oldBits : 0), bitmap.SetCount);
        Assert.Equal(3, bitmap.PageCount);
        Assert.True(bitmap.IsPageDirty(0) && bitmap.IsPageDirty(1) && bitmap.IsPageDirty(2));
        Assert.Equal(set, bitmap.IsSet(oldBits));
        Assert.False(bitmap.IsSet(oldBits - 1));
    }

    [Fact]
    public void Shrinking_forgets_the_bits_for_good()
    {
        var bitmap = new OutOfSyncBitmap(300 * MiB);
        bitmap.SetAll();
        bitmap.Resize(100 * MiB + 1, setNewBits: false);
        Assert.Equal(25601UL, bitmap.SetCount);
        bitmap.Resize(300 * MiB, setNewBits: false);
        Assert.Equal(25601UL, bitmap.SetCount);
        Assert.Equal(ulong.MaxValue, bitmap.FindNextSet(25601));
        bitmap.Resize(0, setNewBits: false);
        Assert.Equal(0UL, bitmap.SetCount);
        Assert.Equal(0, bitmap.PageCount);
        Assert.Equal(ulong.MaxValue, bitmap.FindNextSet(0));
    }

    [Fact]
    public void An_extent_is_an_eighth_of_a_kilobyte_of_its_page()
    {
        Assert.Equal(0, OutOfSyncBitmap.PageOfExtent(31));
        Assert.Equal(1, OutOfSyncBitmap.PageOfExtent(32));
    }

    [Fact]
    public void A_device_too_large_for_an_array_is_refused()
    {
        Assert.Throws<ArgumentOutOfRangeException>(() => new OutOfSyncBitmap(OutOfSyncBitmap.MaxCapacitySectors + 1));
    }
}
