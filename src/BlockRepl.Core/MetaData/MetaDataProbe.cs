using System.Globalization;

namespace BlockRepl.Core.MetaData;

/// <summary>What create-md finds on a device.</summary>
public enum ProbeVerdict
{
    /// <summary>Nothing: go on.</summary>
    Empty,

    /// <summary>Data of no known kind; goes on when the operator confirms.</summary>
    UnknownData,

    /// <summary>
    /// Meta data of this or another version; goes on when the operator confirms, and overwrites them.
    /// </summary>
    ExistingMetaData,

    /// <summary>
    /// A file system or the like that ends before the meta data begin; goes on when the operator confirms.
    /// </summary>
    ContentFits,

    /// <summary>A file system or the like that meta data would cut off; refused, whatever the operator says.</summary>
    ContentDoesNotFit,

    /// <summary>Content whose size cannot be told; refused like one that does not fit.</summary>
    ContentOfUnknownSize,

    /// <summary>Content on a device that is to hold nothing but meta data; refused.</summary>
    ContentOnMetaDevice,

    /// <summary>The device or the options make meta data impossible; refused.</summary>
    Impossible,
}

/// <summary>Verdict with the sentences for the operator.</summary>
/// <param name="Verdict">What was found.</param>
/// <param name="Message">What it is, where, and what can be done about it; empty for an empty device.</param>
/// <param name="Layout">Where meta data would go; null if impossible.</param>
public sealed record ProbeResult(ProbeVerdict Verdict, string Message, MetaDataLayout? Layout)
{
    /// <summary>create-md must not go on, not even with --force (exit code 40).</summary>
    public bool IsRefused => Verdict >= ProbeVerdict.ContentDoesNotFit;
}

/// <summary>Looks at a device before create-md writes to it.</summary>
public static class MetaDataProbe
{
    private const long Version07AreaBytes = 128 << 20;

    /// <summary>Where fixed-size internal meta data of DRBD 0.7 would start; -1 if there is no room for them.</summary>
    public static long Version07Offset(BackingDisk disk)
    {
        long bytes = disk.MetaDeviceSectors > long.MaxValue / 512 ? -1 : (long)disk.MetaDeviceSectors * 512;
        return disk.Kind == MetaDataKind.Internal && bytes >= Version07AreaBytes
            ? (bytes & ~4095L) - Version07AreaBytes
            : -1;
    }

    /// <param name="disk">The disk.</param>
    /// <param name="device">Name of the meta-data device.</param>
    /// <param name="alStripes">Wanted stripes of the activity log.</param>
    /// <param name="alStripeSize4k">Wanted size of a stripe in 4 KiB blocks.</param>
    /// <param name="start">The first <see cref="FoundContent.WindowBytes"/> of the meta-data device.</param>
    /// <param name="target">The block at <see cref="MetaDataLayout.FindSuperBlock"/>.</param>
    /// <param name="version07">The block at <see cref="Version07Offset"/>; empty if there is none.</param>
    /// <param name="lvmBytes">Size of an LVM physical volume, if LVM was asked.</param>
    public static ProbeResult Examine(
        BackingDisk disk,
        string device,
        int alStripes,
        int alStripeSize4k,
        ReadOnlySpan<byte> start,
        ReadOnlySpan<byte> target,
        ReadOnlySpan<byte> version07,
        ulong? lvmBytes = null)
    {
        MetaDataLayout? layout = MetaDataLayout.Compute(disk, alStripes, alStripeSize4k, out MetaDataError error);
        if (layout is null)
        {
            string reason = error == MetaDataError.BadStripes
                ? Text($"an activity log of {alStripes} stripes of {alStripeSize4k * 4L} KiB is not possible: ")
                    + "32 KiB to 32 MiB are, and no stripes with indexed meta data"
                : MetaDataErrors.Describe(error, disk, device);
            return new ProbeResult(ProbeVerdict.Impossible, reason, null);
        }

        // External meta data start where signatures of content lie, so their own superblock there is no content.
        string? existing = Existing(disk, device, target, version07);
        FoundContent? content = FoundContent.Recognise(start, lvmBytes);
        bool external = disk.Kind != MetaDataKind.Internal;
        if (content is not null && !(external && existing is not null))
        {
            ProbeResult verdict = Judge(content, disk, device, layout);
            if (verdict.IsRefused || existing is null)
            {
                return verdict;
            }
        }

        if (existing is not null)
        {
            return new ProbeResult(ProbeVerdict.ExistingMetaData, existing, layout);
        }

        // With an index above 0 the start of the device belongs to other slots.
        bool looksAtStart = disk.Kind != MetaDataKind.IndexedExternal || disk.Index == 0;
        return looksAtStart && start.ContainsAnyExcept((byte)0)
            ? new ProbeResult(
                ProbeVerdict.UnknownData, $"{device} holds data of an unknown kind, which may be destroyed", layout)
            : new ProbeResult(ProbeVerdict.Empty, "", layout);
    }

