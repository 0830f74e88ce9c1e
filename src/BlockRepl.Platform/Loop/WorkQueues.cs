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
/// Work from other threads. Two lists change places, so that nothing is allocated once they have grown.
/// </summary>
internal sealed class PostQueue
{
    private readonly Lock _lock = new();
    private List<object> _incoming = [];
    private List<object> _running = [];
    private bool _closed;

    public bool IsEmpty
    {
        get
        {
            lock (_lock)
            {
                return _incoming.Count == 0;
            }
        }
    }

    /// <summary>False: the queue is closed.</summary>
    public bool Add(object work)
    {
        lock (_lock)
        {
            if (_closed)
            {
                return false;
            }

            _incoming.Add(work);
            return true;
        }
    }

    /// <summary>What has come since the last call; valid until the next call.</summary>
    public ReadOnlySpan<object> Take()
    {
        _running.Clear();
        lock (_lock)
        {
            (_incoming, _running) = (_running, _incoming);
        }

        return CollectionsMarshal.AsSpan(_running);
    }

    public void Close()
    {
        lock (_lock)
        {
            _closed = true;
        }
    }
}
