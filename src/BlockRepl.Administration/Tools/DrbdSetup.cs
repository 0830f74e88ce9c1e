using System.Globalization;
using System.Text;
using BlockRepl.Administration.Control;
using BlockRepl.Configuration.Syntax;
using BlockRepl.Core;

namespace BlockRepl.Administration.Tools;

/// <summary>
/// drbdsetup: one command on one object, which the daemon carries out. What drbd.conf says the daemon reads there; on
/// the command line it is accepted where it says the same.
/// </summary>
internal sealed partial class DrbdSetup(IToolHost host, NodeLocation location, IToolTerminal terminal)
{
    /// <returns>The exit code.</returns>
    public async Task<int> RunAsync(IReadOnlyList<string> arguments, CancellationToken cancellation)
    {
        // The order of old: drbdsetup 0 role.
        string[] words = arguments is [_, _, ..] && SetupCommand.Find(arguments[0]) is null
            && SetupCommand.Find(arguments[1]) is not null && arguments[0] is not ("help" or "xml-help")
            ? [arguments[1], arguments[0], .. arguments.Skip(2)]
            : [.. arguments];
        if (words is ["help", { } about] && SetupCommand.Find(about) is { } known)
        {
            terminal.Write($"USAGE:\n {known.Usage}\n");
            return ExitCodes.Success;
        }

        if (words.Length == 0 || words[0] is "help" || SetupCommand.Find(words[0]) is not { } command)
        {
            ShowUsage(words.Length == 0 || words[0] == "help"
                ? ""
                : $"\ninvalid command '{words[0]}'"
                    + NearestWord.Question(words[0], SetupCommand.All.Select(known => known.Name)) + "\n");
            return ExitCodes.CannotExecute;
        }

        try
        {
            ToolWords given = ToolWords.Parse(words[1..], command.Options, command.TakesConfigured);
            CheckCount(command, given);
            return await ExecuteAsync(command, given, cancellation);
        }
        catch (ToolUsageException error)
        {
            terminal.WriteError($"drbdsetup {command.Name}: {error.Message}\nUSAGE:\n {command.Usage}\n");
            return ExitCodes.CannotExecute;
        }
        catch (ControlException error) when (error.IsAbsent && command.DoneWithoutDaemon)
        {
            return ExitCodes.Success;
        }
        catch (ControlException error)
        {
            terminal.WriteError(error.Message + "\n");
            return ExitCodes.CannotExecute;
        }
        catch (RefusedException error)
        {
            terminal.WriteError(error.Message + "\n");
            return error.ExitCode;
        }
    }

    private static void CheckCount(SetupCommand command, ToolWords given)
    {
        int count = given.Words.Count;
        if (count > command.Arguments.Count)
        {
            throw new ToolUsageException($"unexpected argument '{given.Words[command.Arguments.Count]}'");
        }

        if (count < command.Arguments.Count && !(command.DefaultsToAll && count == 0))
        {
            throw new ToolUsageException($"missing argument {{{command.Arguments[count]}}}");
        }
    }

    private Task<int> ExecuteAsync(SetupCommand command, ToolWords given, CancellationToken cancellation)
    {
        switch (command.Name)
        {
            case "role" or "state" or "cstate" or "dstate":
                return StateWordAsync(command.Name, given.Words[0], cancellation);
            case "sh-status" or "status":
                return StatusAsync(command.Name, given, cancellation);
            case "events" or "events2":
                return EventsAsync(command.Name == "events", given, cancellation);
            case "show":
                return ShowAsync(given, cancellation);
            case "down" or "new-resource" or "resource-options" or "del-resource" or "reload":
                return OfResourceAsync(command.Name, given, cancellation);
            case "new-minor":
                return NewMinorAsync(given, cancellation);
            case "connect":
                return ConnectAsync(given, cancellation);
            case "disconnect" or "net-options":
                return OfConnectionAsync(command.Name, given, cancellation);
            case "check-resize":
                return RememberSizeAsync(given, cancellation);
            default:
                return OfVolumeAsync(command.Name, given, cancellation);
        }
    }

