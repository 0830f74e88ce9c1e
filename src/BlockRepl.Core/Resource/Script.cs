namespace BlockRepl.Core.Resource;

/// <summary>
/// A sequence of steps that waits in between: an iterator that yields the condition on which it goes on. Conditions are
/// looked at after every event, on the core's own thread; so a script reads top to bottom and is as deterministic as
/// the events.
/// </summary>
internal sealed class Script(string name, IEnumerable<Func<bool>> steps)
{
    private readonly IEnumerator<Func<bool>> _steps = steps.GetEnumerator();
    private Func<bool>? _waitsFor;

    public string Name { get; } = name;

    public bool Ended { get; private set; }

    /// <summary>Runs until the next condition that does not hold; true if anything was done.</summary>
    public bool Advance()
    {
        bool progress = false;
        while (!Ended && (_waitsFor is null || _waitsFor()))
        {
            progress = true;
            Ended = !_steps.MoveNext();
            _waitsFor = Ended ? null : _steps.Current;
        }

        return progress;
    }
}

/// <summary>Scripts that run one after the other, in the order in which they came.</summary>
internal sealed class ScriptQueue
{
    private readonly Queue<Script> _waiting = new();
    private Script? _running;

    public bool IsIdle => _running is null && _waiting.Count == 0;

    public void Add(string name, IEnumerable<Func<bool>> steps) => _waiting.Enqueue(new Script(name, steps));

    /// <summary>True if anything was done.</summary>
    public bool Advance()
    {
        bool progress = false;
        while (true)
        {
            if (_running is null && !_waiting.TryDequeue(out _running))
            {
                return progress;
            }

            progress |= _running.Advance();
            if (!_running.Ended)
            {
                return progress;
            }

            _running = null;
        }
    }
}

/// <summary>Several disk or meta-data operations that a script waits for together.</summary>
internal sealed class IoBatch
{
    public int Pending { get; set; }

    public bool Failed { get; set; }

    /// <summary>What reads returned.</summary>
    public byte[] Data { get; init; } = [];

    public bool IsDone => Pending == 0;
}
