using System.Globalization;
using System.Text;
using BlockRepl.Administration.Control;
using BlockRepl.Configuration;
using BlockRepl.Core;

namespace BlockRepl.Administration.Tools;

/// <summary>How drbdadm runs the commands below it, one by one and in stages.</summary>
internal sealed partial class DrbdAdm
{
    private const int PromotionTries = 5;
    private static readonly TimeSpan PromptAfter = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan PromotionPause = TimeSpan.FromSeconds(1);

    /// <summary>Target by target; the highest code counts, one of 20 or more ends the run.</summary>
    private async Task<int> RunEachAsync(
        IReadOnlyList<AdmTarget> targets, Func<AdmTarget, IEnumerable<LowLevelCommand>> commands,
        CancellationToken cancellation)
    {
        (AdmTarget Target, LowLevelCommand Command)[] all =
            [.. targets.SelectMany(target => commands(target).Select(command => (target, command)))];
        if (host.MetaData is null && !_options.DryRun && all.Any(one => one.Command.Otherwise is not null))
        {
            await RequireAllUpAsync(targets, cancellation);
        }

        int highest = 0;
        foreach ((AdmTarget target, LowLevelCommand command) in all)
        {
            highest = Math.Max(highest, await RunAsync(target.Resource, command, cancellation));
            if (highest >= ExitCodes.CannotExecute)
            {
                break;
            }
        }

        return highest;
    }

    /// <summary>What is not up is looked up on its disk, which the daemon does not do.</summary>
    private async Task RequireAllUpAsync(IReadOnlyList<AdmTarget> targets, CancellationToken cancellation)
    {
        NodeStatus status = await host.StatusAsync(cancellation);
        if (targets.Any(target => status.Volumes.All(volume => volume.Resource != target.Resource.Name)))
        {
            throw new NeedsOwnProcessException();
        }
    }

    /// <summary>Prints the command if that is wished, and runs it unless only that is.</summary>
    private async Task<int> RunAsync(
        ResourceConfiguration resource, LowLevelCommand command, CancellationToken cancellation)
    {
        Show(resource, command);
        if (_options.DryRun)
        {
            return (command.Next ?? command.Otherwise) is { } other
                ? await RunAsync(resource, other, cancellation)
                : ExitCodes.Success;
        }

        var errors = new HeldErrors(Terminal);
        int code = await (command.Program == "drbdsetup"
            ? new DrbdSetup(host, _location, errors).RunAsync(command.Arguments, cancellation)
            : RequireOwnProcess().RunAsync(command.Arguments, cancellation));
        if (command.Otherwise is { } fallback && command.Fails(code))
        {
            return await RunAsync(resource, fallback, cancellation);
        }

        if (command.Next is { } next && code == ExitCodes.Success)
        {
            return await RunAsync(resource, next, cancellation);
        }

        errors.Release();
        if (code >= ExitCodes.Refused)
        {
            Terminal.WriteError($"Command '{command}' terminated with exit code {code}\n");
        }

        return code;
    }

    private void Show(ResourceConfiguration resource, LowLevelCommand command)
    {
        if (_options.DryRun || _options.Verbose)
        {
            Terminal.Write(_options.ShellVariable is { } name ? $"{name}={resource.Name}\n" : "");
            Terminal.Write($"{command}\n");
        }
    }

    private Task<int> UpAsync(IReadOnlyList<AdmTarget> targets, CancellationToken cancellation) =>
        RunStagesAsync(
            targets,
            [
                new("create res", target =>
                    [NewResource(target.Resource), .. target.Volumes.Select(v => NewMinor(target.Resource, v))]),
                new("attach", target => target.Volumes.Select(Attach)),
                new("connect", target => [Connect(target.Resource)]),
            ],
            withProgress: false, cancellation);

    /// <summary>
    /// Stage by stage for all resources; a resource whose stage fails is left out of those behind it. Any failure makes
    /// exit code 1.
    /// </summary>
    private async Task<int> RunStagesAsync(
        IReadOnlyList<AdmTarget> targets, IReadOnlyList<Stage> stages, bool withProgress,
        CancellationToken cancellation)
    {
        var failed = new Dictionary<string, string>();
        Terminal.Write(withProgress ? "[\n" : "");
        foreach (Stage stage in stages)
        {
            foreach (AdmTarget target in targets)
            {
                string name = target.Resource.Name;
                LowLevelCommand[] commands = [.. stage.Commands(target)];
                if (commands.Length == 0)
                {
                    continue;
                }

                if (failed.TryGetValue(name, out string? failure))
                {
                    Terminal.WriteError($"{name}: {stage.Name} was left out, because {failure} failed.\n");
                    continue;
                }

                Terminal.Write(withProgress ? $"{stage.Name,13}: {name}\n" : "");
                if (!await RunAllAsync(target.Resource, commands, cancellation))
                {
                    failed.Add(name, stage.Name);
                }
            }
        }

        Terminal.Write(withProgress ? "]\n" : "");
        return failed.Count == 0 ? ExitCodes.Success : ExitCodes.Usage;
    }

