namespace BlockRepl.Core.Resync;

/// <summary>
/// c-min-rate at the source: while the application uses the disk, resync requests are served at that rate and no
/// faster. It is looked at in windows of 100 ms. DRBD sleeps 100 ms before a request while the speed of the last
/// seconds is above the rate; the requests that pile up meanwhile then come in one burst.
/// </summary>
public struct SourceThrottle
{
    private const long WindowNs = 100_000_000;

    /// <summary>So many sectors in a window do not count as use.</summary>
    private const long UnnoticedSectors = 64;

    private long _windowEndNs;
    private long _lastOtherSectors;
    private long _bytesLeft;

    /// <summary>
    /// Whether a request may be served now; if not, at <paramref name="retryNs"/> again.
    /// <paramref name="otherSectors"/> counts sectors read and written that were not resync; 0 KiB/s = no limit.
    /// </summary>
    public bool TryServe(
        long nowNs, int byteCount, long otherSectors, bool writesWaitForActivityLog, int minRateKiBPerSecond,
        out long retryNs)
    {
        if (nowNs >= _windowEndNs)
        {
            bool busy = writesWaitForActivityLog || otherSectors - _lastOtherSectors > UnnoticedSectors;
            bool limited = busy && minRateKiBPerSecond > 0;
            _lastOtherSectors = otherSectors;
            _windowEndNs = nowNs + WindowNs;

            // What a large request took too much of one window is missing in the next ones.
            _bytesLeft = limited ? Math.Min(_bytesLeft, 0) + (minRateKiBPerSecond * 1024L / 10) : long.MaxValue;
        }

        retryNs = _windowEndNs;
        if (_bytesLeft <= 0)
        {
            return false;
        }

        _bytesLeft -= _bytesLeft == long.MaxValue ? 0 : byteCount;
        return true;
    }
}
