namespace BlockRepl.Core.ActivityLog;

/// <summary>
/// Where transactions go in the log: a ring of 4 KiB blocks, spread over stripes so that a RAID shares the load.
/// </summary>
/// <param name="Stripes">Number of stripes, 1 or more.</param>
/// <param name="StripeSize4k">Blocks of one stripe, 1 or more.</param>
public readonly record struct ActivityLogRing(int Stripes, int StripeSize4k)
{
    /// <summary>The ring that superblocks without stripe numbers mean: 32 KiB.</summary>
    public static readonly ActivityLogRing Default = new(1, 8);

    /// <summary>Blocks of the smallest and largest ring that is created or accepted (32 KiB and 32 MiB).</summary>
    public const int MinBlocks = 8;
    public const int MaxBlocks = 8192;

    /// <summary>Slots that a log can have at most, whatever the ring; the last two slot numbers are reserved.</summary>
    public const int MaxSlots = 65534;
    public const int MinSlots = 67;

    public int Blocks => Stripes * StripeSize4k;

    public static bool IsValid(long stripes, long stripeSize4k) =>
        stripes > 0 && stripeSize4k > 0
        && stripes <= MaxBlocks && stripeSize4k <= MaxBlocks
        && stripes * stripeSize4k is >= MinBlocks and <= MaxBlocks;

    /// <summary>The block, counted from the start of the log, that holds a transaction number.</summary>
    public int BlockOf(uint transactionNumber)
    {
        int position = (int)(transactionNumber % (uint)Blocks);
        return position % Stripes * StripeSize4k + position / Stripes;
    }

    /// <summary>
    /// The number after this one. It wraps at 2^32; in a ring whose blocks are no power of two plain counting would
    /// then jump in the ring: the next block would overwrite a young transaction, or be read in the wrong order.
    /// Skipping a few numbers keeps the position moving by one, and readers only compare numbers.
    /// </summary>
    public uint NumberAfter(uint transactionNumber) =>
        transactionNumber == uint.MaxValue ? (uint)((1UL << 32) % (uint)Blocks) : transactionNumber + 1;

    /// <summary>
    /// The al-extents that can be used with this ring. The context of all blocks but one (which a crash may have torn)
    /// must cover every slot, or a slot's content could be overwritten in the ring before it was repeated.
    /// </summary>
    public int ClipSlots(int configured)
    {
        long describable = Math.Min((long)(Blocks - 1) * ActivityLogBlock.ContextSlots, MaxSlots);
        return (int)Math.Clamp(configured, MinSlots, describable);
    }
}
