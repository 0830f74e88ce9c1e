using System.Globalization;
using BlockRepl.Administration.Control;
using BlockRepl.Configuration;
using BlockRepl.Configuration.Syntax;
using BlockRepl.Core;

namespace BlockRepl.Administration.Tools;

/// <summary>
/// drbdadm: reads the configuration, finds what the command is about, and makes of it the commands of drbdsetup and
/// drbdmeta that do it.
/// </summary>
internal sealed partial class DrbdAdm(IToolHost host, ToolRequest request)
{
    private AdmOptions _options = new();
    private NodeLocation _location = host.Location;
    private NodeConfiguration? _configuration;

    private IToolTerminal Terminal => host.Terminal;

    private NodeConfiguration Configuration => _configuration!;

    /// <returns>The exit code.</returns>
    public async Task<int> RunAsync(CancellationToken cancellation)
    {
        try
        {
            _options = AdmOptions.Parse(request.Arguments);
            if (_options.Version || _options.Help || _options.Command is null or "help")
            {
                return ShowInformation();
            }

            AdmCommand command = FindCommand(_options.Command);
            if (command.Name == "hidden-commands")
            {
                Terminal.Write(AdmHelp.Hidden);
                return ExitCodes.Success;
            }

            if (command.Scope >= AdmScope.Resources && _options.Targets.Count == 0)
            {
                Terminal.Write(AdmHelp.For(command) + "\nNo resource names specified\n");
                return ExitCodes.Usage;
            }

            if (command.Name is "proxy-up" or "proxy-down")
            {
                throw new ToolUsageException(
                    "BlockRepl has no DRBD Proxy: connect the nodes directly, or through a tunnel of the system");
            }

            DrbdConfiguration files = ReadConfiguration();
            if (ConfigurationCommands.Handles(command.Name))
            {
                return PrintConfiguration(command, files);
            }

            if (_options.Stacked || _options.ConfigToTest is not null)
            {
                throw new ToolUsageException(
                    _options.Stacked
                        ? "BlockRepl has no stacked resources"
                        : "--config-to-test is for dump, dump-xml and sh-nop only");
            }

            _configuration = files.ForNode(_location.Node, OwnAddress.Has);
            Remark(Configuration.Warnings);
            return await ExecuteAsync(command, Targets(command), cancellation);
        }
        catch (ToolUsageException error)
        {
            Terminal.WriteError($"drbdadm: {error.Message}\ntry 'drbdadm help'\n");
            return ExitCodes.Usage;
        }
        catch (ConfigurationException error)
        {
            Terminal.WriteError(error.Message + "\n");
            return ExitCodes.Refused;
        }
        catch (ControlException error)
        {
            Terminal.WriteError(error.Message + "\n");
            return ExitCodes.CannotExecute;
        }
    }

    private int ShowInformation()
    {
        if (_options.Version)
        {
            Terminal.Write(AdmHelp.Version);
            return ExitCodes.Success;
        }

        bool asked = _options.Help || _options.Command == "help";
        string? about = _options.Help ? _options.Command : (_options.Targets.Count > 0 ? _options.Targets[0] : null);
        AdmCommand? command = about is null or "help" ? null : FindCommand(about);
        Terminal.Write(command is null ? AdmHelp.General : AdmHelp.For(command));
        if (!asked)
        {
            Terminal.Write("\nNo command specified\n");
        }

        return asked ? ExitCodes.Success : ExitCodes.Usage;
    }

    private AdmCommand FindCommand(string name)
    {
        switch (name)
        {
            case "state":
                Terminal.WriteError("'drbdadm state' is deprecated, use 'drbdadm role' instead.\n");
                return AdmCommand.Find("role")!;
            case "outdate-peer":
                Terminal.WriteError("'drbdadm outdate-peer' is deprecated, use 'drbdadm fence-peer' instead.\n");
                return AdmCommand.Find("fence-peer")!;
            default:
                return AdmCommand.Find(name) ?? throw new ToolUsageException(
                    $"Unknown command '{name}'"
                    + NearestWord.Question(name, AdmCommand.All.Select(command => command.Name)));
        }
    }

    private DrbdConfiguration ReadConfiguration()
    {
        if (request.Environment.ContainsKey(ToolProgram.PretendedNode))
        {
            Terminal.WriteError(
                $"\n  found {ToolProgram.PretendedNode} in environment\n"
                + $"  PRETENDING that I am >>{_location.Node}<<\n\n");
        }

        const string standardInput = "STDIN";
        if (_options.ConfigFile == "-")
        {
            _location = _location with { ConfigPath = standardInput };
            return DrbdConfiguration.Read(standardInput, new VirtualMainFile(standardInput, host.ReadInput()));
        }

        _location = _location with { ConfigPath = Absolute(_options.ConfigFile ?? _location.ConfigPath) };
        if (_options.ConfigToTest is { } test)
        {
            const string both = "both files";
            return DrbdConfiguration.Read(both, new VirtualMainFile(
                both, $"include \"{_location.ConfigPath}\";\ninclude \"{Absolute(test)}\";\n"));
        }

        return DrbdConfiguration.Read(_location.ConfigPath, new SystemConfigurationFiles());

        string Absolute(string path) => Path.Combine(request.Directory, path);
    }

