namespace BlockRepl.Sbd;

/// <summary>What the feeder of the watchdog does next.</summary>
public enum FeedingStep
{
    Feed,

    /// <summary>Some input's proof is too old, or the watchdog is due: do not feed.</summary>
    Hold,

    /// <summary>The watchdog should have bitten: it is dead or there is none, so end the node by other means.</summary>
    EndNode,
}

/// <summary>
/// The rule by which the watchdog is fed, as native/src/guard_main.c carries it out in a process of its own; here for
/// the simulator, which must know the whole chain.
/// </summary>
public static class FeedingRule
{
    /// <summary>
    /// So long after the watchdog is due the node is ended by other means. A watchdog that works is then always first,
    /// also one whose clock is slow by a tenth of 5 s; and with the feeder's tick of 0.2 s the end is still within the
    /// second that <see cref="Timeouts.DeadAfter"/> has for it.
    /// </summary>
    public const long GraceNs = 500_000_000;

    public static FeedingStep Decide(
        long nowNs, long lastFedNs, long watchdogNs, long voteUntilNs, long turnNs, long turnLimitNs)
    {
        var overdueNs = nowNs - lastFedNs - watchdogNs;
        if (overdueNs > 0)
        {
            // Also when the proofs are fresh again: others may take this node for dead already.
            return overdueNs > GraceNs ? FeedingStep.EndNode : FeedingStep.Hold;
        }

        return nowNs < voteUntilNs && nowNs - turnNs < turnLimitNs ? FeedingStep.Feed : FeedingStep.Hold;
    }
}
