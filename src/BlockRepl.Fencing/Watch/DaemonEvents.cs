using BlockRepl.Platform.Fencing;
using BlockRepl.Sbd;

namespace BlockRepl.Fencing.Watch;

/// <summary>What happens to the inquisitor.</summary>
internal enum DaemonEventKind
{
    Alive,
    ClusterSeen,
    MessageSeen,
    ServantEnded,
    GuardAnswered,
    Stop,
    ForgetRestarts,
}

/// <summary>One event; which fields count depends on the kind.</summary>
internal readonly record struct DaemonEvent(DaemonEventKind Kind)
{
    public int Input { get; init; }

    public long EvidenceNs { get; init; }

    public HealthVerdict Cluster { get; init; }

    public Mailbox Mailbox { get; init; }

    public ServantEnd End { get; init; }

    public string? Reason { get; init; }

    public GuardAnswer Answer { get; init; }
}

/// <summary>Where all threads put what the inquisitor's thread is to know.</summary>
internal sealed class EventQueue
{
    private readonly Queue<DaemonEvent> _events = new();
    private readonly object _lock = new();

    public void Post(DaemonEvent what)
    {
        lock (_lock)
        {
            _events.Enqueue(what);
            Monitor.PulseAll(_lock);
        }
    }

    /// <summary>The next event, if one comes in time.</summary>
    public bool TryTake(TimeSpan within, out DaemonEvent what)
    {
        lock (_lock)
        {
            if (_events.Count == 0)
            {
                Monitor.Wait(_lock, within);
            }

            return _events.TryDequeue(out what);
        }
    }
}
