namespace BlockRepl.Simulation;

/// <summary>
/// The clock and everything that is still to happen, ordered by (time, order of scheduling). Times are virtual
/// nanoseconds.
/// </summary>
public sealed class EventQueue
{
    private readonly PriorityQueue<Action, (long Time, long Order)> _queue = new();
    private long _order;

    public long NowNs { get; private set; }

    /// <summary>Events that have happened.</summary>
    public long Steps { get; private set; }

    public int Count => _queue.Count;

    public void At(long timeNs, Action action) =>
        _queue.Enqueue(action, (Math.Max(timeNs, NowNs), _order++));

    public void After(long delayNs, Action action) => At(NowNs + delayNs, action);

    /// <summary>
    /// Lets the next event happen; false if there is none up to <paramref name="untilNs"/>, and then it is that time.
    /// </summary>
    public bool Step(long untilNs)
    {
        if (!_queue.TryPeek(out Action? action, out (long Time, long Order) key) || key.Time > untilNs)
        {
            NowNs = Math.Max(NowNs, untilNs);
            return false;
        }

        _queue.Dequeue();
        NowNs = key.Time;
        Steps++;
        action();
        return true;
    }
}

/// <summary>Units of virtual time.</summary>
public static class Duration
{
    public const long Microsecond = 1_000;
    public const long Millisecond = 1_000_000;
    public const long Second = 1_000_000_000;
}
