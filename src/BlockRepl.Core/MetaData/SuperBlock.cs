using System.Buffers.Binary;
using BlockRepl.Core.ActivityLog;
using BlockRepl.Core.Bitmap;
using BlockRepl.Core.Generations;

namespace BlockRepl.Core.MetaData;

/// <summary>Flags of the superblock. Unknown bits are kept.</summary>
[Flags]
public enum SuperBlockFlags : uint
{
    None = 0,

    /// <summary>Own disk better than Inconsistent.</summary>
    Consistent = 0x001,

    /// <summary>
    /// Own role Primary, or the peer's while it has no usable disk. Decides whether the activity log counts.
    /// </summary>
    PrimaryIndicator = 0x002,
    ConnectedIndicator = 0x004,

    /// <summary>The bitmap on disk does not count: everything is out of sync.</summary>
    FullSync = 0x008,
    WasUpToDate = 0x010,
    PeerOutDated = 0x020,
    CrashedPrimary = 0x040,

    /// <summary>Nothing in the activity log; only offline tools set it.</summary>
    ActivityLogClean = 0x080,

    /// <summary>The log was not kept (al-updates no), or a resize was under way.</summary>
    ActivityLogDisabled = 0x100,
}

/// <summary>
/// The v08 superblock: one 4 KiB block without checksum, all numbers big endian:
/// <code>
///    0 u64 la_size_sect    8 u64 current   16 u64 bitmap   24 u64 history 1   32 u64 history 2
///   40 u64 device_uuid    48 u64 zero      56 u32 flags    60 u32 magic
///   64 u32 md_size_sect   68 s32 al_offset 72 u32 al_nr_extents  76 s32 bm_offset
///   80 u32 bm_bytes_per_bit  84 u32 la_peer_max_bio_size  88 u32 al_stripes  92 u32 al_stripe_size_4k   96.. zero
/// </code>
/// </summary>
public sealed partial record SuperBlock
{
    public const int Bytes = 4096;

    /// <summary>Magic of a disk whose activity log may be clean (it is if the flag says so too).</summary>
    public const uint MagicNormal = 0x8374026B;

    /// <summary>Magic of a disk in use, or never cleaned since: the activity log counts.</summary>
    public const uint MagicUnclean = 0x8374026C;

    internal const uint MagicVersion09 = 0x8374026D;
    internal const uint MagicVersion07 = 0x8374026A;
    internal const int MagicOffset = 60;
    internal const int MagicVersion07Offset = 28;
    private const int BytesPerBitOffset = 80;

    /// <summary>la_size_sect: size of the replicated device at the last write; 0 = never agreed on.</summary>
    public ulong SizeSectors { get; init; }
    public UuidSet Uuids { get; init; }
    public ulong DeviceUuid { get; init; }
    public SuperBlockFlags Flags { get; init; }
    public uint Magic { get; init; } = MagicUnclean;
    public uint MdSizeSectors { get; init; }
    public int AlOffsetSectors { get; init; }

    /// <summary>al_nr_extents: slots of the writer's activity log; informative.</summary>
    public uint AlExtents { get; init; } = 257;
    public int BmOffsetSectors { get; init; }

    /// <summary>la_peer_max_bio_size: largest request in bytes that the peer took when last connected.</summary>
    public uint PeerMaxBioBytes { get; init; }

    /// <summary>As stored; 0 and 0 mean 1 and 8.</summary>
    public uint AlStripes { get; init; }
    public uint AlStripeSize4k { get; init; }

    /// <summary>The activity log may name extents: replay before use.</summary>
    public bool NeedsReplay => Magic == MagicUnclean || !Flags.HasFlag(SuperBlockFlags.ActivityLogClean);

    /// <summary>The shape of the activity log; old superblocks without stripe numbers mean the default one.</summary>
    public ActivityLogRing Ring => AlStripes == 0 && AlStripeSize4k == 0
        ? ActivityLogRing.Default
        : new ActivityLogRing((int)AlStripes, (int)AlStripeSize4k);

