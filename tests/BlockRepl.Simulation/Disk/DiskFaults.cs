namespace BlockRepl.Simulation.Disk;

/// <summary>What a disk fault does to the operations it meets.</summary>
public enum DiskFaultKind
{
    ReadError,
    WriteError,
    FlushError,
    Stall,
}

/// <summary>
/// A fault of a disk with its address: which operations, where, when, how often. It counts its hits, so a run can tell
/// whether it mattered. The true content of the disk is never changed by a fault but a failed write (which may be
/// torn).
/// </summary>
public sealed class DiskFault(DiskFaultKind kind)
{
    public DiskFaultKind Kind { get; } = kind;

    public long FirstByte { get; init; }

    public long EndByte { get; init; } = long.MaxValue;

    public long FromNs { get; init; }

    public long UntilNs { get; init; } = long.MaxValue;

    /// <summary>So many operations at most.</summary>
    public int Times { get; init; } = int.MaxValue;

    /// <summary>How much longer a stalled operation takes.</summary>
    public long StallNs { get; init; } = 500 * Duration.Millisecond;

    /// <summary>Only one operation in so many is hit.</summary>
    public int OneIn { get; init; } = 1;

    public int Hits { get; private set; }

    /// <summary>Whether the fault hits an operation; if so it counts.</summary>
    public bool TryHit(DiskFaultKind kind, long offset, long count, long nowNs, Rng rng)
    {
        bool hit = kind == Kind
            && Hits < Times
            && nowNs >= FromNs && nowNs < UntilNs
            && (kind == DiskFaultKind.FlushError || (offset < EndByte && offset + count > FirstByte))
            && (OneIn == 1 || rng.Below(OneIn) == 0);
        if (hit)
        {
            Hits++;
        }

        return hit;
    }
}

/// <summary>How a disk behaves when nothing is broken.</summary>
public sealed record DiskSettings
{
    public long Bytes { get; init; }

    public long MinLatencyNs { get; init; } = 20 * Duration.Microsecond;

    public long MaxLatencyNs { get; init; } = 2 * Duration.Millisecond;

    /// <summary>Completed writes may be lost by a power failure until they are flushed.</summary>
    public bool VolatileCache { get; init; } = true;

    public bool CanDiscard { get; init; }

    /// <summary>Discarded areas read as zeroes; else they may keep their content.</summary>
    public bool DiscardZeroes { get; init; }
}
