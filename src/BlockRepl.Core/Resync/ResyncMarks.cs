namespace BlockRepl.Core.Resync;

/// <summary>
/// Progress of one resync or verify: eight marks, at least 3 s apart, from which speeds are read. Times in monotonic
/// nanoseconds, amounts in 4 KiB blocks.
/// </summary>
public sealed class ResyncMarks
{
    private const int Count = 8;
    private const long StepNs = 3_000_000_000;
    private const long SecondNs = 1_000_000_000;
    private const int KiBPerBlock = 4;

    private readonly long[] _timeNs = new long[Count];
    private readonly ulong[] _left = new ulong[Count];
    private int _last;
    private long _startNs;
    private long _pausedNs;
    private long _pauseBeganNs;
    private bool _paused;
    private bool _isVerify;

    public ulong TotalBlocks { get; private set; }

    public void Start(long nowNs, ulong totalBlocks, bool isVerify)
    {
        Array.Fill(_timeNs, nowNs);
        Array.Fill(_left, totalBlocks);
        _last = 0;
        _startNs = nowNs;
        _pausedNs = 0;
        _paused = false;
        _isVerify = isVerify;
        TotalBlocks = totalBlocks;
    }

    /// <summary>Takes a mark if the last one is 3 s old and there was progress; not while paused.</summary>
    public void Advance(long nowNs, ulong leftBlocks)
    {
        if (_paused || nowNs - _timeNs[_last] < StepNs || leftBlocks == _left[_last])
        {
            return;
        }

        _last = (_last + 1) % Count;
        _timeNs[_last] = nowNs;
        _left[_last] = leftBlocks;
    }

    public void Pause(long nowNs)
    {
        if (!_paused)
        {
            _paused = true;
            _pauseBeganNs = nowNs;
        }
    }

    public void Resume(long nowNs)
    {
        if (_paused)
        {
            _paused = false;
            _pausedNs += nowNs - _pauseBeganNs;
        }
    }

    /// <summary>Speed over the last two marks, for the throttle.</summary>
    public long SpeedKiBPerSecond(long nowNs, ulong leftBlocks)
    {
        int mark = (_last + Count - 1) % Count;
        return KiBPerBlock * (Done(_left[mark], leftBlocks) / SecondsSince(nowNs, _timeNs[mark]));
    }

    /// <summary>
    /// The numbers that the status shows; the recent speed is read from the oldest mark that is safe to use.
    /// </summary>
    public ResyncProgress Progress(long nowNs, ulong leftBlocks, int wantKiBPerSecond)
    {
        int mark = (_last + 2) % Count;
        return new ResyncProgress(
            _isVerify,
            TotalBlocks,
            leftBlocks,
            _left[mark],
            SecondsSince(nowNs, _timeNs[mark]),
            ElapsedSeconds(nowNs),
            wantKiBPerSecond);
    }

    private long ElapsedSeconds(long nowNs)
    {
        long paused = _pausedNs + (_paused ? nowNs - _pauseBeganNs : 0);
        return SecondsSince(nowNs - paused, _startNs);
    }

    private static long SecondsSince(long nowNs, long thenNs) => Math.Max(1, (nowNs - thenNs) / SecondNs);

    /// <summary>Writes of the application set bits too, so there may be more left than before.</summary>
    private static long Done(ulong before, ulong now) => before > now ? (long)(before - now) : 0;
}
