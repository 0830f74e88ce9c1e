using BlockRepl.Core.ActivityLog;
using BlockRepl.Core.Bitmap;
using BlockRepl.Core.MetaData;
using BlockRepl.Core.Tests.ActivityLog;
using Xunit;

namespace BlockRepl.Core.Tests.MetaData;

/// <summary>
/// apply-al as a whole: what is decided, what is written, and that a crash in the middle loses nothing.
/// </summary>
public sealed class OfflineReplayTests
{
    private const ulong Sectors = 600 * Disks.MiB;
    private const SuperBlockFlags Primary = SuperBlockFlags.Consistent | SuperBlockFlags.PrimaryIndicator;
    private const SuperBlockFlags Clean = SuperBlockFlags.ActivityLogClean;

    private static readonly BackingDisk Disk = Disks.Internal(Sectors);
    private static readonly MetaDataLayout Layout = Disks.Layout(Disk);

    [Theory]
    [InlineData(SuperBlock.MagicUnclean, Primary, ReplayAction.MarkExtents)]
    [InlineData(SuperBlock.MagicUnclean, Primary | Clean, ReplayAction.MarkExtents)]
    [InlineData(SuperBlock.MagicNormal, Primary, ReplayAction.MarkExtents)]
    [InlineData(SuperBlock.MagicNormal, Primary | Clean, ReplayAction.MarkExtents)]
    [InlineData(SuperBlock.MagicUnclean, SuperBlockFlags.Consistent, ReplayAction.CleanLog)]
    [InlineData(SuperBlock.MagicNormal, SuperBlockFlags.Consistent, ReplayAction.CleanLog)]
    [InlineData(SuperBlock.MagicNormal, SuperBlockFlags.Consistent | Clean, ReplayAction.CleanLog)]
    public void Only_a_primary_has_extents_to_mark(uint magic, SuperBlockFlags flags, ReplayAction action)
    {
        OfflineReplay plan = OfflineReplay.Plan(Super(magic, flags), Ring([3, 40]));
        Assert.Equal(action, plan.Action);
        Assert.Equal(action == ReplayAction.MarkExtents ? [3u, 40u] : [], plan.Extents);
        Assert.False(plan.After.NeedsReplay);
        Assert.Equal(flags | Clean, plan.After.Flags);
    }

    [Fact]
    public void A_clean_disk_with_an_empty_log_is_left_alone()
    {
        byte[] ring = [.. CreateMetaData.InitialiseLog(Layout).SelectMany(step => step.Data.ToArray())];
        OfflineReplay plan = OfflineReplay.Plan(Super(SuperBlock.MagicNormal, Primary | Clean), ring);
        Assert.Equal(ReplayAction.None, plan.Action);
        Assert.Empty(plan.Steps(Layout, _ => new byte[4096]));
        Assert.Equal(ReplayAction.CleanLog, OfflineReplay.Plan(Super(SuperBlock.MagicNormal, Primary), ring).Action);
    }

    [Fact]
    public void An_unreadable_log_costs_a_primary_a_full_sync_and_others_nothing()
    {
        var noise = new byte[Layout.ActivityLogBytes];
        noise.AsSpan().Fill(0x77);
        OfflineReplay plan = OfflineReplay.Plan(Super(SuperBlock.MagicUnclean, Primary), noise);
        Assert.Equal(ReplayAction.MarkEverything, plan.Action);
        Assert.Equal(Primary | Clean | SuperBlockFlags.FullSync, plan.After.Flags);
        plan = OfflineReplay.Plan(Super(SuperBlock.MagicUnclean, SuperBlockFlags.Consistent), noise);
        Assert.Equal(ReplayAction.CleanLog, plan.Action);
        Assert.Equal(SuperBlockFlags.Consistent | Clean, plan.After.Flags);
    }

