using BlockRepl.Core.Generations;

namespace BlockRepl.Core.MetaData;

/// <summary>Flags of the superblock. Unknown bits are kept.</summary>
[Flags]
public enum SuperBlockFlags : uint
{
    None = 0,

    /// <summary>Own disk better than Inconsistent.</summary>
    Consistent = 0x001,

    /// <summary>Own role Primary, or the peer's while it has no usable disk. Decides whether the activity log counts.</summary>
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

    /// <summary>Writes the whole block; bytes without a meaning become zero.</summary>
    public void Encode(Span<byte> block4096) => throw new NotImplementedException();

    /// <summary>
    /// Reads a superblock of either magic and checks it against the disk. The layout is the stored one; a disk whose
    /// present size asks for another is still usable where it is.
    /// </summary>
    public static MetaDataError TryDecode(
        ReadOnlySpan<byte> block, BackingDisk disk, out SuperBlock? superBlock, out MetaDataLayout? layout) =>
        throw new NotImplementedException();
}
