using System.Buffers.Binary;
using System.Globalization;

namespace BlockRepl.Core.MetaData;

/// <summary>What an operator reads when meta data cannot be used: what was found, where, and what to do.</summary>
public static class MetaDataErrors
{
    /// <param name="error">The error.</param>
    /// <param name="disk">The disk.</param>
    /// <param name="device">Name of the meta-data device as the operator wrote it.</param>
    /// <param name="block">The block in which the superblock was looked for, if it was read.</param>
    public static string Describe(
        MetaDataError error, BackingDisk disk, string device, ReadOnlySpan<byte> block = default)
    {
        string place = Text($"at byte {MetaDataLayout.FindSuperBlock(disk)} of {device}");
        return error switch
        {
            MetaDataError.None => "",
            MetaDataError.NoMetaData =>
                $"no valid meta data {place}: if this disk was never used for replication, run create-md; "
                + "if it was, its size may have changed, or meta-disk names another place than before",
            MetaDataError.Version07 =>
                $"meta data of DRBD 0.7 (v07) found on {device}; only v08 (DRBD 8.0 to 8.4) is handled: "
                + "convert it with the tools of DRBD 8.4, or make new meta data with create-md --force, "
                + "followed by a full sync",
            MetaDataError.Version09 => DescribeVersion09(place, block),
            MetaDataError.Unclean83Log =>
                $"the activity log of {device} was written by DRBD 8.3 and is not clean: run "
                + "\"drbdmeta MINOR v08 DEVICE INDEX apply-al\" of drbd-utils once, then try again",
            MetaDataError.BadBitsPerBit =>
                Text($"meta data {place} keep one bit per {Number(block, 80)} bytes; only 4096 is handled"),
            MetaDataError.BadStripes =>
                Text($"an activity log of {Number(block, 88)} stripes of {Number(block, 92)} blocks is not possible ")
                + $"(meta data {place}): 8 to 8192 blocks of 4 KiB are, and no stripes in indexed meta data",
            MetaDataError.BadOffsets =>
                Text($"meta data {place} do not fit the device: {Number(block, 64)} sectors of meta data, the log at ")
                + Text($"{(int)Number(block, 68)} and the bitmap at {(int)Number(block, 76)} sectors from the ")
                + Text($"superblock, on a device of {disk.MetaDeviceSectors} sectors; ")
                + "was the device resized while it was not in use?",
            MetaDataError.BitmapTooSmall =>
                $"meta data {place}: the bitmap has no room for the device size that is recorded; "
                + "the superblock is damaged",
            MetaDataError.DeviceTooSmall => DescribeTooSmall(disk, device),
            MetaDataError.DeviceTooLarge => $"{device} is larger than 256 TiB, which is not supported",
            MetaDataError.BadIndex =>
                Text($"meta-disk {device}[{disk.Index}]: the index must be 0 to {MetaDataLayout.MaxIndex}"),
            _ => throw new ArgumentOutOfRangeException(nameof(error)),
        };
    }

    private static string DescribeVersion09(string place, ReadOnlySpan<byte> block) =>
        Text($"meta data of DRBD 9 (v09, max-peers {Number(block, 88)}, node-id {(int)Number(block, 92)}) found ")
        + $"{place}; only v08 (DRBD 8.0 to 8.4) is handled. drbdadm of drbd-utils 9 writes v09 without asking on a "
        + "machine that has no 8.4 module loaded: if the disk is new, run create-md --force. If DRBD 9 used it, take "
        + "the resource down cleanly there and convert with \"drbdmeta MINOR v08 DEVICE INDEX create-md\", "
        + "or use external meta data";

    private static string DescribeTooSmall(BackingDisk disk, string device) => disk.Kind == MetaDataKind.IndexedExternal
        ? Text($"{device} has {disk.MetaDeviceSectors / 2} KiB, but meta-disk index {disk.Index} ")
            + Text($"ends at {(disk.Index + 1L) * (MetaDataLayout.IndexedSlotSectors / 2)} KiB")
        : Text($"{device} has {disk.MetaDeviceSectors / 2} KiB, too few for meta data: ")
            + "1 MiB and 1 MiB per 32 GiB of data do";

    private static uint Number(ReadOnlySpan<byte> block, int offset) =>
        block.Length >= offset + 4 ? BinaryPrimitives.ReadUInt32BigEndian(block[offset..]) : 0;

    private static string Text(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}