    [Fact]
    public void Extents_beyond_the_last_page_of_the_bitmap_are_left_out()
    {
        // 600 MiB need 5 pages: extents 0 to 159.
        OfflineReplay plan =
            OfflineReplay.Plan(Super(SuperBlock.MagicUnclean, Primary), Ring([0, 159, 160, 4_000_000_000]));
        Assert.Equal([0u, 159u], plan.Extents);
        Assert.Equal([0, 4], plan.Pages);
    }

    [Fact]
    public void A_log_of_8_3_is_left_alone()
    {
        var ring = new byte[Layout.ActivityLogBytes];
        System.Buffers.Binary.BinaryPrimitives.WriteUInt32BigEndian(ring, ActivityLogBlock.Version83Magic);
        OfflineReplay plan = OfflineReplay.Plan(Super(SuperBlock.MagicNormal, Primary), ring);
        Assert.Equal(ReplayAction.RefuseVersion83Log, plan.Action);
        Assert.Empty(plan.Steps(Layout, _ => new byte[4096]));
        Assert.Equal(
            ReplayAction.MarkEverything, OfflineReplay.Plan(Super(SuperBlock.MagicUnclean, Primary), ring).Action);
    }

    [Fact]
    public void The_bitmap_is_durable_before_the_log_is_emptied_and_that_before_the_disk_is_called_clean()
    {
        OfflineReplay plan = OfflineReplay.Plan(Super(SuperBlock.MagicUnclean, Primary), Ring([3]));
        MetaDataStep[] steps = [.. plan.Steps(Layout, _ => new byte[4096])];
        Assert.Equal(
            [Layout.BitmapOffset, -1, Layout.ActivityLogOffset, -1, Layout.SuperBlockOffset, -1],
            steps.Select(step => step.Offset));
    }

    /// <summary>
    /// Power is cut after any number of steps, with any part of the unflushed writes arriving; then the replay runs
    /// again.
    /// </summary>
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void A_replay_that_was_cut_and_repeated_loses_no_bit(bool unreadable)
    {
        for (int seed = 0; seed < 300; seed++)
        {
            var random = new Random(seed);
            var disk = new FakeDisk();
            byte[] ring = Ring([3, 40, 77, 149]);
            if (unreadable)
            {
                ring.AsSpan().Fill(0x77);
            }

            disk.Write(new MetaDataStep(Layout.ActivityLogOffset, ring));
            disk.Write(CreateMetaData.WriteSuperBlock(Layout, Super(SuperBlock.MagicUnclean, Primary)));
            while (random.Next(4) != 0)
            {
                disk.RunCut(random, disk.Plan().Steps(Layout, disk.Page));
            }

            foreach (MetaDataStep step in disk.Plan().Steps(Layout, disk.Page))
            {
                disk.Write(step);
            }

            SuperBlock after = disk.SuperBlock();
            Assert.False(after.NeedsReplay, $"seed {seed}");
            bool full = after.Flags.HasFlag(SuperBlockFlags.FullSync);
            Assert.True(full || !unreadable, $"seed {seed}: the full sync is forgotten");
            Assert.True(full || disk.Marked([3, 40, 77, 149]), $"seed {seed}: an extent is forgotten");
            Assert.Equal(ReplayAction.None, disk.Plan().Action);
        }
    }

    [Fact]
    public void New_meta_data_are_valid_only_when_everything_else_is_durable()
    {
        MetaDataStep[] steps = [.. CreateMetaData.Steps(Layout, CreateMetaData.NewSuperBlock(Layout))];
        int superBlock = Array.FindIndex(steps, step => step.Offset == Layout.SuperBlockOffset);
        Assert.Equal(steps.Length - 2, superBlock);
        Assert.True(steps[superBlock - 1].IsFlush && steps[^1].IsFlush);
        long zeroed = steps.Where(step => step.Offset >= Layout.BitmapOffset && step.Offset < Layout.ActivityLogOffset)
            .Sum(step => (long)step.Data.Length);
        Assert.Equal(Layout.BitmapBytes, zeroed);
    }

