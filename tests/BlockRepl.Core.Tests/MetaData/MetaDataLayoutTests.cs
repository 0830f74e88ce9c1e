using BlockRepl.Core.Bitmap;
using BlockRepl.Core.MetaData;
using Xunit;

namespace BlockRepl.Core.Tests.MetaData;

/// <summary>Where meta data lie, with numbers that drbdmeta gave for real devices.</summary>
public sealed class MetaDataLayoutTests
{
    [Theory]
    [InlineData(136, 80, 65536, 32768, 28672)]
    [InlineData(131072, 80, 67104768, 67072000, 67067904)]
    [InlineData(131073, 80, 67104768, 67072000, 67067904)]
    [InlineData(131071, 80, 67100672, 67067904, 67063808)]
    [InlineData(262144, 80, 134213632, 134180864, 134176768)]
    [InlineData(262145, 88, 134213632, 134180864, 134172672)]
    [InlineData(2097152, 136, 1073737728, 1073704960, 1073672192)]
    [InlineData(20971520, 712, 10737414144, 10737381376, 10737053696)]
    public void Internal_meta_data_lie_at_the_end(ulong sectors, uint size, long superBlock, long log, long bitmap)
    {
        MetaDataLayout layout = Disks.Layout(Disks.Internal(sectors));
        Assert.Equal(superBlock, MetaDataLayout.FindSuperBlock(Disks.Internal(sectors)));
        Assert.Equal((size, superBlock, log, bitmap),
            (layout.MdSizeSectors, layout.SuperBlockOffset, layout.ActivityLogOffset, layout.BitmapOffset));
        Assert.Equal((ulong)bitmap / 512, layout.MaxCapacitySectors);
        Assert.Equal(log - bitmap, layout.BitmapBytes);
    }

    [Fact]
    public void Stripes_make_the_log_longer()
    {
        MetaDataLayout layout = Disks.Layout(Disks.Internal(64 * Disks.MiB), 4, 16);
        Assert.Equal(528u, layout.MdSizeSectors);
        Assert.Equal(66842624, layout.ActivityLogOffset);
        Assert.Equal(66838528, layout.BitmapOffset);
        Assert.Equal(4 * 65536, layout.ActivityLogBytes);
    }

    [Fact]
    public void External_meta_data_lie_at_the_start()
    {
        MetaDataLayout layout = Disks.Layout(Disks.Flexible(2097157, 2048));
        Assert.Equal((2048u, 0L, 4096L, 36864L),
            (layout.MdSizeSectors, layout.SuperBlockOffset, layout.ActivityLogOffset, layout.BitmapOffset));
        Assert.Equal(2097157UL, layout.MaxCapacitySectors);
        Assert.Equal(1048576 - 36864, layout.BitmapBytes);
    }

    [Fact]
    public void A_small_external_device_limits_the_size()
    {
        MetaDataLayout layout = Disks.Layout(Disks.Flexible(ulong.MaxValue, 136));
        Assert.Equal((136UL - 72) * 32768, layout.MaxCapacitySectors);
    }

    [Fact]
    public void An_external_bitmap_uses_whole_pages_only()
    {
        MetaDataLayout layout = Disks.Layout(Disks.Flexible(ulong.MaxValue, 143));
        Assert.Equal((136UL - 72) * 32768, layout.MaxCapacitySectors);
        Assert.Equal(143u, layout.MdSizeSectors);
    }

    [Fact]
    public void An_indexed_slot_has_a_fixed_form()
    {
        MetaDataLayout layout = Disks.Layout(Disks.Indexed(ulong.MaxValue / 4, 3 * 262144, 2));
        Assert.Equal((262144u, 268435456L, 268439552L, 268472320L),
            (layout.MdSizeSectors, layout.SuperBlockOffset, layout.ActivityLogOffset, layout.BitmapOffset));
        Assert.Equal(8587575296UL, layout.MaxCapacitySectors);
    }