    /// <summary>The commands that the daemon has for one volume, or for its resource.</summary>
    private async Task<int> OfVolumeAsync(string command, ToolWords given, CancellationToken cancellation)
    {
        VolumeReport volume = await FindVolumeAsync(given.Words[0], cancellation);
        if (command is "attach" or "disk-options")
        {
            CheckConfigured(command, volume, given);
        }

        string target = command is "primary" or "secondary" or "suspend-io" or "resume-io" or "disk-options"
            ? volume.Resource
            : volume.NbdExport;
        return await AskAsync(
            new ControlRequest
            {
                Command = command == "disk-options" ? "reload" : command,
                Target = target,
                CalledAs = given.Words[0],
                Force = given.Has("force") || given.Has("overwrite-data-of-peer"),
                ClearBitmap = given.Has("clear-bitmap"),
                AssumeClean = given.Has("assume-clean"),
                AssumePeerHasSpace = given.Has("assume-peer-has-space"),
                SizeSectors = Sectors(given, "size"),
                StartSector = Sectors(given, "start"),
                StopSector = Sectors(given, "stop"),
                WaitSeconds = Seconds(given, "wfc-timeout") ?? Seconds(given, "timeout"),
                DegradedWaitSeconds = Seconds(given, "degr-wfc-timeout"),
                OutdatedWaitSeconds = Seconds(given, "outdated-wfc-timeout"),
                WaitAfterSplitBrain = given.Has("wait-after-sb") ? true : null,
            },
            cancellation);
    }

    private async Task<int> OfResourceAsync(string command, ToolWords given, CancellationToken cancellation)
    {
        string resource = given.Words[0];
        if (command is "new-resource" or "resource-options")
        {
            CheckConfigured(command, resource, given);
        }

        return await AskAsync(
            new ControlRequest
            {
                Command = command == "resource-options" ? "reload" : command,
                Target = resource,
                CalledAs = resource,
            },
            cancellation);
    }

    private async Task<int> NewMinorAsync(ToolWords given, CancellationToken cancellation)
    {
        string resource = given.Words[0];
        NodeStatus status = await host.StatusAsync(cancellation);
        if (status.Volumes.All(volume => volume.Resource != resource))
        {
            throw new RefusedException(resource, ErrorNumber.UnknownResource, "make it with new-resource first.");
        }

        bool there = status.Volumes.Any(volume => volume.Resource == resource
            && volume.Minor == Number(given.Words[1], "minor") && volume.Volume == Number(given.Words[2], "volume"));
        return there
            ? ExitCodes.Success
            : throw new RefusedException(
                given.Words[1], ErrorNumber.InvalidRequest,
                $"{resource} has no volume {given.Words[2]} with this minor; BlockRepl takes them from the "
                + "configuration, where it is to be defined.");
    }

    private async Task<int> ConnectAsync(ToolWords given, CancellationToken cancellation)
    {
        string resource = given.Words[0];
        NodeStatus status = await host.StatusAsync(cancellation);
        ResourceReport known = status.Resources.FirstOrDefault(r => r.Resource == resource)
            ?? throw new RefusedException(resource, ErrorNumber.UnknownResource, "make it with new-resource first.");
        if (known.LocalAddress != given.Words[1] || known.PeerAddress != given.Words[2])
        {
            throw new RefusedException(
                resource, ErrorNumber.InvalidRequest,
                $"it was brought up for {known.LocalAddress} and {known.PeerAddress}; other addresses come from the "
                + "configuration: drbdadm adjust.");
        }

        CheckConfigured("connect", resource, given);
        return await AskAsync(
            new ControlRequest
            {
                Command = "connect",
                Target = resource,
                CalledAs = resource,
                DiscardMyData = given.Has("discard-my-data"),
                Tentative = given.Has("tentative"),
            },
            cancellation);
    }

