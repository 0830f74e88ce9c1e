namespace BlockRepl.Core.MetaData;

/// <summary>Why a disk's meta data cannot be used.</summary>
public enum MetaDataError
{
    None = 0,

    /// <summary>No magic number of any known version.</summary>
    NoMetaData,

    /// <summary>Meta data of DRBD 0.7.</summary>
    Version07,

    /// <summary>Meta data of DRBD 9.</summary>
    Version09,

    /// <summary>The activity log is one of DRBD 8.3 and not clean.</summary>
    Unclean83Log,

    /// <summary>bm_bytes_per_bit is not 4096.</summary>
    BadBitsPerBit,

    /// <summary>al_stripes and al_stripe_size_4k are no possible pair.</summary>
    BadStripes,

    /// <summary>al_offset, bm_offset and md_size_sect contradict each other or the device.</summary>
    BadOffsets,

    /// <summary>The bitmap area is too small for la_size_sect.</summary>
    BitmapTooSmall,

    /// <summary>The device has no room for meta data.</summary>
    DeviceTooSmall,

    /// <summary>The device is larger than what is supported.</summary>
    DeviceTooLarge,

    /// <summary>The fixed slot of indexed external meta data is not a possible one.</summary>
    BadIndex,
}