    private void Remark(IEnumerable<string> remarks)
    {
        foreach (string remark in remarks)
        {
            Terminal.WriteError(remark + "\n");
        }
    }

    private int PrintConfiguration(AdmCommand command, DrbdConfiguration files)
    {
        Remark(files.Warnings);
        ConfigurationAnswer answer = ConfigurationCommands.Run(files, new ConfigurationRequest
        {
            Command = command.Name,
            Node = _location.Node,
            Targets = _options.Targets,
            Inherit = _options.DryRun || _options.Verbose,
            Stacked = _options.Stacked,
            HasAddress = OwnAddress.Has,
            VerifyAddress = !_options.DryRun,
        });
        Terminal.WriteError(answer.Error);
        Terminal.Write(answer.Output);
        return answer.ExitCode;
    }

    /// <summary>What the command is about, in the configuration's terms.</summary>
    private List<AdmTarget> Targets(AdmCommand command)
    {
        IReadOnlyList<string> given = command.Scope == AdmScope.None || _options.Targets.Count == 0
            ? ["all"]
            : _options.Targets;
        var targets = new List<AdmTarget>();
        foreach (string name in given)
        {
            AdmTarget[] meant = [.. AdmTarget.Find(Configuration, name)];
            if (meant.Length == 0)
            {
                throw new ToolUsageException(
                    $"'{name}' not defined in your config (for this host).\n"
                    + Configuration.WhyMissing(name == "all" ? null : name.Split('/')[0]));
            }

            targets.AddRange(meant);
        }

        if (command.ChecksAddress && !_options.DryRun)
        {
            foreach (ResourceConfiguration resource in targets.Select(target => target.Resource).Distinct())
            {
                if (OwnAddress.Problem(resource, Configuration.Global) is { } problem)
                {
                    throw problem;
                }
            }
        }

        return targets;
    }

    private Task<int> ExecuteAsync(
        AdmCommand command, IReadOnlyList<AdmTarget> targets, CancellationToken cancellation)
    {
        switch (command.Name)
        {
            case "up":
                return UpAsync(targets, cancellation);
            case "adjust" or "adjust-with-progress":
                return AdjustAsync(targets, command.Name == "adjust-with-progress", cancellation);
            case "wait-con-int":
                return WaitForAllAsync(targets, cancellation);
            case "sh-b-pri":
                return PromoteAtBootAsync(targets, cancellation);
            case "sh-status":
                return ShellStatusAsync(targets, cancellation);
            default:
                return command.Group == AdmGroup.Handler
                    ? RunHandlersAsync(HandlerNames.Parse(command.Name), targets, cancellation)
                    : RunEachAsync(targets, target => Commands(command, target), cancellation);
        }
    }

    /// <summary>The commands below one command for one target.</summary>
    private IEnumerable<LowLevelCommand> Commands(AdmCommand command, AdmTarget target)
    {
        ResourceConfiguration resource = target.Resource;
        switch (command.Name)
        {
            case "new-resource":
                return [NewResource(resource)];
            case "new-minor" or "sh-new-minor":
                return target.Volumes.Select(volume => NewMinor(resource, volume));
            case "attach":
                return target.Volumes.Select(Attach);
            case "connect":
                return [Connect(resource)];
            case "disconnect" or "net-options":
                return [Setup([command.Name, .. Addresses(resource), .. _options.PassedOn])];
            case "down" or "status" or "resource-options":
                return [Setup([command.Name, resource.Name, .. _options.PassedOn])];
            case "wait-connect" or "wait-sync":
                return target.Volumes.Select(volume => Wait(command.Name, resource, volume));
            case "set-gi" when target.Volumes.Count > 1:
                throw new ToolUsageException($"set-gi is for one volume: {resource.Name}/VOLUME, or minor-N");
            case "create-md" or "dump-md" or "wipe-md" or "apply-al" or "set-gi":
                return target.Volumes.Select(volume => MetaData(volume, command.Name));
            case "invalidate":
                return target.Volumes.Select(volume => WithFallback(volume, command.Name, code => code is 10 or 20));
            case "outdate":
                return target.Volumes.Select(
                    volume => WithFallback(volume, command.Name, code => code is not (0 or 5 or 17)));
            case "dstate" or "get-gi" or "show-gi":
                return target.Volumes.Select(volume => WithFallback(volume, command.Name, code => code != 0));
            case "resize":
                return target.Volumes.Select(Resize);
            case "check-resize":
                return target.Volumes.Select(
                    volume => Resize(volume) with { Otherwise = MetaData(volume, command.Name) });
            default:
                return target.Volumes.Select(
                    volume => Setup([command.Name, volume.MinorText, .. _options.PassedOn]));
        }
    }

