using BlockRepl.Platform.Native;
using BlockRepl.Platform.Storage;

namespace BlockRepl.Platform.Fencing;

/// <summary>How a node ends.</summary>
public enum NodeEnd
{
    Reset = 0,
    Off = 1,
    CrashDump = 2,

    /// <summary>Not at all: for who looks at a daemon at work.</summary>
    Trace = 3,
}

/// <summary>What the guard is told when it arms the watchdog.</summary>
/// <param name="TimeoutSeconds">The watchdog's time-out.</param>
/// <param name="SetTimeout">Whether it is to be set; else it is left as it is.</param>
/// <param name="TurnLimit">So old may the last published turn be.</param>
/// <param name="End">What is done when the vote is lost or this process vanishes.</param>
/// <param name="Flush">Write out what is in memory first.</param>
/// <param name="CrashSeconds">The watchdog's time-out while memory is dumped; 0: it is disarmed.</param>
public sealed record GuardOrders(
    int TimeoutSeconds, bool SetTimeout, TimeSpan TurnLimit, NodeEnd End, bool Flush, int CrashSeconds);

/// <summary>An answer of the guard.</summary>
/// <param name="IsGone">The guard has ended, and nothing else counts.</param>
/// <param name="HasStopped">It answers a stop, not an arming.</param>
/// <param name="Errno">0, or why the watchdog could not be armed.</param>
/// <param name="TimeoutSeconds">The time-out that the watchdog has taken.</param>
public readonly record struct GuardAnswer(bool IsGone, bool HasStopped, int Errno, int TimeoutSeconds)
{
    /// <summary>The watchdog has taken another time-out than it was given.</summary>
    public bool IsOtherTimeout => Errno == 34;

    public bool IsBusy => Errno == NativeError.Busy;

    public string Reason => NativeError.Message(Errno);
}

/// <summary>
/// The process blockrepl-guard, which feeds the watchdog while what is published here allows it, and ends the node
/// when it does not, or when this process vanishes. See native/src/guard_main.c.
/// </summary>
public sealed unsafe class Guard
{
    private readonly int _control;
    private readonly NativeGuardTable* _table;

    private Guard(int control, NativeGuardTable* table)
    {
        _control = control;
        _table = table;
    }

    /// <summary>When the watchdog was fed last, on <see cref="BootClock"/>.</summary>
    public long LastFedNs => Volatile.Read(ref _table->LastFedNs);

    /// <param name="program">Where the guard's program is.</param>
    /// <param name="watchdog">Empty: there is none.</param>
    /// <param name="rehearsal">Not empty: a file that takes what would end the node.</param>
    /// <param name="realTime">At the highest priority and with its memory locked.</param>
    /// <exception cref="BlockDeviceException">It cannot be started.</exception>
    public static Guard Start(string program, string watchdog, string rehearsal, bool realTime)
    {
        AbiCheck.Run();
        NativeGuardTable* table;
        var control = NativeMethods.GuardStart(program, watchdog, rehearsal, realTime ? 1u : 0, &table);
        return control >= 0
            ? new Guard(control, table)
            : throw new BlockDeviceException($"{program} cannot be started: {NativeError.Message(-control)}", -control);
    }

    /// <summary>Ends the node from this process: when the guard is gone.</summary>
    public static void EndNodeWithoutGuard(NodeEnd end, bool flush, string rehearsal) =>
        _ = NativeMethods.NodeEnd((int)end, flush ? 1 : 0, rehearsal);

    /// <summary>The watchdog may be fed until then; the inquisitor's last turn was then.</summary>
    public void Publish(long voteUntilNs, long turnNs)
    {
        Volatile.Write(ref _table->VoteUntilNs, voteUntilNs);
        Volatile.Write(ref _table->TurnNs, turnNs);
    }

    /// <summary>Answered, see <see cref="Receive"/>.</summary>
    public void Arm(GuardOrders orders)
    {
        var native = new NativeGuardOrders
        {
            TimeoutSeconds = orders.TimeoutSeconds,
            SetTimeout = orders.SetTimeout ? 1 : 0,
            TurnLimitMs = (int)Math.Min(orders.TurnLimit.TotalMilliseconds, int.MaxValue),
            End = (int)orders.End,
            Flush = orders.Flush ? 1 : 0,
            CrashSeconds = orders.CrashSeconds,
        };
        _ = NativeMethods.GuardArm(_control, &native);
    }

    /// <summary>Disarms the watchdog and ends the guard; answered.</summary>
    public void Stop() => _ = NativeMethods.GuardStop(_control);

    /// <summary>Ends the node at once.</summary>
    public void EndNode(NodeEnd end, bool flush, int crashSeconds) =>
        _ = NativeMethods.GuardEndNode(_control, (int)end, flush ? 1 : 0, crashSeconds);

    /// <summary>Waits for an answer.</summary>
    public GuardAnswer Receive()
    {
        int seconds;
        int result;
        var got = NativeMethods.GuardReceive(_control, &seconds, &result);
        return got < 0 ? new GuardAnswer(true, false, 0, 0) : new GuardAnswer(false, got == 1, -result, seconds);
    }
}

/// <summary>A clock that never goes back and does not stop while the machine sleeps.</summary>
public static class BootClock
{
    public static long NowNs => NativeMethods.BootTimeNs();
}

/// <summary>Watchdogs as files.</summary>
public static class WatchdogFile
{
    /// <summary>The process that has it open, 0 if none is found.</summary>
    public static int FindHolder(string path) => NativeMethods.WatchdogHolder(path);

    /// <summary>The device's numbers, null if it is no character device.</summary>
    public static (int Major, int Minor)? Numbers(string path)
    {
        var numbers = NativeMethods.CharacterDevice(path);
        return numbers < 0 ? null : ((int)(numbers >> 32), (int)(numbers & uint.MaxValue));
    }
}
