using BlockRepl.Daemon.Hosting;
using BlockRepl.FrontEnd.Devices;
using Microsoft.Extensions.Logging;

namespace BlockRepl.Daemon.Devices;

/// <summary>Which front end gives the volumes their devices.</summary>
internal static class FrontEndChoice
{
    public const string Auto = "auto";
    public const string None = "none";

    /// <summary>The best comes first.</summary>
    public static readonly IReadOnlyList<string> Names = ["ublk", "nbd", "fuse"];

    public static bool IsKnown(string? wanted) => wanted is null or Auto or None || Names.Contains(wanted);

    /// <summary>The front end that was asked for, or the best that can be used; null for none.</summary>
    /// <param name="wanted">auto, none, a front end's name, or null: auto for root, else none.</param>
    /// <exception cref="StartupException">The one asked for by name cannot be used.</exception>
    public static IDeviceFrontEnd? Choose(
        string? wanted, IReadOnlyList<IDeviceFrontEnd> frontEnds, bool isRoot, ILogger logger)
    {
        if (wanted is null && !isRoot)
        {
            Log.NoDevices(logger, "the daemon does not run as root");
            return null;
        }

        if (wanted == None)
        {
            return null;
        }

        var reasons = new List<string>();
        foreach (IDeviceFrontEnd frontEnd in frontEnds.Where(
            candidate => wanted is null or Auto || candidate.Name == wanted))
        {
            if (frontEnd.IsUsable(out string why))
            {
                Log.FrontEndChosen(logger, frontEnd.Name);
                return frontEnd;
            }

            reasons.Add($"{frontEnd.Name}: {why}");
        }

        string reason = reasons.Count > 0 ? string.Join("; ", reasons) : "there is no front end for it";
        if (wanted is not (null or Auto))
        {
            throw new StartupException(
                $"--frontend {wanted} cannot be used here: {reason}. Choose another, or auto, or none.");
        }

        Log.NoDevices(logger, reason);
        return null;
    }
}
