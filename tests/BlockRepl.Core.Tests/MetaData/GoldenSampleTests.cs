using System.Globalization;
using System.Text.Json;
using BlockRepl.Core.ActivityLog;
using BlockRepl.Core.Bitmap;
using BlockRepl.Core.MetaData;
using BlockRepl.Core.State;
using Xunit;

namespace BlockRepl.Core.Tests.MetaData;

/// <summary>Disks that DRBD and its tools left behind, read and replayed.</summary>
public sealed class GoldenSampleTests
{
    private static readonly string[] Decodable =
    [
        "01-internal-64MiB-fresh",
        "02-internal-64MiB-set-gi",
        "03-internal-64MiB-known-bitmap",
        "04-flex-external-1MiB",
        "05-indexed-external-index1",
        "06-internal-64MiB-crashed-primary-before",
        "06-internal-64MiB-crashed-primary-after-apply-al",
        "07-internal-1GiB-striped-al-before",
        "07-internal-1GiB-striped-al-after-apply-al",
    ];

    public static TheoryData<string> DecodableSamples => [.. Decodable];

    [Theory]
    [MemberData(nameof(DecodableSamples))]
    public void A_superblock_reads_as_the_note_says_and_is_written_back_unchanged(string name)
    {
        Golden sample = Golden.Load(name);
        JsonElement note = Golden.Json(name);
        JsonElement fields = note.GetProperty("superblock");
        SuperBlock superBlock = sample.SuperBlock(DiskOf(sample), out MetaDataLayout layout);

        Assert.Equal(note.GetProperty("md_offset_bytes").GetInt64(), layout.SuperBlockOffset);
        Assert.Equal(note.GetProperty("al_offset_bytes").GetInt64(), layout.ActivityLogOffset);
        Assert.Equal(note.GetProperty("bm_offset_bytes").GetInt64(), layout.BitmapOffset);
        Assert.Equal(fields.GetProperty("la_size_sect").GetUInt64(), superBlock.SizeSectors);
        Assert.Equal(Hex(fields, "current"), superBlock.Uuids.Current);
        Assert.Equal(Hex(fields, "bitmap"), superBlock.Uuids.Bitmap);
        Assert.Equal(Hex(fields, "history1"), superBlock.Uuids.History1);
        Assert.Equal(Hex(fields, "history2"), superBlock.Uuids.History2);
        Assert.Equal(Hex(fields, "device_uuid"), superBlock.DeviceUuid);
        Assert.Equal(Hex(fields, "flags"), (uint)superBlock.Flags);
        Assert.Equal(Hex(fields, "magic"), superBlock.Magic);
        Assert.Equal(fields.GetProperty("md_size_sect").GetUInt32(), superBlock.MdSizeSectors);
        Assert.Equal(fields.GetProperty("al_offset").GetInt32(), superBlock.AlOffsetSectors);
        Assert.Equal(fields.GetProperty("al_nr_extents").GetUInt32(), superBlock.AlExtents);
        Assert.Equal(fields.GetProperty("bm_offset").GetInt32(), superBlock.BmOffsetSectors);
        Assert.Equal(fields.GetProperty("la_peer_max_bio_size").GetUInt32(), superBlock.PeerMaxBioBytes);
        Assert.Equal(fields.GetProperty("al_stripes").GetUInt32(), superBlock.AlStripes);
        Assert.Equal(fields.GetProperty("al_stripe_size_4k").GetUInt32(), superBlock.AlStripeSize4k);

        var written = new byte[SuperBlock.Bytes];
        superBlock.Encode(written);
        Assert.Equal(sample.Read(layout.SuperBlockOffset, SuperBlock.Bytes), written);
    }

    [Theory]
    [MemberData(nameof(DecodableSamples))]
    public void A_sample_is_what_its_note_was_made_of(string name)
    {
        Golden sample = Golden.Load(name);
        Assert.Equal(Golden.Json(name).GetProperty("sha256_of_image").GetString(), sample.Sha256());
    }

    [Theory]
    [MemberData(nameof(DecodableSamples))]
    public void The_layout_of_a_sample_is_the_one_that_new_meta_data_would_get(string name)
    {
        Golden sample = Golden.Load(name);
        SuperBlock superBlock = sample.SuperBlock(DiskOf(sample), out MetaDataLayout stored);
        ActivityLogRing ring = superBlock.Ring;
        Assert.Equal(
            stored, MetaDataLayout.Compute(DiskOf(sample), ring.Stripes, ring.StripeSize4k, out MetaDataError error));
        Assert.Equal(MetaDataError.None, error);
    }

