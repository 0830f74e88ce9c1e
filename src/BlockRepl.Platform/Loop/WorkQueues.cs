using System.Runtime.InteropServices;

namespace BlockRepl.Platform.Loop;

/// <summary>Something that wants to be called back by its loop outside of the present callback.</summary>
internal interface IDeferred
{
    void RunDeferred();
}

/// <summary>Callbacks for later in a turn. What is added while it runs is run too.</summary>
internal sealed class DeferredQueue
{
    private readonly Queue<IDeferred> _queue = new();

    public bool IsEmpty => _queue.Count == 0;

    public void Add(IDeferred work) => _queue.Enqueue(work);

    public void Run()
    {
        while (_queue.TryDequeue(out var work))
        {
            work.RunDeferred();
        }
    }
}

/// <summary>
/// Work from other threads. Two lists change places, so that nothing is allocated once they have grown. A turn without
/// work takes no lock. The lock spins: what it guards is short, and a framework lock that has to wait allocates its
/// event on the thread that waits, which may be the loop's.
/// </summary>
internal sealed class PostQueue
{
    private SpinLock _lock = new(enableThreadOwnerTracking: false);
    private List<object> _incoming = [];
    private List<object> _running = [];
    private volatile bool _hasWork;
    private bool _closed;

    public bool IsEmpty => !_hasWork;

    /// <summary>False: the queue is closed.</summary>
    public bool Add(object work)
    {
        var taken = false;
        try
        {
            _lock.Enter(ref taken);
            if (_closed)
            {
                return false;
            }

            _incoming.Add(work);
            _hasWork = true;
            return true;
        }
        finally
        {
            Leave(taken);
        }
    }

    /// <summary>What has come since the last call; valid until the next call.</summary>
    public ReadOnlySpan<object> Take()
    {
        if (!_hasWork)
        {
            return default;
        }

        _running.Clear();
        var taken = false;
        try
        {
            _lock.Enter(ref taken);
            (_incoming, _running) = (_running, _incoming);
            _hasWork = false;
        }
        finally
        {
            Leave(taken);
        }

        return CollectionsMarshal.AsSpan(_running);
    }

    public void Close()
    {
        var taken = false;
        try
        {
            _lock.Enter(ref taken);
            _closed = true;
        }
        finally
        {
            Leave(taken);
        }
    }

    private void Leave(bool taken)
    {
        if (taken)
        {
            _lock.Exit(useMemoryBarrier: true);
        }
    }
}
