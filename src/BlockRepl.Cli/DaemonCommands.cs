using System.CommandLine;
using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using BlockRepl.Administration;
using BlockRepl.Administration.Control;

namespace BlockRepl.Cli;

/// <summary>Commands that the daemon carries out: ask, print, give its exit code.</summary>
internal sealed class DaemonCommands(NodeOptions node, Terminal terminal)
{
    private static readonly TimeSpan TakeOverTime = TimeSpan.FromSeconds(60);

    /// <summary>Each look costs processor time that the new process wants.</summary>
    private static readonly TimeSpan TakeOverPoll = TimeSpan.FromMilliseconds(50);

    /// <summary>What a command does on the disk itself where no daemon has the resource up.</summary>
    public delegate Task<int> OfflineAction(NodeLocation location, string target, CancellationToken cancellation);

    /// <param name="doneWithoutDaemon">Without a daemon the command's aim is reached already.</param>
    /// <param name="complete">Puts what the options say into the request.</param>
    public Command Create(
        string name,
        string description,
        bool doneWithoutDaemon = false,
        IReadOnlyList<Option>? options = null,
        Func<ParseResult, ControlRequest, ControlRequest>? complete = null)
    {
        Argument<string[]> targets = Targets(ArgumentArity.OneOrMore);
        var command = new Command(name, description) { targets };
        foreach (Option option in options ?? [])
        {
            command.Options.Add(option);
        }

        command.SetAction((parsed, cancellation) => ForEachAsync(
            parsed.GetValue(targets)!,
            async target =>
            {
                var request = new ControlRequest { Command = name, Target = target };
                request = complete is null ? request : complete(parsed, request);
                return await AskAsync(node.Resolve(parsed), request, doneWithoutDaemon, cancellation);
            }));
        return command;
    }

    /// <summary>A command that works on the disk while the resource is not up.</summary>
    public Command CreateWithOffline(string name, string description, OfflineAction offline)
    {
        Argument<string[]> targets = Targets(ArgumentArity.OneOrMore);
        var command = new Command(name, description) { targets };
        command.SetAction((parsed, cancellation) => ForEachAsync(
            parsed.GetValue(targets)!,
            async target =>
            {
                NodeLocation location = node.Resolve(parsed);
                return await IsUpAsync(location, target, cancellation)
                    ? await AskAsync(
                        location, new ControlRequest { Command = name, Target = target }, false, cancellation)
                    : await offline(location, target, cancellation);
            }));
        return command;
    }

    /// <summary>A new daemon takes the place of the running one; done when it answers.</summary>
    public Command CreateRestart()
    {
        var command = new Command(
            "restart", "Let a new daemon process take over, for example after an upgrade; devices stay in use");
        command.SetAction((parsed, cancellation) => RestartAsync(node.Resolve(parsed), cancellation));
        return command;
    }

    private async Task<int> RestartAsync(NodeLocation location, CancellationToken cancellation)
    {
        try
        {
            ControlReply reply = await ControlClient.AskAsync(
                location, new ControlRequest { Command = "restart" }, cancellation);
            if (reply.ExitCode != ExitCodes.Success)
            {
                return await PrintAsync(reply);
            }

            long began = Stopwatch.GetTimestamp();
            while (!await IsServedByAsync(location, reply.Output, cancellation))
            {
                if (Stopwatch.GetElapsedTime(began) > TakeOverTime)
                {
                    await terminal.Errors.WriteLineAsync(
                        $"Process {reply.Output} was to take over and does not answer; see the daemon's log.");
                    return ExitCodes.CannotExecute;
                }

                await Task.Delay(TakeOverPoll, cancellation);
            }

            await terminal.Output.WriteLineAsync(
                $"Process {reply.Output} took over {Stopwatch.GetElapsedTime(began).TotalMilliseconds:0} ms after it "
                + "was ready.");
            return ExitCodes.Success;
        }
        catch (ControlException error)
        {
            await terminal.Errors.WriteLineAsync(error.Message);
            return ExitCodes.CannotExecute;
        }
    }