    [Theory]
    [MemberData(nameof(DecodableSamples))]
    public void A_bitmap_reads_as_the_note_says(string name)
    {
        Golden sample = Golden.Load(name);
        SuperBlock superBlock = sample.SuperBlock(DiskOf(sample), out MetaDataLayout layout);
        OutOfSyncBitmap bitmap = LoadBitmap(sample, superBlock, layout);
        JsonElement note = Golden.Json(name);
        Assert.Equal(note.GetProperty("bits_in_bitmap").GetUInt64(), bitmap.BitCount);
        Assert.Equal(note.GetProperty("set_bits").GetUInt64(), bitmap.SetCount);
        ulong at = 0;
        foreach (JsonElement range in note.GetProperty("set_bit_ranges").EnumerateArray())
        {
            ulong first = range[0].GetUInt64();
            ulong last = range[1].GetUInt64();
            Assert.Equal(first, bitmap.FindNextSet(at));
            Assert.Equal((int)(last - first + 1), bitmap.CountInRange(first * 8, (last - first + 1) * 4096));
            at = last + 1;
        }

        Assert.Equal(ulong.MaxValue, bitmap.FindNextSet(at));
        Assert.Equal(-1, bitmap.NextDirtyPage(0));
    }

    [Theory]
    [MemberData(nameof(DecodableSamples))]
    public void Activity_log_blocks_are_judged_as_the_note_says(string name)
    {
        Golden sample = Golden.Load(name);
        sample.SuperBlock(DiskOf(sample), out MetaDataLayout layout);
        byte[] ring = sample.Ring(layout);
        JsonElement blocks = Golden.Json(name).GetProperty("al_blocks_in_disk_order");
        for (int i = 0; i < layout.Ring.Blocks; i++)
        {
            ReadOnlySpan<byte> block = ring.AsSpan(i * ActivityLogBlock.Bytes, ActivityLogBlock.Bytes);
            if (blocks.ValueKind == JsonValueKind.String)
            {
                Assert.True(ActivityLogBlock.IsValid(block) && !ActivityLogBlock.IsUpdate(block));
                continue;
            }

            JsonElement expected = blocks[i];
            Assert.Equal(expected.GetProperty("valid").GetBoolean(), ActivityLogBlock.IsValid(block));
            Assert.Equal(expected.GetProperty("tr").GetUInt32(), ActivityLogBlock.TransactionNumber(block));
            Assert.Equal(expected.GetProperty("type").GetInt32() == 0, ActivityLogBlock.IsUpdate(block));
        }
    }

    [Theory]
    [InlineData("06-internal-64MiB-crashed-primary")]
    [InlineData("07-internal-1GiB-striped-al")]
    public void Replay_leaves_the_disk_as_drbdmeta_does_byte_for_byte(string name)
    {
        Golden before = Golden.Load(name + "-before");
        Golden after = Replay(before, out _);
        Assert.Equal(Golden.Json(name + "-after-apply-al").GetProperty("sha256_of_image").GetString(), after.Sha256());
    }

    [Fact]
    public void The_striped_and_wrapped_log_yields_exactly_the_active_set()
    {
        Golden sample = Golden.Load("07-internal-1GiB-striped-al-before");
        sample.SuperBlock(sample.Disk(), out MetaDataLayout layout);
        ReplayResult result =
            ActivityLogReplay.Replay(sample.Ring(layout), layout.Ring.Stripes, layout.Ring.StripeSize4k);
        JsonElement expected =
            JsonDocument.Parse(Golden.Text("07-internal-1GiB-striped-al-active-set.json")).RootElement;
        Assert.Equal([.. expected.EnumerateArray().Select(extent => extent.GetUInt32())], result.Extents);
    }

    [Theory]
    [InlineData("10-kernel-crashed-primary")]
    [InlineData("11-kernel-crashed-alone-primary")]
    public void Replay_of_a_disk_that_the_kernel_left_sets_the_bits_that_drbdmeta_sets(string name)
    {
        Golden before = Golden.Load(name);
        Golden after = Replay(before, out SuperBlock superBlock);
        after.SuperBlock(after.Disk(), out MetaDataLayout layout);
        OutOfSyncBitmap bitmap = LoadBitmap(after, superBlock, layout);
        byte[] raw = after.Read(layout.BitmapOffset, bitmap.PageCount * OutOfSyncBitmap.PageBytes);
        int set = raw.Sum(value => int.PopCount(value));
        string dump = Golden.Text(name + ".after-apply-al.dump-md.txt");
        Assert.Contains(
            string.Create(CultureInfo.InvariantCulture, $"# bits-set {set};"), dump, StringComparison.Ordinal);
    }

