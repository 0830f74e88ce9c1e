using BlockRepl.Core.ActivityLog;
using BlockRepl.Core.Bitmap;

namespace BlockRepl.Core.MetaData;

/// <summary>What apply-al does to a disk.</summary>
public enum ReplayAction
{
    /// <summary>Nothing: the disk is clean and its log is empty.</summary>
    None,

    /// <summary>The log is emptied and the disk marked clean; the bitmap stays.</summary>
    CleanLog,

    /// <summary>The hot extents of a crashed Primary go into the bitmap; then as <see cref="CleanLog"/>.</summary>
    MarkExtents,

    /// <summary>A crashed Primary whose log is unreadable: FULL_SYNC is set; then as <see cref="CleanLog"/>.</summary>
    MarkEverything,

    /// <summary>A log of DRBD 8.3 that is not clean: nothing is touched.</summary>
    RefuseVersion83Log,
}

/// <summary>
/// The replay of the activity log (apply-al) as a plan over bytes that the caller has read: which pages of the bitmap
/// change, how, and what is written in which order. Repeating it after a crash at any point loses no bit.
/// </summary>
/// <param name="Action">What is to be done.</param>
/// <param name="Log">What the ring said.</param>
/// <param name="Extents">Extents to mark, ascending; those that lie past the device's bitmap are left out.</param>
/// <param name="Before">The superblock as it was read.</param>
/// <param name="After">The superblock as it is written at the end.</param>
public sealed record OfflineReplay(
    ReplayAction Action, ReplayResult Log, IReadOnlyList<uint> Extents, SuperBlock Before, SuperBlock After)
{
    private const int BitmapBytesPerExtent = 128;
    private const int ExtentsPerPage = OutOfSyncBitmap.PageBytes / BitmapBytesPerExtent;

    /// <summary>Decides what a disk needs.</summary>
    /// <param name="superBlock">The decoded superblock.</param>
    /// <param name="ring">The whole log as it lies on disk.</param>
    public static OfflineReplay Plan(SuperBlock superBlock, ReadOnlySpan<byte> ring)
    {
        ReplayResult log = ActivityLogReplay.Replay(ring, superBlock.Ring.Stripes, superBlock.Ring.StripeSize4k);
        ReplayAction action = Decide(superBlock, ring, log);
        uint[] extents = action == ReplayAction.MarkExtents
            ? [.. log.Extents.Where(e => e < ExtentLimit(superBlock))]
            : [];
        SuperBlock after = superBlock;
        if (action is not (ReplayAction.None or ReplayAction.RefuseVersion83Log))
        {
            SuperBlockFlags added = action == ReplayAction.MarkEverything
                ? SuperBlockFlags.FullSync | SuperBlockFlags.ActivityLogClean
                : SuperBlockFlags.ActivityLogClean;
            after = superBlock with { Magic = SuperBlock.MagicNormal, Flags = superBlock.Flags | added };
        }

        return new OfflineReplay(action, log, extents, superBlock, after);
    }

    /// <summary>The pages of the bitmap that hold bits of the extents, ascending.</summary>
    public IReadOnlyList<int> Pages => [.. Extents.Select(OutOfSyncBitmap.PageOfExtent).Distinct()];

    /// <summary>
    /// Sets the bits of the extents in one page as read from disk. Whole extents are set, so the last one may set bits
    /// past the device end, which every reader ignores. Returns how many bits were clear before.
    /// </summary>
    public int MarkPage(int page, Span<byte> page4096)
    {
        int added = 0;
        foreach (uint extent in Extents)
        {
            if (OutOfSyncBitmap.PageOfExtent(extent) != page)
            {
                continue;
            }

            Span<byte> bytes =
                page4096.Slice((int)(extent % ExtentsPerPage) * BitmapBytesPerExtent, BitmapBytesPerExtent);
            foreach (byte value in bytes)
            {
                added += 8 - System.Numerics.BitOperations.PopCount(value);
            }

            bytes.Fill(0xFF);
        }

        return added;
    }

    /// <summary>
    /// The steps, in the order that makes a repetition safe:
    /// 1. what the log says goes to the bitmap (or, unreadable, to FULL_SYNC) and is made durable;
    /// 2. only then the log is emptied, because its numbering starts again with the next session;
    /// 3. only then the superblock calls the log clean.
    /// </summary>
    /// <param name="layout">The disk's layout.</param>
    /// <param name="readPage">Reads a page of the bitmap, by number, as it lies on disk.</param>
    public IEnumerable<MetaDataStep> Steps(MetaDataLayout layout, Func<int, byte[]> readPage)
    {
        if (Action is ReplayAction.None or ReplayAction.RefuseVersion83Log)
        {
            yield break;
        }

        foreach (int page in Pages)
        {
            byte[] bytes = readPage(page);
            MarkPage(page, bytes);
            yield return new MetaDataStep(layout.BitmapOffset + (long)page * OutOfSyncBitmap.PageBytes, bytes);
        }

        if (Action == ReplayAction.MarkEverything)
        {
            // Still unclean: a crash after the log was emptied must not make the next replay find an empty log and no
            // flag.
            SuperBlock marked = Before with { Flags = Before.Flags | SuperBlockFlags.FullSync };
            yield return CreateMetaData.WriteSuperBlock(layout, marked);
        }

        yield return MetaDataStep.Flush;
        foreach (MetaDataStep step in CreateMetaData.InitialiseLog(layout))
        {
            yield return step;
        }

        yield return MetaDataStep.Flush;
        yield return CreateMetaData.WriteSuperBlock(layout, After);
        yield return MetaDataStep.Flush;
    }

    private static ReplayAction Decide(SuperBlock superBlock, ReadOnlySpan<byte> ring, ReplayResult log)
    {
        if (IsVersion83Possible(superBlock) && ActivityLogReplay.IsVersion83Log(ring))
        {
            return ReplayAction.RefuseVersion83Log;
        }

        if (log.Status == ReplayStatus.NothingToDo)
        {
            return superBlock.NeedsReplay ? ReplayAction.CleanLog : ReplayAction.None;
        }

        // A log with transactions is emptied even on a disk that calls itself clean: the next session counts from a
        // small number again, and would be read together with them.
        bool counts = superBlock.Flags.HasFlag(SuperBlockFlags.PrimaryIndicator);
        return !counts ? ReplayAction.CleanLog
            : log.IsActiveSetUnknown ? ReplayAction.MarkEverything
            : ReplayAction.MarkExtents;
    }

    private static bool IsVersion83Possible(SuperBlock superBlock) =>
        superBlock.NeedsReplay && superBlock.Magic == SuperBlock.MagicNormal
            && superBlock.Ring == ActivityLogRing.Default;

    /// <summary>
    /// Extents up to the end of the last bitmap page of the device; the log may name others only by mistake.
    /// </summary>
    private static long ExtentLimit(SuperBlock superBlock) =>
        (long)OutOfSyncBitmap.PagesFor(OutOfSyncBitmap.BitsFor(superBlock.SizeSectors)) * ExtentsPerPage;
}