    private async Task<int> OfConnectionAsync(string command, ToolWords given, CancellationToken cancellation)
    {
        NodeStatus status = await host.StatusAsync(cancellation);
        string called = $"{given.Words[0]} {given.Words[1]}";
        ResourceReport known = status.Resources.FirstOrDefault(
            r => r.LocalAddress == given.Words[0] && r.PeerAddress == given.Words[1])
            ?? throw new RefusedException(called, ErrorNumber.InvalidRequest, "unknown connection.");
        if (command == "net-options")
        {
            CheckConfigured(command, known.Resource, given);
            return await AskAsync(
                new ControlRequest { Command = "reload", Target = known.Resource, CalledAs = called }, cancellation);
        }

        if (status.Volumes.First(volume => volume.Resource == known.Resource).Connection == "StandAlone")
        {
            throw new RefusedException(
                called, ErrorNumber.InvalidRequest, "unknown connection: it is StandAlone already.");
        }

        return await AskAsync(
            new ControlRequest
            {
                Command = "disconnect", Target = known.Resource, CalledAs = called, Force = given.Has("force"),
            },
            cancellation);
    }

    private async Task<int> AskAsync(ControlRequest request, CancellationToken cancellation)
    {
        ControlReply reply = await host.AskAsync(request with { Config = location.ConfigPath }, cancellation);
        foreach (string message in reply.Messages)
        {
            terminal.WriteError(message + "\n");
        }

        terminal.Write(reply.Output);
        return reply.ExitCode;
    }

    /// <summary>The volume that a minor's number, or a device's path, means.</summary>
    private async Task<VolumeReport> FindVolumeAsync(string given, CancellationToken cancellation)
    {
        NodeStatus status = await host.StatusAsync(cancellation);
        string name = Path.GetFileName(given);
        VolumeReport? found = int.TryParse(given, NumberStyles.None, CultureInfo.InvariantCulture, out int minor)
            || (name.StartsWith("drbd", StringComparison.Ordinal)
                && int.TryParse(name.AsSpan(4), NumberStyles.None, CultureInfo.InvariantCulture, out minor))
            ? status.Volumes.FirstOrDefault(volume => volume.Minor == minor)
            : given.Split("drbd/by-res/") is [_, { } resource]
                ? status.Volumes.FirstOrDefault(volume => volume.NbdExport == resource || volume.Resource == resource)
                : throw new ToolUsageException($"'{given}' is no minor: write its number, or /dev/drbdN");
        return found ?? throw new RefusedException(
            given, ErrorNumber.UnknownMinor, "there is no such minor here; bring its resource up first.");
    }

    private void ShowUsage(string problem)
    {
        var text = new StringBuilder(
            "\nUSAGE: drbdsetup command device arguments options\n\n"
            + "Device is a minor's number or /dev/drbdN.\n\nCommands are:\n");
        foreach (string[] row in SetupCommand.All.Select(command => command.Name).Chunk(3))
        {
            text.Append("    ").AppendJoin("", row.Select(name => name.PadRight(20))).Append('\n');
        }

        text.Append("\nTo get more details about a command issue 'drbdsetup help cmd'.\n").Append(problem);
        terminal.Write(text.ToString());
    }

    private static int Number(string text, string what) =>
        int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out int number)
            ? number
            : throw new ToolUsageException($"'{text}' is no {what}");

    private static int? Seconds(ToolWords given, string option)
    {
        const int longest = 300000;
        if (given.Value(option) is not { } text)
        {
            return null;
        }

        int seconds = Number(text, "number of seconds");
        return seconds <= longest
            ? seconds
            : throw new ToolUsageException($"--{option}={text} is out of range [0..{longest}]");
    }

    /// <summary>A number of sectors, or of bytes with a letter behind it, as in drbd.conf.</summary>
    private static ulong? Sectors(ToolWords given, string option)
    {
        if (given.Value(option) is not { Length: > 0 } text)
        {
            return null;
        }

        int shift = char.ToLowerInvariant(text[^1]) switch { 's' => 9, 'k' => 10, 'm' => 20, 'g' => 30, _ => 0 };
        string digits = shift == 0 ? text : text[..^1];
        if (!ulong.TryParse(digits, NumberStyles.None, CultureInfo.InvariantCulture, out ulong number)
            || number > ulong.MaxValue >> 30)
        {
            throw new ToolUsageException($"--{option}={text} is no size");
        }

        return shift == 0 ? number : ((number << shift) + 511) >> 9;
    }

    /// <summary>drbdsetup refuses by itself, in the daemon's way.</summary>
    private sealed class RefusedException(string target, int code, string reason)
        : Exception(ExitCodes.Describe(target, code, reason))
    {
        public int ExitCode => ExitCodes.FromResult(code);
    }
}
