namespace BlockRepl.Sbd;

/// <summary>What the feeder of the watchdog does next.</summary>
public enum FeedingStep
{
    Feed,

    /// <summary>Some input's proof is too old: do not feed.</summary>
    Hold,

    /// <summary>Not fed for longer than the watchdog's time-out: it is dead or there is none, so end the node by
    /// other means.
    /// </summary>
    EndNode,
}

/// <summary>
/// The rule by which the watchdog is fed, as native/src/guard.c carries it out in a process of its own; here for the
/// simulator, which must know the whole chain.
/// </summary>
public static class FeedingRule
{
    public static FeedingStep Decide(
        long nowNs, long lastFedNs, long watchdogNs, long voteUntilNs, long turnNs, long turnLimitNs)
    {
        if (nowNs - lastFedNs > watchdogNs)
        {
            // Also when the proofs are fresh again: others may take this node for dead already.
            return FeedingStep.EndNode;
        }

        return nowNs < voteUntilNs && nowNs - turnNs < turnLimitNs ? FeedingStep.Feed : FeedingStep.Hold;
    }
}
