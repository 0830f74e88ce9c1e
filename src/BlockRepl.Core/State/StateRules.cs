using BlockRepl.Core.Options;

namespace BlockRepl.Core.State;

/// <summary>
/// DRBD's rules about states: what a wanted state implies, which changes are refused and what a state means for I/O and meta
/// data. Pure functions; both nodes must come to the same conclusions.
/// </summary>
public static partial class StateRules
{
    /// <summary>
    /// Completes a wanted state. <paramref name="resyncAborted"/>: a resync or verify ends because a disk is gone.
    /// </summary>
    public static VolumeState Sanitize(
        in VolumeState old, in VolumeState wanted, in RuleContext c, out bool resyncAborted) =>
        throw new NotImplementedException();

    /// <summary>
    /// Checks a sanitised change. <paramref name="hard"/>: a fact that cannot be refused (errors, forced commands, what the
    /// peer reports); only impossible transitions are. NothingToDo if the states are equal, else Success or the reason.
    /// </summary>
    public static StateChangeResult Check(in VolumeState old, in VolumeState wanted, in RuleContext c, bool hard) =>
        throw new NotImplementedException();

    /// <summary>Check A, for every change: is there a way from the old to the new connection state?</summary>
    public static StateChangeResult CheckTransition(in VolumeState old, in VolumeState wanted) =>
        throw new NotImplementedException();

    /// <summary>Check B: may this state exist? <see cref="RuleContext.Fencing"/> is taken as it is.</summary>
    public static StateChangeResult CheckState(in VolumeState state, in RuleContext c) =>
        throw new NotImplementedException();

    /// <summary>Check C, for soft changes: the last condition that holds decides.</summary>
    public static StateChangeResult CheckSoftTransition(in VolumeState old, in VolumeState wanted, in RuleContext c) =>
        throw new NotImplementedException();

    /// <summary>Whether the peer must agree to a (sanitised) change beforehand.</summary>
    public static bool NeedsPeer(in VolumeState old, in VolumeState wanted) => throw new NotImplementedException();
}