    /// <summary>The same superblock with the places of a layout.</summary>
    public SuperBlock WithLayout(MetaDataLayout layout) => this with
    {
        MdSizeSectors = layout.MdSizeSectors,
        AlOffsetSectors = layout.AlOffsetSectors,
        BmOffsetSectors = layout.BmOffsetSectors,
        AlStripes = (uint)layout.Ring.Stripes,
        AlStripeSize4k = (uint)layout.Ring.StripeSize4k,
    };

    /// <summary>Writes the whole block; bytes without a meaning become zero.</summary>
    public void Encode(Span<byte> block4096)
    {
        Span<byte> block = block4096[..Bytes];
        block.Clear();
        BinaryPrimitives.WriteUInt64BigEndian(block, SizeSectors);
        BinaryPrimitives.WriteUInt64BigEndian(block[8..], Uuids.Current);
        BinaryPrimitives.WriteUInt64BigEndian(block[16..], Uuids.Bitmap);
        BinaryPrimitives.WriteUInt64BigEndian(block[24..], Uuids.History1);
        BinaryPrimitives.WriteUInt64BigEndian(block[32..], Uuids.History2);
        BinaryPrimitives.WriteUInt64BigEndian(block[40..], DeviceUuid);
        BinaryPrimitives.WriteUInt32BigEndian(block[56..], (uint)Flags);
        BinaryPrimitives.WriteUInt32BigEndian(block[MagicOffset..], Magic);
        BinaryPrimitives.WriteUInt32BigEndian(block[64..], MdSizeSectors);
        BinaryPrimitives.WriteInt32BigEndian(block[68..], AlOffsetSectors);
        BinaryPrimitives.WriteUInt32BigEndian(block[72..], AlExtents);
        BinaryPrimitives.WriteInt32BigEndian(block[76..], BmOffsetSectors);
        BinaryPrimitives.WriteUInt32BigEndian(block[BytesPerBitOffset..], OutOfSyncBitmap.BlockBytes);
        BinaryPrimitives.WriteUInt32BigEndian(block[84..], PeerMaxBioBytes);
        BinaryPrimitives.WriteUInt32BigEndian(block[88..], AlStripes);
        BinaryPrimitives.WriteUInt32BigEndian(block[92..], AlStripeSize4k);
    }

    /// <summary>
    /// Reads a superblock of either magic and checks it against the disk. The layout is the stored one; a disk whose
    /// present size asks for another is still usable where it is.
    /// </summary>
    public static MetaDataError TryDecode(
        ReadOnlySpan<byte> block, BackingDisk disk, out SuperBlock? superBlock, out MetaDataLayout? layout)
    {
        superBlock = null;
        layout = null;
        MetaDataError error = CheckMagic(block);
        if (error != MetaDataError.None)
        {
            return error;
        }

        SuperBlock found = Read(block);
        error = found.Check(disk, out layout);
        superBlock = error == MetaDataError.None ? found : null;
        return error;
    }

    private static MetaDataError CheckMagic(ReadOnlySpan<byte> block)
    {
        if (block.Length < Bytes)
        {
            return MetaDataError.NoMetaData;
        }

        uint magic = BinaryPrimitives.ReadUInt32BigEndian(block[MagicOffset..]);
        switch (magic)
        {
            case MagicNormal or MagicUnclean:
                return BinaryPrimitives.ReadUInt32BigEndian(block[BytesPerBitOffset..]) == OutOfSyncBitmap.BlockBytes
                    ? MetaDataError.None
                    : MetaDataError.BadBitsPerBit;
            case MagicVersion09:
                return MetaDataError.Version09;
            case MagicVersion07:
                return MetaDataError.Version07;
            default:
                return BinaryPrimitives.ReadUInt32BigEndian(block[MagicVersion07Offset..]) == MagicVersion07
                    ? MetaDataError.Version07
                    : MetaDataError.NoMetaData;
        }
    }

