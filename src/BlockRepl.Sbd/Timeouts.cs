namespace BlockRepl.Sbd;

/// <summary>The four times that a device's header holds, in seconds.</summary>
/// <param name="Watchdog">The node's watchdog bites when it was not fed for so long.</param>
/// <param name="Allocate">A slot just written is looked at again after so long.</param>
/// <param name="Loop">A servant looks at its device so often.</param>
/// <param name="MessageWait">Who has sent a message may take the other node for dead after so long.</param>
public readonly record struct Timeouts(uint Watchdog, uint Allocate, uint Loop, uint MessageWait)
{
    public static Timeouts Default { get; } = new(5, 2, 1, 10);

    /// <summary>
    /// A node that reads its device no more is dead by then, at the latest. Its last proof of health counts for loop
    /// and I/O time-out; then nobody feeds the watchdog, and it bites; the second is for what the watchdog rounds, or,
    /// if it is dead, for the feeder that ends the node in its place (<see cref="FeedingRule.GraceNs"/>).
    /// </summary>
    public long DeadAfter(uint ioTimeout) => (long)Loop + ioTimeout + Watchdog + 1;

    /// <summary>What does not fit together, with the numbers; nothing if all is well.</summary>
    public IEnumerable<string> Problems(uint ioTimeout)
    {
        if (Watchdog == 0)
        {
            yield return "the watchdog time-out is 0 s: no watchdog can be set to it";
        }

        if (MessageWait < 2L * Watchdog)
        {
            yield return $"the msgwait time-out of {MessageWait} s is less than twice the watchdog time-out of "
                + $"{Watchdog} s: a sender may take a node for dead that still runs; "
                + $"create with -4 {2L * Watchdog} or more";
        }

        if (MessageWait < DeadAfter(ioTimeout))
        {
            yield return $"the msgwait time-out of {MessageWait} s is less than loop {Loop} + I/O {ioTimeout} + "
                + $"watchdog {Watchdog} + 1 = {DeadAfter(ioTimeout)} s, which a node that lost its device may live on";
        }

        if (Allocate >= Watchdog && Watchdog > 0)
        {
            yield return $"the allocate time-out of {Allocate} s is not less than the watchdog time-out of {Watchdog} "
                + "s: the first start of a node, which must allocate its slot, will not be in time";
        }
    }
}
