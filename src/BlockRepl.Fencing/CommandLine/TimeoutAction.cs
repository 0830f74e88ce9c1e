using BlockRepl.Platform.Fencing;

namespace BlockRepl.Fencing.CommandLine;

/// <summary>What is done when the node must end itself because the vote was lost.</summary>
/// <param name="Flush">Write out what is in memory first.</param>
internal readonly record struct TimeoutAction(NodeEnd End, bool Flush)
{
    /// <exception cref="SbdException">Unknown words.</exception>
    public static TimeoutAction Parse(string text)
    {
        var action = new TimeoutAction(NodeEnd.Reset, Flush: true);
        foreach (var word in text.Split(','))
        {
            action = word switch
            {
                "flush" => action with { Flush = true },
                "noflush" => action with { Flush = false },
                "reboot" => action with { End = NodeEnd.Reset },
                "off" => action with { End = NodeEnd.Off },
                "crashdump" => action with { End = NodeEnd.CrashDump },
                _ => throw new SbdException($"Failed to parse timeout-action \"{text}\": "
                    + "noflush or flush, and reboot, off or crashdump, with a comma between them."),
            };
        }

        return action;
    }
}