    [Theory]
    [InlineData(0, 8)]
    [InlineData(8, 0)]
    [InlineData(1, 7)]
    [InlineData(1, 8193)]
    [InlineData(-1, -8)]
    [InlineData(int.MaxValue, int.MaxValue)]
    public void Impossible_stripes_are_refused(int stripes, int size)
    {
        Assert.Null(MetaDataLayout.Compute(Disks.Internal(1 << 20), stripes, size, out MetaDataError error));
        Assert.Equal(MetaDataError.BadStripes, error);
    }

    [Fact]
    public void Impossible_devices_are_refused_by_name()
    {
        Assert.Equal(MetaDataError.DeviceTooSmall, ErrorOf(Disks.Internal(135)));
        Assert.Equal(MetaDataError.DeviceTooSmall, ErrorOf(Disks.Internal(0)));
        Assert.Equal(MetaDataError.DeviceTooSmall, ErrorOf(Disks.Flexible(1 << 20, 100)));
        Assert.Equal(MetaDataError.DeviceTooSmall, ErrorOf(Disks.Indexed(1 << 20, 262144 * 2 - 1, 1)));
        Assert.Equal(MetaDataError.BadIndex, ErrorOf(Disks.Indexed(1 << 20, ulong.MaxValue / 512, 256)));
        Assert.Equal(MetaDataError.BadIndex, ErrorOf(Disks.Indexed(1 << 20, 262144 * 2, -1)));
        Assert.Equal(MetaDataError.DeviceTooLarge, ErrorOf(Disks.Internal(ulong.MaxValue)));
        Assert.Equal(MetaDataError.DeviceTooLarge, ErrorOf(Disks.Flexible(1 << 20, ulong.MaxValue)));
        Assert.Null(MetaDataLayout.Compute(Disks.Internal(1024), 1, 1024, out MetaDataError error));
        Assert.Equal(MetaDataError.DeviceTooSmall, error);
        Assert.Null(MetaDataLayout.Compute(Disks.Indexed(1 << 20, 262144, 0), 2, 8, out error));
        Assert.Equal(MetaDataError.BadStripes, error);
    }

    [Fact]
    public void Areas_never_overlap_and_the_bitmap_always_suffices()
    {
        for (int seed = 0; seed < 2000; seed++)
        {
            var random = new Random(seed);
            ulong sectors = (ulong)random.NextInt64(136, 1L << random.Next(9, 39));
            BackingDisk disk = random.Next(2) == 0
                ? Disks.Internal(sectors)
                : Disks.Flexible((ulong)random.NextInt64(1L << 39), sectors);
            MetaDataLayout? layout =
                MetaDataLayout.Compute(disk, random.Next(1, 5), random.Next(1, 40), out MetaDataError error);
            if (layout is null)
            {
                Assert.True(error is MetaDataError.BadStripes or MetaDataError.DeviceTooSmall, $"seed {seed}: {error}");
                continue;
            }

            (long Start, long End)[] areas =
            [
                .. new[]
                {
                    (layout.SuperBlockOffset, layout.SuperBlockOffset + 4096),
                    (layout.ActivityLogOffset, layout.ActivityLogOffset + layout.ActivityLogBytes),
                    (layout.BitmapOffset, layout.BitmapOffset + layout.BitmapBytes),
                }.OrderBy(area => area.Item1),
            ];
            Assert.True(areas[0].Start >= 0 && areas[2].End <= (long)sectors * 512, $"seed {seed}");
            Assert.True(areas[0].End <= areas[1].Start && areas[1].End <= areas[2].Start, $"seed {seed}");
            ulong bits = OutOfSyncBitmap.BitsFor(layout.MaxCapacitySectors);
            Assert.True(bits <= (ulong)layout.BitmapBytes * 8, $"seed {seed}");
        }
    }

    private static MetaDataError ErrorOf(BackingDisk disk)
    {
        Assert.Null(MetaDataLayout.Compute(disk, 1, 8, out MetaDataError error));
        return error;
    }
}