    /// <summary>Whether it is that process that answers.</summary>
    private static async Task<bool> IsServedByAsync(
        NodeLocation location, string process, CancellationToken cancellation)
    {
        try
        {
            ControlReply reply = await ControlClient.AskAsync(
                location, new ControlRequest { Command = "status" }, cancellation);
            return reply.Status?.ProcessId.ToString(CultureInfo.InvariantCulture) == process;
        }
        catch (ControlException)
        {
            return false;
        }
    }

    public Command CreateStatus()
    {
        Argument<string[]> targets = Targets(ArgumentArity.ZeroOrMore);
        Option<bool> json = new("--json") { Description = "Print JSON" };
        var command = new Command("status", "Print the state of all resources as /proc/drbd does") { targets };
        command.Options.Add(json);
        command.SetAction(async (parsed, cancellation) =>
        {
            string[] given = parsed.GetValue(targets) ?? [];
            return await ForEachAsync(
                given.Length == 0 ? ["all"] : given,
                target => StatusAsync(node.Resolve(parsed), target, parsed.GetValue(json), cancellation));
        });
        return command;
    }

    /// <summary>Whether the daemon has the resource up; without a daemon nothing is.</summary>
    public static async Task<bool> IsUpAsync(NodeLocation location, string target, CancellationToken cancellation)
    {
        string resource = target.Split('/')[0];
        try
        {
            ControlReply reply = await ControlClient.AskAsync(
                location, new ControlRequest { Command = "status" }, cancellation);
            return reply.Status?.Volumes.Any(volume => resource == "all" || volume.Resource == resource) ?? true;
        }
        catch (ControlException error) when (error.IsAbsent)
        {
            return false;
        }
    }

    private async Task<int> StatusAsync(NodeLocation location, string target, bool json, CancellationToken cancellation)
    {
        try
        {
            ControlReply reply = await ControlClient.AskAsync(
                location, new ControlRequest { Command = "status", Target = target }, cancellation);
            if (json && reply.Status is not null)
            {
                await terminal.Output.WriteLineAsync(
                    JsonSerializer.Serialize(reply.Status, IndentedJson.Default.NodeStatus));
                return reply.ExitCode;
            }

            return await PrintAsync(reply);
        }
        catch (ControlException error)
        {
            await terminal.Errors.WriteLineAsync(error.Message);
            return ExitCodes.CannotExecute;
        }
    }

    private async Task<int> AskAsync(
        NodeLocation location, ControlRequest request, bool doneWithoutDaemon, CancellationToken cancellation)
    {
        try
        {
            return await PrintAsync(await ControlClient.AskAsync(location, request, cancellation));
        }
        catch (ControlException error) when (error.IsAbsent && doneWithoutDaemon)
        {
            await terminal.Errors.WriteLineAsync($"{request.Target}: nothing to do, the daemon is not running.");
            return ExitCodes.Success;
        }
        catch (ControlException error)
        {
            await terminal.Errors.WriteLineAsync(error.Message);
            return ExitCodes.CannotExecute;
        }
    }

    private async Task<int> PrintAsync(ControlReply reply)
    {
        foreach (string message in reply.Messages)
        {
            await terminal.Errors.WriteLineAsync(message);
        }

        await terminal.Output.WriteAsync(reply.Output);
        return reply.ExitCode;
    }

    /// <summary>The highest exit code counts; one of 20 or more ends the run.</summary>
    internal static async Task<int> ForEachAsync(IEnumerable<string> targets, Func<string, Task<int>> action)
    {
        int highest = 0;
        foreach (string target in targets)
        {
            highest = Math.Max(highest, await action(target));
            if (highest >= ExitCodes.CannotExecute)
            {
                break;
            }
        }

        return highest;
    }

    internal static Argument<string[]> Targets(ArgumentArity arity) => new("RESOURCE")
    {
        Description = "Name, NAME/VOLUME or all",
        Arity = arity,
    };
}
