using System.Buffers.Binary;

namespace BlockRepl.Core.MetaData;

/// <summary>Content that was recognised on a device.</summary>
/// <param name="Name">Its name, as in "ext4 filesystem".</param>
/// <param name="Bytes">Bytes that it uses from the start of the device; null if that cannot be told.</param>
/// <param name="CanShrink">How it is made smaller, with {0} for the device and {1} for KiB; null if it cannot
/// be.</param>
public sealed record FoundContent(string Name, ulong? Bytes, string? CanShrink)
{
    /// <summary>The name as a sentence has it: an ext4 filesystem, a btrfs filesystem.</summary>
    public string WithArticle => (Name[0] is 'e' or 'L' or 'X' ? "an " : "a ") + Name;

    /// <summary>Bytes from the start of a device in which all signatures lie.</summary>
    public const int WindowBytes = 68 * 1024;

    /// <summary>
    /// Recognises file systems, LVM and swap by their signatures; null if there is none. The content may be anything.
    /// </summary>
    /// <param name="start">The first <see cref="WindowBytes"/> of the device.</param>
    /// <param name="lvmBytes">Size of an LVM physical volume as LVM tells it, if it was asked.</param>
    public static FoundContent? Recognise(ReadOnlySpan<byte> start, ulong? lvmBytes = null)
    {
        if (start.Length < WindowBytes)
        {
            return null;
        }

        return Swap(start) ?? Lvm(start, lvmBytes) ?? Ext(start) ?? Xfs(start) ?? Jfs(start) ?? ReiserFs(start)
            ?? Btrfs(start);
    }

    private static FoundContent? Swap(ReadOnlySpan<byte> start)
    {
        foreach (int page in (ReadOnlySpan<int>)[4096, 8192])
        {
            ReadOnlySpan<byte> mark = start.Slice(page - 10, 10);
            if (mark.SequenceEqual("SWAP-SPACE"u8) || mark.SequenceEqual("SWAPSPACE2"u8))
            {
                return new FoundContent("swap space", null, null);
            }
        }

        return null;
    }

    private static FoundContent? Lvm(ReadOnlySpan<byte> start, ulong? lvmBytes) => start[536..].StartsWith("LVM2"u8)
        ? new FoundContent("LVM physical volume", lvmBytes, "pvresize --setphysicalvolumesize {1}k {0}")
        : null;

    private static FoundContent? Ext(ReadOnlySpan<byte> start)
    {
        uint shift = BinaryPrimitives.ReadUInt32LittleEndian(start[1048..]);
        if (BinaryPrimitives.ReadUInt16LittleEndian(start[1080..]) != 0xEF53 || shift > 6)
        {
            return null;
        }

        ulong blocks = BinaryPrimitives.ReadUInt32LittleEndian(start[1028..]);
        uint incompatible = BinaryPrimitives.ReadUInt32LittleEndian(start[1120..]);
        if ((incompatible & 0x80) != 0)
        {
            blocks |= (ulong)BinaryPrimitives.ReadUInt32LittleEndian(start[(1024 + 0x150)..]) << 32;
        }

        const uint Extents = 0x40;
        string name = (incompatible & Extents) != 0 ? "ext4 filesystem" : "ext2/ext3 filesystem";
        return new FoundContent(name, Product(blocks, 1024UL << (int)shift), "e2fsck -f {0}; resize2fs {0} {1}K");
    }

    private static FoundContent? Xfs(ReadOnlySpan<byte> start) =>
        BinaryPrimitives.ReadUInt32BigEndian(start) == 0x58465342
            ? new FoundContent(
                "XFS filesystem",
                Product(
                    BinaryPrimitives.ReadUInt64BigEndian(start[8..]), BinaryPrimitives.ReadUInt32BigEndian(start[4..])),
                null)
            : null;

    private static FoundContent? Jfs(ReadOnlySpan<byte> start) => start[32768..].StartsWith("JFS1"u8)
        ? new FoundContent(
            "JFS filesystem",
            Product(
                BinaryPrimitives.ReadUInt64LittleEndian(start[32776..]),
                BinaryPrimitives.ReadUInt32LittleEndian(start[32792..])),
            null)
        : null;

    private static FoundContent? ReiserFs(ReadOnlySpan<byte> start)
    {
        ReadOnlySpan<byte> mark = start[65588..];
        return mark.StartsWith("ReIsErFs"u8) || mark.StartsWith("ReIsEr2Fs"u8)
            ? new FoundContent(
                "ReiserFS",
                Product(
                    BinaryPrimitives.ReadUInt32LittleEndian(start[65536..]),
                    BinaryPrimitives.ReadUInt16LittleEndian(start[65580..])),
                "resize_reiserfs -s {1}K {0}")
            : null;
    }

    private static FoundContent? Btrfs(ReadOnlySpan<byte> start) => start[65600..].StartsWith("_BHRfS_M"u8)
        ? new FoundContent(
            "btrfs filesystem",
            BinaryPrimitives.ReadUInt64LittleEndian(start[(65536 + 112)..]),
            "btrfs filesystem resize {1}k MOUNTPOINT")
        : null;

    private static ulong Product(ulong a, ulong b) => Math.BigMul(a, b, out ulong low) == 0 ? low : ulong.MaxValue;
}