    [Fact]
    public void After_the_replay_of_a_crash_alone_every_differing_block_is_marked()
    {
        Golden after = Replay(Golden.Load("11-kernel-crashed-alone-primary"), out SuperBlock superBlock);
        after.SuperBlock(after.Disk(), out MetaDataLayout layout);
        OutOfSyncBitmap bitmap = LoadBitmap(after, superBlock, layout);
        using var reader = new StreamReader(
            new MemoryStream(Golden.Unzip("11-kernel-crashed-alone-primary.differing-blocks.txt.gz")));
        int blocks = 0;
        while (reader.ReadLine() is { } line)
        {
            blocks++;
            Assert.True(bitmap.IsSet(ulong.Parse(line, CultureInfo.InvariantCulture)), line);
        }

        Assert.Equal(31586, blocks);
    }

    [Theory]
    [InlineData("10-kernel-its-secondary")]
    [InlineData("11-kernel-its-secondary")]
    public void A_secondary_keeps_its_bitmap(string name)
    {
        Golden before = Golden.Load(name);
        Golden after = Replay(before, out SuperBlock superBlock);
        after.SuperBlock(after.Disk(), out MetaDataLayout layout);
        int bytes = (int)layout.BitmapBytes;
        Assert.Equal(before.Read(layout.BitmapOffset, bytes), after.Read(layout.BitmapOffset, bytes));
        Assert.False(superBlock.NeedsReplay);
    }

    [Theory]
    [InlineData("01-internal-64MiB-fresh")]
    [InlineData("02-internal-64MiB-set-gi")]
    [InlineData("03-internal-64MiB-known-bitmap")]
    [InlineData("04-flex-external-1MiB")]
    [InlineData("06-internal-64MiB-crashed-primary-before")]
    [InlineData("07-internal-1GiB-striped-al-before")]
    public void The_generation_line_and_the_disk_state_are_printed_as_by_drbdmeta(string name)
    {
        Golden sample = Golden.Load(name);
        SuperBlock superBlock = sample.SuperBlock(DiskOf(sample), out _);
        string[] lines = Golden.Text(name + ".gi.txt").TrimEnd().Split('\n');
        Assert.Equal(lines[0], GenerationInfo.Format(superBlock));
        Assert.Equal(lines[1].Split('/')[0], superBlock.DiskStates().Disk.ToString());
    }

    [Fact]
    public void Meta_data_of_DRBD_9_and_0_7_are_refused_by_name()
    {
        Golden nine = Golden.Load("08-v09-internal-64MiB-3-peers");
        byte[] block = nine.Read(MetaDataLayout.FindSuperBlock(nine.Disk()), SuperBlock.Bytes);
        Assert.Equal(MetaDataError.Version09, SuperBlock.TryDecode(block, nine.Disk(), out _, out _));

        Golden seven = Golden.Load("09-v07-internal-256MiB");
        Assert.Equal(
            MetaDataError.Version07,
            SuperBlock.TryDecode(seven.Read(128 << 20, SuperBlock.Bytes), seven.Disk(), out _, out _));
    }

    internal static BackingDisk DiskOf(Golden sample) => sample.Name[..2] switch
    {
        "04" => sample.Disk(MetaDataKind.FlexibleExternal, dataSectors: 2097157),
        "05" => sample.Disk(MetaDataKind.IndexedExternal, 1, 2097157),
        _ => sample.Disk(),
    };

    internal static OutOfSyncBitmap LoadBitmap(Golden sample, SuperBlock superBlock, MetaDataLayout layout)
    {
        var bitmap = new OutOfSyncBitmap(superBlock.SizeSectors);
        for (int page = 0; page < bitmap.PageCount; page++)
        {
            bitmap.LoadPage(page, sample.Read(layout.BitmapOffset + page * 4096L, 4096));
        }

        return bitmap;
    }

    private static Golden Replay(Golden before, out SuperBlock after)
    {
        SuperBlock superBlock = before.SuperBlock(before.Disk(), out MetaDataLayout layout);
        OfflineReplay plan = OfflineReplay.Plan(superBlock, before.Ring(layout));
        Golden result = before.After(plan.Steps(layout, page => before.Read(layout.BitmapOffset + page * 4096L, 4096)));
        after = result.SuperBlock(before.Disk(), out _);
        return result;
    }

    private static ulong Hex(JsonElement fields, string name) =>
        ulong.Parse(
            fields.GetProperty(name).GetString()!.AsSpan(2), NumberStyles.HexNumber, CultureInfo.InvariantCulture);
}
