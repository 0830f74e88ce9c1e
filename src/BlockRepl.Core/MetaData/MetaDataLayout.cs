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

    /// <summary>The smallest meta-data device that can be attached; external or internal.</summary>
    public const ulong MinAttachSectors = 2048;

    /// <summary>Byte offset of the superblock, which can be told before it is read; -1 if the device is too small.</summary>
    public static long FindSuperBlock(BackingDisk disk) => throw new NotImplementedException();

    /// <summary>
    /// The layout that new meta data get on this disk. Null with the reason in <paramref name="error"/>: bad stripes, a bad
    /// index, a device too small or too large.
    /// </summary>
    public static MetaDataLayout? Compute(BackingDisk disk, int alStripes, int alStripeSize4k, out MetaDataError error) =>
        throw new NotImplementedException();
}