    private async Task<bool> RunAllAsync(
        ResourceConfiguration resource, LowLevelCommand[] commands, CancellationToken cancellation)
    {
        bool good = true;
        foreach (LowLevelCommand command in commands)
        {
            good &= await RunAsync(resource, command, cancellation) == ExitCodes.Success;
        }

        return good;
    }

    /// <summary>
    /// Makes what runs what the configuration says: starts what is missing, hands over options that changed, attaches
    /// and connects what is not. Nothing to do: no output.
    /// </summary>
    private async Task<int> AdjustAsync(
        IReadOnlyList<AdmTarget> targets, bool withProgress, CancellationToken cancellation)
    {
        NodeStatus status = await StatusOrNothingAsync(cancellation);
        var changes = new Dictionary<string, IReadOnlyList<string>>();
        foreach (string name in targets.Select(target => target.Resource.Name).Where(name => IsUp(status, name)))
        {
            ControlReply compared = await host.AskAsync(
                new ControlRequest { Command = "compare", Target = name, Config = _location.ConfigPath }, cancellation);
            changes[name] = compared.Output.Split('\n', StringSplitOptions.RemoveEmptyEntries);
        }

        return await RunStagesAsync(
            targets,
            [
                new("create res", target => IsUp(status, target.Resource.Name) ? [] : [NewResource(target.Resource)]),
                new("create minor", target => IsUp(status, target.Resource.Name)
                    ? []
                    : target.Volumes.Select(volume => NewMinor(target.Resource, volume))),
                new("options", target => Reload(target.Resource, changes)),
                new("attach", target => target.Volumes
                    .Where(volume => NeedsDisk(status, target.Resource, volume)).Select(Attach)),
                new("connect", target => NeedsConnection(status, target.Resource) ? [Connect(target.Resource)] : []),
            ],
            withProgress, cancellation);
    }

    private async Task<NodeStatus> StatusOrNothingAsync(CancellationToken cancellation)
    {
        try
        {
            return await host.StatusAsync(cancellation);
        }
        catch (ControlException error) when (error.IsAbsent && _options.DryRun)
        {
            return new NodeStatus { Node = _location.Node, ProcessId = 0, Volumes = [] };
        }
    }

    private IEnumerable<LowLevelCommand> Reload(
        ResourceConfiguration resource, Dictionary<string, IReadOnlyList<string>> changes)
    {
        if (changes.GetValueOrDefault(resource.Name) is not { Count: > 0 } found)
        {
            return [];
        }

        if (_options.DryRun || _options.Verbose)
        {
            Terminal.Write(string.Concat(found.Select(change => $"# {change}\n")));
        }

        return [Setup(["reload", resource.Name])];
    }

    private static bool IsUp(NodeStatus status, string resource) =>
        status.Volumes.Any(volume => volume.Resource == resource);

    private static bool NeedsDisk(NodeStatus status, ResourceConfiguration resource, AdmVolume volume) =>
        status.Volumes.FirstOrDefault(v => v.Resource == resource.Name && v.Volume == volume.Volume.Number)
            is null or { Disk: "Diskless" };

    private static bool NeedsConnection(NodeStatus status, ResourceConfiguration resource) =>
        status.Volumes.FirstOrDefault(volume => volume.Resource == resource.Name)
            is null or { Connection: "StandAlone" };

    /// <summary>wait-con-int: waits for all resources at once, at most as long as startup says or until somebody at a
    /// terminal has enough of it; then the boot goes on.</summary>
    private async Task<int> WaitForAllAsync(IReadOnlyList<AdmTarget> targets, CancellationToken cancellation)
    {
        bool canAsk = host.HasTerminal && !_options.DryRun;
        Task<string?>? typed = canAsk ? host.ReadLineAsync() : null;
        using var ending = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        Task waits = Task.WhenAll(targets.SelectMany(target => target.Volumes.Select(
            volume => RunAsync(target.Resource, Wait("wait-connect", target.Resource, volume), ending.Token))));
        if (typed is not null && await IsGivenUpAsync(waits, typed, cancellation))
        {
            await ending.CancelAsync();
        }

        try
        {
            await waits;
        }
        catch (Exception) when (ending.IsCancellationRequested && !cancellation.IsCancellationRequested)
        {
            // as wished
        }

        return ExitCodes.Success;
    }