    private static ProbeResult Judge(FoundContent content, BackingDisk disk, string device, MetaDataLayout layout)
    {
        if (disk.Kind != MetaDataKind.Internal)
        {
            return new ProbeResult(
                ProbeVerdict.ContentOnMetaDevice,
                $"{device} holds {content.WithArticle}, which meta data would destroy: name another device in "
                + $"meta-disk, or, if the content is worthless, wipe it first (wipefs -a {device})",
                layout);
        }

        ulong usableKiB = layout.MaxCapacitySectors / 2;
        if (content.Bytes is not { } bytes)
        {
            return new ProbeResult(
                ProbeVerdict.ContentOfUnknownSize,
                $"{device} holds {content.WithArticle} whose size cannot be told, so meta data at the end may destroy "
                + "a part of it: use external meta data, or, if the content is worthless, "
                + $"wipe it first (wipefs -a {device})",
                layout);
        }

        ulong usedKiB = bytes / 1024 + (bytes % 1024 == 0 ? 0UL : 1UL);
        string sizes =
            Text($"{device} holds {content.WithArticle} that uses {usedKiB} KiB; meta data leave {usableKiB} KiB");
        if (usedKiB <= usableKiB)
        {
            return new ProbeResult(
                ProbeVerdict.ContentFits, sizes + ", so it seems to stay whole (a guess from its own numbers)", layout);
        }

        string shrink = content.CanShrink is null
            ? "it cannot be made smaller"
            : "make it smaller first: " + string.Format(
                CultureInfo.InvariantCulture, content.CanShrink, device, usableKiB);
        return new ProbeResult(
            ProbeVerdict.ContentDoesNotFit,
            $"{sizes}, so its end would be destroyed. Use external meta data (recommended); or {shrink}; or, if the "
            + $"content is worthless, wipe it (wipefs -a {device})",
            layout);
    }

    private static string? Existing(
        BackingDisk disk, string device, ReadOnlySpan<byte> target, ReadOnlySpan<byte> version07)
    {
        MetaDataError error =
            SuperBlock.TryDecode(target, disk, out SuperBlock? superBlock, out MetaDataLayout? layout);
        long offset = MetaDataLayout.FindSuperBlock(disk);
        switch (error)
        {
            case MetaDataError.None:
                string clean = superBlock!.NeedsReplay ? " that were in use" : "";
                return Text($"{device} has v08 meta data{clean} at byte {layout!.SuperBlockOffset}: ")
                    + GenerationInfo.Format(superBlock) + "; they would be overwritten, and a full sync follows";
            case MetaDataError.Version09:
                return Text($"{device} has meta data of DRBD 9 (v09) at byte {offset}; they would be overwritten, ")
                    + "not converted, and a full sync follows";
            case MetaDataError.Version07:
                return Text($"{device} has meta data of DRBD 0.7 (v07) at byte {offset}; they would be overwritten");
            default:
                bool fixedPlace = SuperBlock.TryDecode(version07, disk, out _, out _) == MetaDataError.Version07;
                return fixedPlace
                    ? Text($"{device} has meta data of DRBD 0.7 (v07) at byte {Version07Offset(disk)}, ")
                        + "128 MiB before its end"
                    : null;
        }
    }

    private static string Text(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}
