namespace BlockRepl.Sbd;

/// <summary>What a look at the cluster says about this node.</summary>
public enum Health
{
    /// <summary>Nothing: the last proof of health is left to age.</summary>
    Unknown,
    Healthy,

    /// <summary>Earlier proofs count no more.</summary>
    Unhealthy,

    /// <summary>Shut down in order: nobody misses it.</summary>
    Left,
}

/// <summary>A verdict and its reason, in words for the log.</summary>
public readonly record struct HealthVerdict(Health Health, string Reason);

/// <summary>What corosync says.</summary>
/// <param name="Members">Nodes that run sbd, this one included.</param>
/// <param name="IsTwoNode">The cluster has two nodes, and either has quorum without the other.</param>
/// <param name="QdeviceMs">So long the quorum may wait for a quorum device; 0: there is none.</param>
public readonly record struct CorosyncView(int Members, bool IsTwoNode, long QdeviceMs);

/// <summary>
/// Judges this node's membership. In a cluster of two nodes each has quorum alone, so there a peer that was seen once
/// must stay: without it nobody knows whether this node is the one that is cut off.
/// </summary>
public sealed class CorosyncJudge(uint watchdogSeconds)
{
    private bool _wasWhole;

    public HealthVerdict Judge(CorosyncView view)
    {
        _wasWhole |= view.Members > 1;
        if (view.Members == 0)
        {
            return new HealthVerdict(Health.Unhealthy, "this node is no member");
        }

        if (view.IsTwoNode && _wasWhole && view.Members < 2)
        {
            return new HealthVerdict(Health.Unhealthy, "the other of the two nodes has gone");
        }

        return view.QdeviceMs > watchdogSeconds * 1000L
            ? new HealthVerdict(
                Health.Unhealthy,
                $"the quorum may wait {view.QdeviceMs} ms for its device, longer than the watchdog's "
                    + $"{watchdogSeconds} s")
            : new HealthVerdict(Health.Healthy, $"{view.Members} nodes run sbd");
    }
}

/// <summary>How far pacemakerd has got; the numbers are its own.</summary>
public enum PacemakerdState
{
    Starting = 1,
    WaitingForPing = 2,
    Running = 3,
    ShuttingDown = 4,
    ShutDown = 5,
}

/// <summary>What Pacemaker knows of this node and its partition.</summary>
/// <param name="HasController">There is a node that decides, the DC.</param>
/// <param name="HasQuorum">This partition has quorum.</param>
/// <param name="KeepsRunningWithoutQuorum">What is done when quorum is lost leaves the node as it is.</param>
/// <param name="IsOnline">This node is known and online.</param>
/// <param name="IsUnclean">It is to be fenced.</param>
/// <param name="IsPending">It is just joining.</param>
public readonly record struct PacemakerNode(
    bool HasController,
    bool HasQuorum,
    bool KeepsRunningWithoutQuorum,
    bool IsOnline,
    bool IsUnclean,
    bool IsPending);

/// <summary>Judges what Pacemaker knows of this node.</summary>
/// <param name="hasDisks">The node has devices too.</param>
/// <param name="watchdogSeconds">So old may pacemakerd's last look at its own daemons be.</param>
public sealed class PacemakerJudge(bool hasDisks, uint watchdogSeconds)
{
    private bool _hadQuorum;
    private bool _hasLeft;

    /// <param name="state">pacemakerd's answer.</param>
    /// <param name="checkAgeSeconds">So long ago it has found all of its daemons in order.</param>
    /// <param name="node">Null: it could not be read.</param>
    public HealthVerdict Judge(PacemakerdState state, long checkAgeSeconds, PacemakerNode? node)
    {
        if (state == PacemakerdState.ShutDown)
        {
            // Told once: from here on this is a node on which Pacemaker has not been started.
            var told = _hasLeft;
            (_hasLeft, _hadQuorum) = (true, false);
            return new HealthVerdict(told ? Health.Unknown : Health.Left, "Pacemaker was shut down");
        }

        _hasLeft = false;
        if (state is not (PacemakerdState.Running or PacemakerdState.ShuttingDown))
        {
            return Unknown("Pacemaker is starting");
        }

        if (checkAgeSeconds >= watchdogSeconds)
        {
            return Unknown("pacemakerd has not found its daemons in order lately");
        }

        return node is { } known ? JudgeNode(known, state == PacemakerdState.ShuttingDown)
            : Unknown("the cluster's state cannot be read");
    }

    private HealthVerdict JudgeNode(PacemakerNode node, bool isLeaving)
    {
        if (!node.HasController)
        {
            return Unknown("no node is DC");
        }

        if (node.IsUnclean)
        {
            return new HealthVerdict(Health.Unhealthy, "this node is unclean");
        }

        if (!node.IsOnline)
        {
            return isLeaving
                ? Unknown("this node is leaving")
                : new HealthVerdict(Health.Unhealthy, "this node is offline");
        }

        if (node.IsPending)
        {
            return Unknown("this node is joining");
        }

        if (node.HasQuorum)
        {
            _hadQuorum = true;
            return new HealthVerdict(Health.Healthy, "this node is online");
        }

        if (hasDisks)
        {
            return new HealthVerdict(Health.Unhealthy, "the partition has no quorum");
        }

        if (!_hadQuorum)
        {
            return new HealthVerdict(Health.Healthy, "this node is online, and there was no quorum yet");
        }

        return node.KeepsRunningWithoutQuorum
            ? Unknown("the partition has lost quorum")
            : new HealthVerdict(Health.Unhealthy, "the partition has lost quorum");
    }

    private static HealthVerdict Unknown(string reason) => new(Health.Unknown, reason);
}
