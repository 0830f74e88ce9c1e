namespace BlockRepl.Core.State;

/// <summary>
/// DRBD's rules about states: what a wanted state implies, which changes are refused and what a state means for I/O and
/// meta data. Pure functions; both nodes must come to the same conclusions.
/// </summary>
public static partial class StateRules
{
    /// <summary>
    /// Checks a sanitised change. <paramref name="hard"/>: a fact that cannot be refused (errors, forced commands, what
    /// the peer reports); only impossible transitions are. NothingToDo if the states are equal, else Success or the
    /// reason.
    /// </summary>
    public static StateChangeResult Check(in VolumeState old, in VolumeState wanted, in RuleContext c, bool hard)
    {
        if (old == wanted)
        {
            return StateChangeResult.NothingToDo;
        }

        StateChangeResult transition = CheckTransition(old, wanted);
        if (!transition.Succeeded())
        {
            return transition;
        }

        if (hard)
        {
            return StateChangeResult.Success;
        }

        RuleContext effective = WithEffectiveFencing(old, c);
        StateChangeResult validity = CheckState(wanted, effective);

        // A state that is bad already may be left for another one that is bad in the same way: else there is no way
        // out.
        if (!validity.Succeeded() && CheckState(old, effective) != validity)
        {
            return validity;
        }

        return CheckSoftTransition(old, wanted, effective);
    }

    /// <summary>Whether the peer must agree to a (sanitised) change beforehand.</summary>
    public static bool NeedsPeer(in VolumeState old, in VolumeState wanted)
    {
        if (old.Connection < ConnectionState.Connected)
        {
            return false;
        }

        if (wanted.Connection >= ConnectionState.Connected)
        {
            bool promotion = wanted.Role == Role.Primary && old.Role != Role.Primary;
            bool fullSync = wanted.Connection != old.Connection
                && wanted.Connection is ConnectionState.StartingSyncS or ConnectionState.StartingSyncT;
            bool detach = wanted.Disk == DiskState.Failed && old.Disk != DiskState.Failed;
            if (promotion || fullSync || detach)
            {
                return true;
            }
        }

        bool disconnect = wanted.Connection == ConnectionState.Disconnecting;
        bool verifyOrRemoval = old.Connection == ConnectionState.Connected
            && wanted.Connection is ConnectionState.VerifyS or ConnectionState.WFReportParams;
        return disconnect || verifyOrRemoval;
    }

    private static RuleContext WithEffectiveFencing(in VolumeState present, in RuleContext c) =>
        present.Disk >= DiskState.Inconsistent ? c : c with { Fencing = Options.FencingPolicy.DontCare };
}
