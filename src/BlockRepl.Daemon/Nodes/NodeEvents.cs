using System.Threading.Channels;
using BlockRepl.Administration.Tools;

namespace BlockRepl.Daemon.Nodes;

/// <summary>
/// Tells those who watch the node that its status is another, or that a handler was called. Nobody waits for them: a
/// watcher that is slow gets many changes as one, and of handlers only so many.
/// </summary>
internal sealed class NodeEvents
{
    /// <summary>What a watcher may be behind.</summary>
    private const int Backlog = 256;

    private readonly Lock _lock = new();
    private readonly List<Watcher> _watchers = [];

    public Watcher Watch()
    {
        lock (_lock)
        {
            var watcher = new Watcher(this);
            _watchers.Add(watcher);
            return watcher;
        }
    }

    public void StatusChanged() => Tell(null);

    public void Handler(HandlerEvent happened) => Tell(happened);

    private void Tell(HandlerEvent? happened)
    {
        lock (_lock)
        {
            _watchers.ForEach(watcher => watcher.Tell(happened));
        }
    }

    internal sealed class Watcher(NodeEvents events) : IDisposable
    {
        private readonly Channel<HandlerEvent?> _told = Channel.CreateBounded<HandlerEvent?>(
            new BoundedChannelOptions(Backlog) { FullMode = BoundedChannelFullMode.DropWrite });

        private int _changed;

        /// <summary>The next event; null: the status is another.</summary>
        public async ValueTask<HandlerEvent?> NextAsync(CancellationToken cancellation)
        {
            HandlerEvent? happened = await _told.Reader.ReadAsync(cancellation);
            if (happened is null)
            {
                Volatile.Write(ref _changed, 0);
            }

            return happened;
        }

        /// <summary>In the events' lock.</summary>
        public void Tell(HandlerEvent? happened)
        {
            if (happened is not null || Interlocked.Exchange(ref _changed, 1) == 0)
            {
                _told.Writer.TryWrite(happened);
            }
        }

        public void Dispose()
        {
            lock (events._lock)
            {
                events._watchers.Remove(this);
            }
        }
    }
}