    private static SuperBlock Read(ReadOnlySpan<byte> block) => new()
    {
        SizeSectors = BinaryPrimitives.ReadUInt64BigEndian(block),
        Uuids = new UuidSet(
            BinaryPrimitives.ReadUInt64BigEndian(block[8..]),
            BinaryPrimitives.ReadUInt64BigEndian(block[16..]),
            BinaryPrimitives.ReadUInt64BigEndian(block[24..]),
            BinaryPrimitives.ReadUInt64BigEndian(block[32..])),
        DeviceUuid = BinaryPrimitives.ReadUInt64BigEndian(block[40..]),
        Flags = (SuperBlockFlags)BinaryPrimitives.ReadUInt32BigEndian(block[56..]),
        Magic = BinaryPrimitives.ReadUInt32BigEndian(block[MagicOffset..]),
        MdSizeSectors = BinaryPrimitives.ReadUInt32BigEndian(block[64..]),
        AlOffsetSectors = BinaryPrimitives.ReadInt32BigEndian(block[68..]),
        AlExtents = BinaryPrimitives.ReadUInt32BigEndian(block[72..]),
        BmOffsetSectors = BinaryPrimitives.ReadInt32BigEndian(block[76..]),
        PeerMaxBioBytes = BinaryPrimitives.ReadUInt32BigEndian(block[84..]),
        AlStripes = BinaryPrimitives.ReadUInt32BigEndian(block[88..]),
        AlStripeSize4k = BinaryPrimitives.ReadUInt32BigEndian(block[92..]),
    };

    private MetaDataError Check(BackingDisk disk, out MetaDataLayout? layout)
    {
        layout = null;
        bool oldRing = AlStripes == 0 && AlStripeSize4k == 0;
        if (!oldRing && !ActivityLogRing.IsValid(AlStripes, AlStripeSize4k))
        {
            return MetaDataError.BadStripes;
        }

        if (MetaDataLayout.FindSuperBlock(disk) < 0)
        {
            return MetaDataError.DeviceTooSmall;
        }

        if (!AreOffsetsPossible(disk))
        {
            return MetaDataError.BadOffsets;
        }

        MetaDataLayout? stored =
            MetaDataLayout.FromOffsets(disk, MdSizeSectors, AlOffsetSectors, BmOffsetSectors, Ring);
        if (stored is null)
        {
            return MetaDataError.BadOffsets;
        }

        if (SizeSectors > OutOfSyncBitmap.MaxCapacitySectors)
        {
            return MetaDataError.DeviceTooLarge;
        }

        // Stricter than DRBD, which lets up to one sector's worth of bits pass: page I/O then ran into the log behind.
        if (OutOfSyncBitmap.BitsFor(SizeSectors) > (ulong)stored.BitmapBytes * 8)
        {
            return MetaDataError.BitmapTooSmall;
        }

        layout = stored;
        return MetaDataError.None;
    }

    private bool AreOffsetsPossible(BackingDisk disk)
    {
        bool inFront = AlOffsetSectors < 0;
        if (inFront != (disk.Kind == MetaDataKind.Internal) || MdSizeSectors > disk.MetaDeviceSectors
            || BmOffsetSectors % 8 != 0)
        {
            return false;
        }

        long logSectors = (long)Ring.Blocks * MetaDataLayout.BlockSectors;
        if (inFront)
        {
            ulong firstSector = (ulong)Math.Max(0, MetaDataLayout.FindSuperBlock(disk) / 512 + BmOffsetSectors);
            return AlOffsetSectors == -logSectors
                && BmOffsetSectors <= AlOffsetSectors
                && disk.MetaDeviceSectors - MdSizeSectors >= firstSector;
        }

        if (disk.Kind == MetaDataKind.IndexedExternal)
        {
            return MdSizeSectors == MetaDataLayout.IndexedSlotSectors && AlOffsetSectors == 8 && BmOffsetSectors == 72
                && Ring == ActivityLogRing.Default;
        }

        return AlOffsetSectors == MetaDataLayout.BlockSectors
            && BmOffsetSectors == MetaDataLayout.BlockSectors + logSectors;
    }
}
