namespace BlockRepl.Core.Resync;

/// <summary>
/// Progress of one resync or verify: eight marks, at least 3 s apart, from which speeds are read. Times in monotonic
/// nanoseconds, amounts in 4 KiB blocks.
/// </summary>
public sealed class ResyncMarks
{
    public void Start(long nowNs, ulong totalBlocks, bool isVerify) => throw new NotImplementedException();

    /// <summary>Takes a mark if the last one is 3 s old and there was progress; not while paused.</summary>
    public void Advance(long nowNs, ulong leftBlocks) => throw new NotImplementedException();

    public void Pause(long nowNs) => throw new NotImplementedException();

    public void Resume(long nowNs) => throw new NotImplementedException();

    public ulong TotalBlocks => throw new NotImplementedException();

    /// <summary>Speed over the last two marks, for the throttle.</summary>
    public long SpeedKiBPerSecond(long nowNs, ulong leftBlocks) => throw new NotImplementedException();

    /// <summary>Speed over the whole run without pauses.</summary>
    public long MeanKiBPerSecond(long nowNs, ulong leftBlocks) => throw new NotImplementedException();

    public ResyncProgress Progress(long nowNs, ulong leftBlocks, int wantKiBPerSecond) => throw new NotImplementedException();
}

/// <summary>c-min-rate: a resync steps back while the application uses the disk.</summary>
public struct ResyncThrottle
{
    /// <summary>
    /// Whether the resync must hold back now. <paramref name="otherSectors"/> counts all sectors read and written on the
    /// backing disk that were not resync, since any fixed moment.
    /// </summary>
    public bool MustWait(long otherSectors, bool writesWaitForActivityLog, long speedKiBPerSecond, int minRateKiBPerSecond) =>
        throw new NotImplementedException();
}
