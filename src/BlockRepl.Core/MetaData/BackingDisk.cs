namespace BlockRepl.Core.MetaData;

/// <summary>Where a volume's meta data lie.</summary>
public enum MetaDataKind
{
    /// <summary>At the end of the backing device.</summary>
    Internal,

    /// <summary>A device of their own, size as needed.</summary>
    FlexibleExternal,

    /// <summary>A fixed slot of 128 MiB on a shared device.</summary>
    IndexedExternal,
}

/// <summary>Facts about an opened backing disk and its meta-data device.</summary>
/// <param name="DiskSectors">Size of the backing device in 512-byte sectors.</param>
/// <param name="MetaDeviceSectors">Size of the meta-data device; equal to the former for internal meta data.</param>
/// <param name="Index">Slot of indexed external meta data, else 0.</param>
/// <param name="LogicalBlockBytes">Smallest I/O of the backing device: 512 or 4096.</param>
/// <param name="CanDiscard">Whether the backing device discards.</param>
/// <param name="DiscardZeroes">Whether a discarded area is sure to read as zeroes.</param>
public sealed record BackingDisk(
    ulong DiskSectors,
    ulong MetaDeviceSectors,
    MetaDataKind Kind,
    int Index,
    int LogicalBlockBytes,
    bool CanDiscard,
    bool DiscardZeroes);