    [Fact]
    public void The_whole_bitmap_area_of_external_meta_data_is_zeroed()
    {
        MetaDataLayout layout = Disks.Layout(Disks.Flexible(1 << 20, 20 * Disks.MiB));
        MetaDataStep[] steps = [.. CreateMetaData.Steps(layout, CreateMetaData.NewSuperBlock(layout))];
        Assert.Equal(
            layout.BitmapBytes,
            steps.Where(step => step.Offset >= layout.BitmapOffset).Sum(step => (long)step.Data.Length));
    }

    [Fact]
    public void Wiping_zeroes_the_superblock_only()
    {
        MetaDataStep wipe = CreateMetaData.Wipe(Layout.SuperBlockOffset);
        Assert.Equal((Layout.SuperBlockOffset, 4096), (wipe.Offset, wipe.Data.Length));
        Assert.Equal(MetaDataError.NoMetaData, SuperBlock.TryDecode(wipe.Data.Span, Disk, out _, out _));
    }

    private static SuperBlock Super(uint magic, SuperBlockFlags flags) =>
        new SuperBlock { Magic = magic, Flags = flags, SizeSectors = Layout.MaxCapacitySectors }.WithLayout(Layout);

    private static byte[] Ring(uint[] extents)
    {
        var disk = new RingOnDisk(Layout.Ring);
        var set = new ActivityLogSet(67, Layout.Ring);
        disk.Fill(set);
        foreach (uint extent in extents)
        {
            set.TryAcquire(extent, extent, hitsOnly: false);
            disk.Write(set);
        }

        return disk.Bytes;
    }

    /// <summary>The meta-data area as 4 KiB blocks; unflushed blocks may be lost one by one.</summary>
    private sealed class FakeDisk
    {
        private readonly byte[] _area = new byte[Layout.MdSizeSectors * 512];
        private readonly long _start = Layout.BitmapOffset;

        public void Write(MetaDataStep step)
        {
            if (!step.IsFlush)
            {
                step.Data.Span.CopyTo(_area.AsSpan((int)(step.Offset - _start)));
            }
        }

        /// <summary>
        /// Runs some of the steps; of those after the last flush a random part of the blocks arrives.
        /// </summary>
        public void RunCut(Random random, IEnumerable<MetaDataStep> steps)
        {
            MetaDataStep[] all = [.. steps];
            MetaDataStep[] done = all[..random.Next(all.Length + 1)];
            int durable = Array.FindLastIndex(done, step => step.IsFlush) + 1;
            foreach (MetaDataStep step in done[..durable])
            {
                Write(step);
            }

            foreach (MetaDataStep step in done[durable..])
            {
                for (int block = 0; block < step.Data.Length; block += 4096)
                {
                    if (random.Next(2) == 0)
                    {
                        Write(new MetaDataStep(step.Offset + block, step.Data.Slice(block, 4096)));
                    }
                }
            }
        }

        public byte[] Page(int page) => Read(Layout.BitmapOffset + page * 4096L, 4096);

        public SuperBlock SuperBlock()
        {
            byte[] block = Read(Layout.SuperBlockOffset, 4096);
            Assert.Equal(
                MetaDataError.None, Core.MetaData.SuperBlock.TryDecode(block, Disk, out SuperBlock? found, out _));
            return found!;
        }

        public OfflineReplay Plan() =>
            OfflineReplay.Plan(SuperBlock(), Read(Layout.ActivityLogOffset, Layout.ActivityLogBytes));

        public bool Marked(uint[] extents)
        {
            var bitmap = new OutOfSyncBitmap(SuperBlock().SizeSectors);
            for (int page = 0; page < bitmap.PageCount; page++)
            {
                bitmap.LoadPage(page, Page(page));
            }

            return extents.All(extent =>
            {
                ulong start = extent * 8192UL;
                ulong blocks = Math.Min(1024, bitmap.BitCount - start / 8);
                return bitmap.CountInRange(start, 8192 * 512) == (int)blocks;
            });
        }

        private byte[] Read(long offset, int count) => _area.AsSpan((int)(offset - _start), count).ToArray();
    }
}
