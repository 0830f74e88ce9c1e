namespace BlockRepl.Sbd;

/// <summary>Who is asked about the node's health.</summary>
public enum InputKind
{
    Disk,
    Pacemaker,
    Cluster,
}

/// <summary>What the vote depends on. Times are nanoseconds of one clock that never goes back.</summary>
/// <param name="Inputs">One for each device, then those of the cluster.</param>
/// <param name="ProofNs">So long a proof of health counts: I/O and loop time-out.</param>
/// <param name="WatchdogNs">A start with devices fails when the vote was not won for longer than this.</param>
/// <param name="NeedCluster">A majority of devices is not enough.</param>
/// <param name="RestartNs">An input that ended sooner than this after its start counts as restarted.</param>
/// <param name="RestartCount">So many restarts are made at once; 0: any number.</param>
public sealed record InquisitorOptions(
    IReadOnlyList<InputKind> Inputs,
    long ProofNs,
    long WatchdogNs,
    bool NeedCluster = false,
    long RestartNs = 5_000_000_000,
    uint RestartCount = 1);

/// <summary>What a turn of the inquisitor has decided.</summary>
/// <param name="FeedUntilNs">The watchdog may be fed until then, if nothing else is heard; in the past: not.</param>
/// <param name="MayArm">The vote is won for good: the watchdog may be armed, the start is done.</param>
/// <param name="StartFailed">The watchdog is not armed yet, and the vote was not won for too long.</param>
public readonly record struct Verdict(long FeedUntilNs, bool MayArm, bool StartFailed);

/// <summary>
/// Counts the votes of the servants. A node lives while a majority of its devices can be read and asks for nothing: the
/// sender of a message needs a majority too, so one device at least has it and is read. Of two devices one is enough to
/// live, and the sender needs both. Without a majority it lives on while the cluster says that all is well, because
/// then nobody shoots.
/// </summary>
public sealed class Inquisitor(InquisitorOptions options, long startNs)
{
    private const long Never = long.MinValue / 2;

    private readonly Input[] _inputs =
        [.. options.Inputs.Select(kind => new Input { Kind = kind, EvidenceNs = Never, StartedNs = startNs })];

    private bool _armed;
    private bool _clusterRequired;
    private long _lastWonNs = startNs;

    /// <summary>The devices of which a majority is needed; 0 on a node without.</summary>
    public int DiskCount { get; } = options.Inputs.Count(kind => kind == InputKind.Disk);

    /// <summary>An input has proved its health at this time.</summary>
    public void OnAlive(int input, long evidenceNs) =>
        _inputs[input].EvidenceNs = Math.Max(_inputs[input].EvidenceNs, evidenceNs);

    /// <summary>An input knows that the node is not healthy: earlier proofs count no more.</summary>
    public void OnUnhealthy(int input) => _inputs[input].EvidenceNs = Never;

    /// <summary>The cluster was shut down in order: it is asked for only once it is seen again.</summary>
    public void OnLeft(int input)
    {
        OnUnhealthy(input);
        _clusterRequired = false;
    }

    /// <summary>An input has ended; <see cref="TakeRestart"/> says when to start it again.</summary>
    public void OnEnded(int input) => _inputs[input].Ended = true;

    /// <summary>The watchdog was armed; from now on losing the vote is deadly.</summary>
    public void OnArmed() => _armed = true;

    /// <summary>Starts every input that has ended at the next call of <see cref="TakeRestart"/>.</summary>
    public void ForgetRestarts()
    {
        foreach (var input in _inputs)
        {
            input.Restarts = 0;
            input.StartedNs = Never;
        }
    }

    /// <returns>An input to be started again now, or -1.</returns>
    public int TakeRestart(long nowNs)
    {
        for (var i = 0; i < _inputs.Length; i++)
        {
            var input = _inputs[i];
            if (!input.Ended)
            {
                continue;
            }

            if (nowNs - input.StartedNs > options.RestartNs)
            {
                input.Restarts = 0;
            }
            else if (options.RestartCount != 0 && input.Restarts >= options.RestartCount)
            {
                continue;
            }

            input.Restarts++;
            input.StartedNs = nowNs;
            input.Ended = false;
            return i;
        }

        return -1;
    }

    /// <summary>The vote, from what has been heard so far.</summary>
    public Verdict Judge(long nowNs)
    {
        var until = DiskCount > 0 ? JudgeWithDisks(nowNs) : JudgeWithoutDisks(nowNs);
        var mayArm = nowNs < (DiskCount > 0 ? DiskUntil() : AnyClusterUntil());
        if (nowNs < until || DiskCount == 0)
        {
            // A node without devices waits for its cluster as long as it takes.
            _lastWonNs = nowNs;
        }

        return new Verdict(until, mayArm, !_armed && nowNs - _lastWonNs > options.WatchdogNs);
    }

    /// <summary>How many inputs of a kind are healthy, for the log.</summary>
    public int CountHealthy(InputKind kind, long nowNs) =>
        _inputs.Count(input => input.Kind == kind && nowNs < input.EvidenceNs + options.ProofNs);

    private long JudgeWithDisks(long nowNs)
    {
        var (disk, cluster) = (DiskUntil(), ClusterUntil());
        if (!options.NeedCluster)
        {
            return Math.Max(disk, cluster);
        }

        _clusterRequired |= nowNs < Math.Min(disk, cluster);
        return _clusterRequired ? Math.Min(disk, cluster) : disk;
    }

    private long JudgeWithoutDisks(long nowNs)
    {
        _clusterRequired |= nowNs < ClusterUntil();
        return _clusterRequired ? ClusterUntil() : AnyClusterUntil();
    }

    /// <summary>When the majority of devices runs out.</summary>
    private long DiskUntil()
    {
        var needed = DiskCount == 2 ? 1 : (DiskCount / 2) + 1;
        return (needed == 1
            ? Newest(InputKind.Disk, InputKind.Disk)
            : Middle(_inputs[0].EvidenceNs, _inputs[1].EvidenceNs, _inputs[2].EvidenceNs)) + options.ProofNs;
    }

    /// <summary>When the first of the cluster's inputs runs out; never won if there is none.</summary>
    private long ClusterUntil()
    {
        var oldest = long.MaxValue;
        foreach (var input in _inputs)
        {
            oldest = input.Kind == InputKind.Disk ? oldest : Math.Min(oldest, input.EvidenceNs);
        }

        return oldest == long.MaxValue ? Never : oldest + options.ProofNs;
    }

    private long AnyClusterUntil() => Newest(InputKind.Pacemaker, InputKind.Cluster) + options.ProofNs;

    private long Newest(InputKind one, InputKind other)
    {
        var newest = Never;
        foreach (var input in _inputs)
        {
            newest = input.Kind == one || input.Kind == other ? Math.Max(newest, input.EvidenceNs) : newest;
        }

        return newest;
    }

    private static long Middle(long a, long b, long c) => Math.Max(Math.Min(a, b), Math.Min(Math.Max(a, b), c));

    private sealed class Input
    {
        public InputKind Kind;
        public long EvidenceNs;
        public long StartedNs;
        public uint Restarts;
        public bool Ended;
    }
}
