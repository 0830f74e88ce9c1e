using BlockRepl.Core.State;

namespace BlockRepl.Core.Resource;

/// <summary>
/// A disk that does not answer: disk-timeout, and what a forced detach does with the requests that wait for it.
/// </summary>
internal sealed partial class Volume
{
    private const long DecisecondNs = 100_000_000;

    /// <summary>
    /// When the oldest write or flush of the application has waited for disk-timeout; never without one.
    /// </summary>
    public long DiskDeadlineNs { get; private set; } = long.MaxValue;

    private long DiskTimeoutNs => Options.Disk.DiskTimeoutDeciseconds * DecisecondNs;

    private void WatchDisk(Request request)
    {
        request.LocalStartedNs = _core.NowNs;
        if (DiskTimeoutNs > 0 && DiskDeadlineNs == long.MaxValue)
        {
            DiskDeadlineNs = _core.NowNs + DiskTimeoutNs;
        }
    }

    public void OnDiskDeadline(long nowNs)
    {
        long oldestNs = long.MaxValue;
        for (Request? request = _active.First; request is not null; request = request.Next)
        {
            if (request.LocalPending && !request.LocalAborted && request.Kind != RequestKind.Read)
            {
                oldestNs = Math.Min(oldestNs, request.LocalStartedNs);
            }
        }

        DiskDeadlineNs = oldestNs == long.MaxValue ? long.MaxValue : oldestNs + DiskTimeoutNs;
        if (nowNs < DiskDeadlineNs || !HasDisk)
        {
            return;
        }

        DiskDeadlineNs = long.MaxValue;
        LogLine(CoreLogLevel.Error,
            $"the disk has not answered for {Options.Disk.DiskTimeoutDeciseconds} x 0.1 s (disk-timeout): "
            + "it is given up");
        DetachByForce();
    }

    /// <summary>
    /// The disk is Failed at once, whatever it is doing. Writes and flushes that wait for it go on with the peer's
    /// copy; their blocks are marked when the disk lets go of them. Reads go on waiting: their buffer belongs to the
    /// disk until then.
    /// </summary>
    public StateChangeResult DetachByForce()
    {
        StateChangeResult result = Change(StateRequest.DetachFailed, hard: true);
        Request? next;
        for (Request? request = result.Succeeded() ? _active.First : null; request is not null; request = next)
        {
            next = request.Next;
            if (request.LocalPending && request.Kind != RequestKind.Read)
            {
                request.LocalAborted = true;
                request.NetOk |= request.Kind == RequestKind.Flush && Connection.IsOperational
                    && StateRules.IsReplicating(State);
                CheckAnswered(request);
            }
        }

        return result;
    }
}