    /// <summary>True if a typed yes ends the wait before it ends by itself.</summary>
    private async Task<bool> IsGivenUpAsync(Task waits, Task<string?> typed, CancellationToken cancellation)
    {
        Task prompt = Task.Delay(PromptAfter, cancellation);
        while (await Task.WhenAny(waits, typed, prompt) is { } first && first != waits)
        {
            if (first == prompt)
            {
                Terminal.WriteError("\nStill waiting for the other node. To go on without it type 'yes': ");
                prompt = Task.Delay(Timeout.Infinite, cancellation);
                continue;
            }

            string? line = await typed;
            if (line is null || line.Trim() == "yes")
            {
                return line is not null;
            }

            typed = host.ReadLineAsync();
        }

        return false;
    }

    /// <summary>sh-b-pri: become-primary-on.</summary>
    private async Task<int> PromoteAtBootAsync(IReadOnlyList<AdmTarget> targets, CancellationToken cancellation)
    {
        int highest = 0;
        foreach (AdmTarget target in targets.Where(target => target.Resource.Startup.BecomePrimaryOn
            .Any(name => name == "both" || target.Resource.Own.Names.Contains(name))))
        {
            int code = 0;
            for (int attempt = 1; attempt <= PromotionTries; attempt++)
            {
                code = await RunEachAsync(
                    [target], t => t.Volumes.Select(volume => Setup(["primary", volume.MinorText])), cancellation);
                if (code == 0 || attempt == PromotionTries)
                {
                    break;
                }

                await Task.Delay(PromotionPause, cancellation);
            }

            highest = Math.Max(highest, code);
        }

        return highest;
    }

    /// <summary>sh-status: what the configuration says of each volume, then what runs, as shell variables.</summary>
    private async Task<int> ShellStatusAsync(IReadOnlyList<AdmTarget> targets, CancellationToken cancellation)
    {
        if (_options.Targets.Count > 0)
        {
            Terminal.WriteError("This command will ignore resource names!\n");
        }

        if (!_options.DryRun)
        {
            Terminal.Write(
                $"_drbd_version={AdmHelp.VersionNumber}\n_drbd_api=1\n_config_file={_location.ConfigPath}\n\n");
        }

        int highest = 0;
        foreach (AdmTarget target in targets)
        {
            Terminal.Write(
                $"_conf_res_name={target.Resource.Name}\n_conf_file_line={target.Resource.Position}\n\n_stacked_on=\n"
                + "_stacked_on_device=\n_stacked_on_minor=\n");
            foreach (AdmVolume volume in target.Volumes)
            {
                Terminal.Write(string.Create(
                    CultureInfo.InvariantCulture, $"_conf_volume={volume.Volume.Number}\n"));
                highest = Math.Max(highest, await RunAsync(
                    target.Resource, Setup(["sh-status", volume.MinorText]), cancellation));
            }
        }

        return highest;
    }

    /// <summary>The handlers' names as commands: as the daemon calls them, with this process's terminal.</summary>
    private async Task<int> RunHandlersAsync(
        HandlerKind handler, IReadOnlyList<AdmTarget> targets, CancellationToken cancellation)
    {
        int highest = 0;
        foreach (AdmTarget target in targets)
        {
            if (!target.Resource.Handlers.TryGetValue(handler, out string? commandLine))
            {
                continue;
            }

            if (_options.DryRun || _options.Verbose)
            {
                Terminal.Write($"{commandLine}\n");
            }

            if (!_options.DryRun)
            {
                RequireOwnProcess();
                VolumeConfiguration? volume = target.Volumes.Count == 1 ? target.Volumes[0].Volume : null;
                highest = Math.Max(highest, await new HandlerCall(_location, target.Resource, handler, volume)
                    .RunAsync(commandLine, cancellation));
            }
        }

        return highest;
    }

    private IMetaDataTool RequireOwnProcess() => host.MetaData ?? throw new NeedsOwnProcessException();

    private sealed record Stage(string Name, Func<AdmTarget, IEnumerable<LowLevelCommand>> Commands);

    /// <summary>Keeps back what a command says of its failure until it is known that it counts.</summary>
    private sealed class HeldErrors(IToolTerminal inner) : IToolTerminal
    {
        private readonly StringBuilder _held = new();

        public int? Columns => inner.Columns;

        public void Write(string text) => inner.Write(text);

        public void WriteError(string text) => _held.Append(text);

        public Task FlushAsync(CancellationToken cancellation) => inner.FlushAsync(cancellation);

        public void Release() => inner.WriteError(_held.ToString());
    }
}
