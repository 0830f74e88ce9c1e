using BlockRepl.Core.ActivityLog;
using BlockRepl.Core.Bitmap;

namespace BlockRepl.Core.MetaData;

/// <summary>
/// Where a volume's meta data lie. Internal: [data][bitmap][activity log][superblock]; external:
/// [superblock][activity log][bitmap]. Offsets in bytes are absolute on the meta-data device.
/// </summary>
/// <param name="SuperBlockOffset">Byte offset of the 4 KiB superblock.</param>
/// <param name="ActivityLogOffset">Byte offset of the activity log's ring.</param>
/// <param name="ActivityLogBytes">Its size, a multiple of 4096.</param>
/// <param name="BitmapOffset">Byte offset of the bitmap.</param>
/// <param name="BitmapBytes">Bytes of whole pages that the bitmap may use.</param>
/// <param name="MaxCapacitySectors">Largest replicated device that the disk and its meta data allow.</param>
/// <param name="MdSizeSectors">md_size_sect: sectors of the whole area.</param>
/// <param name="AlOffsetSectors">al_offset: relative to the superblock, negative for internal.</param>
/// <param name="BmOffsetSectors">bm_offset: relative to the superblock, negative for internal.</param>
/// <param name="Ring">Shape of the activity log.</param>
public sealed record MetaDataLayout(
    long SuperBlockOffset,
    long ActivityLogOffset,
    int ActivityLogBytes,
    long BitmapOffset,
    long BitmapBytes,
    ulong MaxCapacitySectors,
    uint MdSizeSectors,
    int AlOffsetSectors,
    int BmOffsetSectors,
    ActivityLogRing Ring)
{
    internal const int SectorBytes = 512;
    internal const int BlockSectors = 8;

    /// <summary>Sectors of one slot of indexed external meta data: 128 MiB.</summary>
    public const uint IndexedSlotSectors = 262144;

    internal const int MaxIndex = 255;

    /// <summary>Device sectors that one sector of bitmap covers: 4096 bits of 8 sectors.</summary>
    internal const ulong SectorsPerBitmapSector = 32768;

    /// <summary>Device sectors that one page of bitmap covers.</summary>
    private const ulong SectorsPerBitmapPage = 262144;

    /// <summary>The smallest device on which meta data are made or looked for: 68 KiB.</summary>
    private const ulong MinDeviceSectors = 136;

    /// <summary>
    /// Where the superblock is, which can be told before it is read; -1 if the device is too small for it.
    /// </summary>
    public static long FindSuperBlock(BackingDisk disk)
    {
        ulong sectors = disk.MetaDeviceSectors;
        if (sectors < MinDeviceSectors || sectors > long.MaxValue / SectorBytes)
        {
            return -1;
        }

        switch (disk.Kind)
        {
            case MetaDataKind.Internal:
                return (long)((sectors & ~7UL) - BlockSectors) * SectorBytes;
            case MetaDataKind.FlexibleExternal:
                return 0;
            default:
                ulong start = (ulong)disk.Index * IndexedSlotSectors;
                bool fits = disk.Index is >= 0 and <= MaxIndex && start + IndexedSlotSectors <= sectors;
                return fits ? (long)start * SectorBytes : -1;
        }
    }

    /// <summary>
    /// The layout that new meta data get on this disk. Null with the reason in <paramref name="error"/>: bad stripes, a
    /// bad index, a device too small or too large.
    /// </summary>
    public static MetaDataLayout? Compute(BackingDisk disk, int alStripes, int alStripeSize4k, out MetaDataError error)
    {
        bool defaultRing = alStripes == 1 && alStripeSize4k == ActivityLogRing.Default.Blocks;
        if (!ActivityLogRing.IsValid(alStripes, alStripeSize4k)
            || (disk.Kind == MetaDataKind.IndexedExternal && !defaultRing))
        {
            error = MetaDataError.BadStripes;
            return null;
        }

        error = CheckDevice(disk);
        if (error != MetaDataError.None)
        {
            return null;
        }

        var ring = new ActivityLogRing(alStripes, alStripeSize4k);
        int logSectors = ring.Blocks * BlockSectors;
        ulong deviceSectors = disk.MetaDeviceSectors;
        MetaDataLayout? layout;
        switch (disk.Kind)
        {
            case MetaDataKind.Internal:
                // The bitmap covers the whole device, also the part that the meta data take.
                ulong pages = (deviceSectors + SectorsPerBitmapPage - 1) / SectorsPerBitmapPage;
                int bitmapSectors = (int)pages * BlockSectors;
                layout = FromOffsets(
                    disk, (uint)(BlockSectors + logSectors + bitmapSectors), -logSectors, -(logSectors + bitmapSectors),
                    ring);
                break;
            case MetaDataKind.FlexibleExternal:
                uint size = (uint)Math.Min(deviceSectors, uint.MaxValue);
                layout = FromOffsets(disk, size, BlockSectors, BlockSectors + logSectors, ring);
                break;
            default:
                layout = FromOffsets(disk, IndexedSlotSectors, BlockSectors, BlockSectors + logSectors, ring);
                break;
        }

        error = layout is null ? MetaDataError.DeviceTooSmall : MetaDataError.None;
        return layout;
    }

    /// <summary>
    /// The layout of stored offsets; null if an area would lie outside the device or over another one.
    /// </summary>
    internal static MetaDataLayout? FromOffsets(
        BackingDisk disk, uint mdSizeSectors, int alOffsetSectors, int bmOffsetSectors, ActivityLogRing ring)
    {
        long superBlock = FindSuperBlock(disk) / SectorBytes;
        long log = superBlock + alOffsetSectors;
        long bitmap = superBlock + bmOffsetSectors;
        bool inFront = alOffsetSectors < 0;
        long bitmapSectors = inFront ? (long)alOffsetSectors - bmOffsetSectors : (long)mdSizeSectors - bmOffsetSectors;
        long usableBitmapSectors = bitmapSectors & ~7L;
        if (superBlock < 0 || log < 0 || bitmap < 0 || usableBitmapSectors <= 0)
        {
            return null;
        }

        ulong limit = Math.Min(OutOfSyncBitmap.MaxCapacitySectors, (ulong)usableBitmapSectors * SectorsPerBitmapSector);
        ulong capacity = Math.Min(limit, inFront ? (ulong)bitmap : disk.DiskSectors);
        return new MetaDataLayout(
            superBlock * SectorBytes,
            log * SectorBytes,
            ring.Blocks * ActivityLogBlock.Bytes,
            bitmap * SectorBytes,
            usableBitmapSectors * SectorBytes,
            capacity,
            mdSizeSectors,
            alOffsetSectors,
            bmOffsetSectors,
            ring);
    }

    private static MetaDataError CheckDevice(BackingDisk disk)
    {
        if (disk.Kind == MetaDataKind.IndexedExternal && disk.Index is < 0 or > MaxIndex)
        {
            return MetaDataError.BadIndex;
        }

        bool tooLarge = disk.Kind == MetaDataKind.Internal
            && disk.MetaDeviceSectors > OutOfSyncBitmap.MaxCapacitySectors + SectorsPerBitmapPage * BlockSectors;
        if (tooLarge || disk.MetaDeviceSectors > long.MaxValue / SectorBytes)
        {
            return MetaDataError.DeviceTooLarge;
        }

        return FindSuperBlock(disk) < 0 ? MetaDataError.DeviceTooSmall : MetaDataError.None;
    }
}
