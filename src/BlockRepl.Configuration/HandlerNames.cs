using BlockRepl.Core;

namespace BlockRepl.Configuration;

/// <summary>The handlers' names in drbd.conf.</summary>
public static class HandlerNames
{
    public static string Name(this HandlerKind handler) => handler switch
    {
        HandlerKind.PrimaryOnInconsistentDegraded => "pri-on-incon-degr",
        HandlerKind.PrimaryLostAfterSplitBrain => "pri-lost-after-sb",
        HandlerKind.PrimaryLost => "pri-lost",
        HandlerKind.FencePeer => "fence-peer",
        HandlerKind.UnfencePeer => "unfence-peer",
        HandlerKind.LocalIoError => "local-io-error",
        HandlerKind.InitialSplitBrain => "initial-split-brain",
        HandlerKind.SplitBrain => "split-brain",
        HandlerKind.BeforeResyncTarget => "before-resync-target",
        HandlerKind.AfterResyncTarget => "after-resync-target",
        HandlerKind.BeforeResyncSource => "before-resync-source",
        HandlerKind.OutOfSync => "out-of-sync",
        _ => throw new ArgumentOutOfRangeException(nameof(handler)),
    };

    /// <exception cref="ArgumentException">No handler has this name.</exception>
    public static HandlerKind Parse(string name)
    {
        foreach (HandlerKind handler in Enum.GetValues<HandlerKind>())
        {
            if (handler.Name() == name)
            {
                return handler;
            }
        }

        throw new ArgumentException($"no handler is called '{name}'", nameof(name));
    }
}
