using System.Text;
using BlockRepl.Configuration.Printing;
using BlockRepl.Configuration.Resolution;
using BlockRepl.Configuration.Syntax;

namespace BlockRepl.Configuration;

/// <summary>A command of drbdadm that asks for the configuration only.</summary>
public sealed record ConfigurationRequest
{
    public required string Command { get; init; }

    /// <summary>The node's name, as <c>uname -n</c> prints it.</summary>
    public required string Node { get; init; }

    /// <summary>As typed: <c>r0</c>, <c>r0/1</c>, <c>minor-3</c>, <c>all</c>.</summary>
    public IReadOnlyList<string> Targets { get; init; } = [];

    /// <summary>With -d or -v a dump has all inherited options in each resource.</summary>
    public bool Inherit { get; init; }

    /// <summary>-S: stacked resources instead of the others.</summary>
    public bool Stacked { get; init; }

    /// <summary>
    /// Whether an IP address, perhaps with %scope, is on an interface of this node. Null: nobody asks, as with -d.
    /// </summary>
    public Func<string, bool>? HasAddress { get; init; }

    /// <summary>Whether a missing own address is an error (not with -d).</summary>
    public bool VerifyAddress { get; init; }
}

/// <summary>What a command prints on its two streams, and its exit code.</summary>
public sealed record ConfigurationAnswer(int ExitCode, string Output, string Error);

/// <summary>
/// The commands of drbdadm that print from the configuration and need no running resource. Their output is what
/// drbd-utils 9.22 prints in 8.4 mode.
/// </summary>
public sealed class ConfigurationCommands
{
    private const int UsageError = 1;

    private readonly ConfigurationSyntax _syntax;
    private readonly string _path;
    private readonly ConfigurationRequest _request;
    private readonly List<NodeView> _views = [];

    private ConfigurationCommands(DrbdConfiguration configuration, ConfigurationRequest request)
    {
        _syntax = configuration.Syntax;
        _path = configuration.Path;
        _request = request;
        foreach (ResourceSyntax resource in _syntax.Resources)
        {
            var view = new NodeView(_syntax, resource, request.Node, request.HasAddress);
            if (view.Own is not null)
            {
                ConfigurationChecks.CheckBecomePrimaryOn(
                    resource, request.Inherit ? view.Sections : resource.Sections);
            }

            _views.Add(view);
        }
    }

    public static bool Handles(string command) => command is "dump" or "dump-xml" or "sh-nop" or "sh-resources"
        or "sh-resource" or "sh-dev" or "sh-udev" or "sh-minor" or "sh-ll-dev" or "sh-md-dev" or "sh-md-idx" or "sh-ip"
        or "sh-lr-of" or "sh-mod-parms";

    /// <exception cref="ConfigurationException">The configuration contradicts itself on this node.</exception>
    public static ConfigurationAnswer Run(DrbdConfiguration configuration, ConfigurationRequest request)
    {
        var commands = new ConfigurationCommands(configuration, request);
        return request.Command switch
        {
            "dump" or "dump-xml" => commands.Dump(),
            "sh-nop" => Good(""),
            "sh-mod-parms" => Good($"minor_count={commands._syntax.Global.MinorCount ?? 32}\n"),
            "sh-resources" => Good(commands.ListResources()),
            _ => commands.RunForEach(),
        };
    }

    private static ConfigurationAnswer Good(string output) => new(0, output, "");

    private static ConfigurationAnswer Bad(string error) => new(UsageError, "", error + "\n");

    /// <summary>The resources that this node has, of the storey that is meant.</summary>
    private List<NodeView> Own => _views.FindAll(view => view.Own is not null && view.IsStacked == _request.Stacked);

    private string ListResources()
    {
        string names = TextWords.QuoteAll(Own.Select(view => view.Syntax.Name));
        return names.Length == 0 ? "" : names + "\n";
    }

    private ConfigurationAnswer Dump()
    {
        ConfigurationDump dump = _request.Command == "dump"
            ? new TextDump(_request.Inherit, _request.Node)
            : new XmlDump(_request.Inherit);
        if (_request.Targets.Count == 0 || _request.Targets is ["all"])
        {
            _views.ForEach(CheckAddress);
            AddAll(dump);
            return Good(dump.ToString());
        }

        List<NodeView> own = Own;
        foreach (string word in _request.Targets)
        {
            if (TargetSelection.Find(own, word) is not { } targets)
            {
                return Bad(NotDefined(word));
            }

            foreach (Target target in targets)
            {
                CheckAddress(target.View);
                dump.AddResource(target.View, Shown(target.View));
            }
        }

        return Good(dump.ToString());
    }

    private void AddAll(ConfigurationDump dump)
    {
        dump.Begin(_path);
        dump.AddGlobal(_syntax.Global);
        if (_syntax.Common is { } common)
        {
            dump.AddCommon(common);
        }

        _views.ForEach(view => dump.AddResource(view, Shown(view)));
        dump.End();
    }

