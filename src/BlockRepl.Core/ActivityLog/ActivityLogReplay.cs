namespace BlockRepl.Core.ActivityLog;

/// <summary>What a ring says about the active set.</summary>
public enum ReplayStatus
{
    /// <summary>The ring is initialised and holds no transaction: no extent was active.</summary>
    NothingToDo,

    /// <summary>The active set was read.</summary>
    Replayed,

    /// <summary>Not one block is valid: the active set is unknown.</summary>
    NoValidBlocks,

    /// <summary>Blocks are damaged and the rest holds no transaction: the active set is unknown.</summary>
    Damaged,

    /// <summary>A log as DRBD 8.3 wrote it, which is not read.</summary>
    Version83Log,
}

/// <summary>Result of reading a ring.</summary>
/// <param name="Status">What was found.</param>
/// <param name="Extents">The active 4 MiB extents, ascending, without repetition; empty unless replayed.</param>
/// <param name="ValidBlocks">Blocks with the right magic and checksum.</param>
/// <param name="InvalidBlocks">All others.</param>
/// <param name="NewestTransaction">Number of the newest transaction, if replayed.</param>
public sealed record ReplayResult(
    ReplayStatus Status, IReadOnlyList<uint> Extents, int ValidBlocks, int InvalidBlocks, uint NewestTransaction)
{
    /// <summary>
    /// The active set is unknown: a node that was Primary must take every block for out of sync. (A node that was not has
    /// nothing in the log that counts.)
    /// </summary>
    public bool IsActiveSetUnknown => Status is ReplayStatus.NoValidBlocks or ReplayStatus.Damaged;
}

/// <summary>Finds the active set that a crash left in the activity log.</summary>
public static class ActivityLogReplay
{
    /// <summary>
    /// Reads a whole ring. The result counts only if PRIMARY_IND is set in the superblock; that is for the caller to decide.
    /// </summary>
    /// <param name="wholeRing">All blocks of the log as they lie on disk; any content is survived.</param>
    /// <param name="stripes">al_stripes.</param>
    /// <param name="stripeSize4k">al_stripe_size_4k.</param>
    public static ReplayResult Replay(ReadOnlySpan<byte> wholeRing, int stripes, int stripeSize4k) =>
        throw new NotImplementedException();
}
