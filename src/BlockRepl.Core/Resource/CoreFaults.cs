namespace BlockRepl.Core.Resource;

/// <summary>
/// Defects that the simulator plants to show that its checkers notice them. All off, and unreachable from outside of
/// the core and its tests.
/// </summary>
internal sealed class CoreFaults
{
    /// <summary>The activity-log reference ends at the write ack, not at the barrier ack.</summary>
    public bool ReleaseExtentAtAck { get; set; }

    /// <summary>A write is answered when the local disk has it, whatever the peer says.</summary>
    public bool CompleteBeforePeer { get; set; }

    /// <summary>A connection that ends leaves acked writes unmarked.</summary>
    public bool SkipBitsOnConnectionLoss { get; set; }

    /// <summary>The source answers resync requests without regard to writes under way.</summary>
    public bool ReplyResyncWithoutLock { get; set; }

    /// <summary>Of two Primaries each writes what the other sends, whatever it writes there itself.</summary>
    public bool IgnoreConflicts { get; set; }

    /// <summary>With resolve-conflicts a write is judged before the acks that were sent before it have come.</summary>
    public bool IgnoreSequence { get; set; }
}