    /// <summary>
    /// A resource's sections with or without what common adds, and without a resync-after that names nobody here.
    /// </summary>
    private OptionSections Shown(NodeView view)
    {
        OptionSections all = _request.Inherit ? view.Sections : view.Syntax.Sections;
        return new OptionSections
        {
            Options = all.Options,
            Net = all.Net,
            Disk = all.Disk.Select(value => value.Name != "resync-after" || IsOwn(value.Text) ? value : null),
            Startup = all.Startup,
            Proxy = all.Proxy,
            Handlers = all.Handlers,
        };

        bool IsOwn(string dependency) =>
            _views.Exists(other => other.Own is not null && other.Syntax.Name == dependency.Split('/')[0]);
    }

    private void CheckAddress(NodeView view)
    {
        if (!_request.VerifyAddress || _syntax.Global.DisableIpVerification || _request.HasAddress is not { } hasAddress
            || view.Own?.Address is not { Family: "ipv4" or "ipv6" } address || hasAddress(address.Address))
        {
            return;
        }

        throw ConfigurationException.AddressIsNotHere(
            address.Position, view.Syntax.Name, view.Own.Title, address.Address);
    }

    private ConfigurationAnswer RunForEach()
    {
        if (_request.Targets.Count == 0)
        {
            return Bad($"usage: drbdadm {_request.Command} {{all|RESOURCE...}}: no resource was named");
        }

        if (_request.Command == "sh-lr-of" && !_request.Stacked)
        {
            return Bad("sh-lr-of is for stacked resources: give --stacked");
        }

        List<NodeView> own = Own;
        var output = new StringBuilder();
        foreach (string word in _request.Targets)
        {
            if (TargetSelection.Find(own, word) is not { Count: > 0 } targets)
            {
                return Bad(NotDefined(word));
            }

            foreach (Target target in targets)
            {
                if (!TryPrint(target, output))
                {
                    return Bad($"{_request.Command} takes whole resources, but {word} is one volume");
                }
            }
        }

        return Good(output.ToString());
    }

    /// <summary>False if the command is for whole resources and the target is a volume.</summary>
    private bool TryPrint(Target target, StringBuilder output)
    {
        if (_request.Command == "sh-resource")
        {
            output.Append(target.View.Syntax.Name).Append('\n');
            return target.Volume is null;
        }

        foreach (VolumeSyntax volume in target.Volumes)
        {
            output.Append(DescribeVolume(target.View, volume)).Append('\n');
        }

        return true;
    }

    private string? DescribeVolume(NodeView view, VolumeSyntax volume) => _request.Command switch
    {
        "sh-ip" => view.Own!.Address!.Address,
        "sh-lr-of" => view.Own!.StackedOn,
        "sh-dev" => volume.Device!.ShownPath,
        "sh-minor" => $"{volume.Device!.Minor}",
        "sh-ll-dev" => volume.Disk!.Text,
        "sh-md-dev" => volume.MetaDisk!.Path ?? volume.Disk!.Text,
        "sh-md-idx" => volume.MetaDisk!.Path is null ? "internal" : volume.MetaDisk.Index ?? "flexible",
        _ => DescribeForUdev(view.Syntax, volume),
    };

    private string DescribeForUdev(ResourceSyntax resource, VolumeSyntax volume)
    {
        bool numbered = !volume.IsImplicit || _syntax.Global.UdevAlwaysUseVolumeNumber;
        return $"RESOURCE={resource.Name}{(numbered ? $"/{volume.Number}" : "")}\n"
            + $"DEVICE={WithoutDev(volume.Device!.ShownPath)}\nDISK={WithoutDev(volume.Disk!.Text)}";
    }

    private static string WithoutDev(string path) =>
        path.StartsWith("/dev/", StringComparison.Ordinal) ? path["/dev/".Length..] : path;

    private string NotDefined(string word)
    {
        if (_views.Find(view => view.Syntax.Name == word) is { } other)
        {
            return other.Own is null
                ? $"'{word}' has no section for this host '{_request.Node}', only for "
                    + $"{string.Join(", ", other.Syntax.Hosts.Select(host => host.Title))}. The name after 'on' must "
                    + "be what 'uname -n' prints."
                : $"'{word}' is {(other.IsStacked ? "stacked: give --stacked" : "not stacked: leave --stacked out")}.";
        }

        if (_syntax.Resources.Count == 0)
        {
            return $"no resources defined in {_path} and the files it includes.";
        }

        return word == "all"
            ? $"no resource in {_path} is for this host '{_request.Node}': the names after 'on' must be what "
                + "'uname -n' prints."
            : $"'{word}' is not defined in your config (for this host).";
    }
}
