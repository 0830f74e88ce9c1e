using System.CommandLine;
using System.Diagnostics.CodeAnalysis;
using System.Net;
using BlockRepl.Administration;
using BlockRepl.Daemon.Devices;

namespace BlockRepl.Daemon.Hosting;

/// <summary>The daemon's options; one that is not given is looked up in the environment.</summary>
internal sealed class DaemonCommandLine
{
    private readonly NodeOptions _node = new();

    private readonly Option<string?> _nbdTcp = new("--nbd-tcp")
    {
        Description =
            "Serve NBD on this TCP address too, for clients on other machines. NBD has no authentication: "
            + "whoever reaches the port can read and write every Primary volume",
        HelpName = "ADDR:PORT",
    };

    private readonly Option<string?> _frontEnd = new("--frontend")
    {
        Description =
            "How Primary volumes get devices to mount: auto takes the best that the kernel has (root's default; else "
            + "none, or BLOCKREPL_FRONTEND); none serves NBD on the socket only",
        HelpName = $"{FrontEndChoice.Auto}|{string.Join('|', FrontEndChoice.Names)}|{FrontEndChoice.None}",
    };

    private readonly Option<string?> _deviceDirectory = new("--dev-dir")
    {
        Description = "Where the devices' names drbdN and drbd/by-... are made (default /dev, or BLOCKREPL_DEV_DIR)",
        HelpName = "DIR",
    };

    private readonly Option<bool> _successor = new(Succession.Option)
    {
        Description = "Take the place of the daemon that starts this one",
        Hidden = true,
    };

    public void AddTo(Command command)
    {
        _node.AddTo(command);
        command.Options.Add(_nbdTcp);
        command.Options.Add(_frontEnd);
        command.Options.Add(_deviceDirectory);
        command.Options.Add(_successor);
    }

    /// <summary>False: something cannot be understood; the problem says what, and what to write.</summary>
    public bool TryResolve(ParseResult parsed, [NotNullWhen(true)] out DaemonOptions? options, out string problem)
    {
        options = null;
        problem = "";
        IPEndPoint? tcp = null;
        string? text = parsed.GetValue(_nbdTcp);
        if (text is not null && !TryParseEndPoint(text, out tcp))
        {
            problem = $"--nbd-tcp {text}: write ADDRESS:PORT, such as 127.0.0.1:10809 or [::1]:10809.";
            return false;
        }

        string? frontEnd = Given(parsed.GetValue(_frontEnd), "BLOCKREPL_FRONTEND");
        if (!FrontEndChoice.IsKnown(frontEnd))
        {
            problem = $"--frontend {frontEnd}: write one of {_frontEnd.HelpName}.";
            return false;
        }

        string devices = Given(parsed.GetValue(_deviceDirectory), "BLOCKREPL_DEV_DIR") ?? "/dev";
        options = new DaemonOptions(
            _node.Resolve(parsed), tcp, frontEnd, Path.GetFullPath(devices), parsed.GetValue(_successor));
        return true;
    }

    /// <summary>The option, else the environment's variable, else null.</summary>
    private static string? Given(string? option, string variable) =>
        option is { Length: > 0 } ? option
        : Environment.GetEnvironmentVariable(variable) is { Length: > 0 } set ? set
        : null;

    private static bool TryParseEndPoint(string text, out IPEndPoint? endPoint) =>
        IPEndPoint.TryParse(text, out endPoint) && (endPoint.Port > 0 || text.EndsWith(":0", StringComparison.Ordinal));
}