    private LowLevelCommand WithFallback(AdmVolume volume, string command, Func<int, bool> fails) =>
        Setup([command, volume.MinorText, .. _options.PassedOn]) with
        {
            Otherwise = MetaData(volume, command), Fails = fails,
        };

    private static LowLevelCommand NewResource(ResourceConfiguration resource) =>
        Setup(["new-resource", resource.Name, .. OptionWords.OfResource(resource)]);

    private static LowLevelCommand NewMinor(ResourceConfiguration resource, AdmVolume volume) => Setup(
    [
        "new-minor", resource.Name, volume.MinorText,
        volume.Volume.Number.ToString(CultureInfo.InvariantCulture),
    ]);

    private LowLevelCommand Attach(AdmVolume volume) => Setup(
    [
        "attach", volume.MinorText, volume.Volume.DiskPath, volume.Volume.MetaDiskPath, volume.MetaDataIndex,
        .. OptionWords.OfDisk(volume.Volume), .. _options.PassedOn,
    ]);

    private LowLevelCommand Connect(ResourceConfiguration resource) => Setup(
    [
        "connect", resource.Name, .. Addresses(resource), .. OptionWords.OfConnection(resource),
        .. _options.PassedOn,
    ]);

    private LowLevelCommand Wait(string command, ResourceConfiguration resource, AdmVolume volume) =>
        Setup([command, volume.MinorText, .. OptionWords.OfStartup(resource), .. _options.PassedOn]);

    /// <summary>The new size is remembered: it says where the meta data are if the disk grows while it is
    /// down.</summary>
    private LowLevelCommand Resize(AdmVolume volume) =>
        Setup(["resize", volume.MinorText, .. _options.PassedOn]) with
        {
            Next = Setup(["check-resize", volume.MinorText]),
        };

    private LowLevelCommand MetaData(AdmVolume volume, string command) => new(
        "drbdmeta",
        [
            volume.MinorText, "v08", volume.Volume.MetaDiskPath,
            volume.MetaDataIndex == "flexible" ? "flex-external" : volume.MetaDataIndex, command,
            .. _options.PassedOn,
        ]);

    private static LowLevelCommand Setup(IReadOnlyList<string> arguments) => new("drbdsetup", arguments);

    private static string[] Addresses(ResourceConfiguration resource) =>
        [resource.Own.ToAddressWord(), resource.Peer.ToAddressWord()];
}

/// <summary>What a word behind drbdadm's command means.</summary>
internal sealed record AdmTarget(ResourceConfiguration Resource, IReadOnlyList<AdmVolume> Volumes)
{
    /// <summary>all, RESOURCE, RESOURCE/VOLUME or minor-N; none if there is no such thing.</summary>
    public static IEnumerable<AdmTarget> Find(NodeConfiguration configuration, string name)
    {
        const string minor = "minor-";
        string? volume = name.Split('/') is [_, { } number] ? number : null;
        string? byMinor = name.StartsWith(minor, StringComparison.Ordinal) ? name[minor.Length..] : null;
        foreach (ResourceConfiguration resource in configuration.Resources)
        {
            AdmVolume[] volumes = [.. resource.Volumes.Select(known => new AdmVolume(known)).Where(
                known => name == "all" || name == resource.Name || known.MinorText == byMinor
                    || (volume is not null && name == $"{resource.Name}/{known.Volume.Number}"))];
            if (volumes.Length > 0)
            {
                yield return new AdmTarget(resource, volumes);
            }
        }
    }
}

/// <summary>A volume, with what the commands below write of it.</summary>
internal sealed record AdmVolume(VolumeConfiguration Volume)
{
    public string MinorText => Volume.Minor.ToString(CultureInfo.InvariantCulture);

    /// <summary>drbdsetup's word for where the meta data are.</summary>
    public string MetaDataIndex => Volume.MetaDataKind switch
    {
        Core.MetaData.MetaDataKind.Internal => "internal",
        Core.MetaData.MetaDataKind.FlexibleExternal => "flexible",
        _ => Volume.MetaDiskIndex.ToString(CultureInfo.InvariantCulture),
    };
}
