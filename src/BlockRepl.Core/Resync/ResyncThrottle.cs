namespace BlockRepl.Core.Resync;

/// <summary>c-min-rate: a resync steps back to this rate while the application uses the disk.</summary>
public struct ResyncThrottle
{
    /// <summary>
    /// So many sectors since the last look do not count as use: the resync's own meta data, a stray read.
    /// </summary>
    private const long UnnoticedSectors = 64;

    private long _lastOtherSectors;

    /// <summary>
    /// Whether the resync must hold back now. <paramref name="otherSectors"/> counts all sectors read and written on
    /// the backing disk that were not resync, since any fixed moment. A rate of 0 disables it.
    /// </summary>
    public bool MustWait(
        long otherSectors, bool writesWaitForActivityLog, long speedKiBPerSecond, int minRateKiBPerSecond)
    {
        if (minRateKiBPerSecond == 0)
        {
            return false;
        }

        if (!writesWaitForActivityLog && otherSectors - _lastOtherSectors <= UnnoticedSectors)
        {
            return false;
        }

        _lastOtherSectors = otherSectors;
        return speedKiBPerSecond > minRateKiBPerSecond;
    }
}
