using BlockRepl.Configuration.Options;
using BlockRepl.Configuration.Syntax;

namespace BlockRepl.Configuration.Resolution;

/// <summary>
/// Which host section of a resource is this node's, and what the resource's options are with inheritance.
/// </summary>
internal sealed class NodeView
{
    public NodeView(ConfigurationSyntax syntax, ResourceSyntax resource, string node, Func<string, bool>? hasAddress)
    {
        Syntax = resource;
        List<HostSyntax> own = resource.Hosts.FindAll(host => host.Kind == HostKind.Floating
            ? hasAddress is not null && hasAddress(host.Address!.Address)
            : host.Names.Contains(node) || host.Names is ["_this_host"]);
        if (own.Count > 1)
        {
            throw new ConfigurationException(
                own[1].Position,
                $"in resource {resource.Name}: two host sections are for {node}; the other is at {own[0].Position}.");
        }

        Own = own.Count == 0 ? null : own[0];
        OptionSections inner = resource.Sections;
        OptionSections? outer = syntax.Common?.Sections;
        Sections = new OptionSections
        {
            Options = inner.Options.InheritFrom(outer?.Options),
            Net = inner.Net.InheritFrom(outer?.Net),
            Disk = inner.Disk.InheritFrom(outer?.Disk),
            Startup = inner.Startup.InheritFrom(outer?.Startup),
            Proxy = inner.Proxy.InheritFrom(outer?.Proxy),
            Handlers = inner.Handlers.InheritFrom(outer?.Handlers),
        };
    }

    public ResourceSyntax Syntax { get; }

    /// <summary>This node's section; null: the resource is none of its business.</summary>
    public HostSyntax? Own { get; }

    public bool IsStacked => Own?.Kind == HostKind.Stacked;

    /// <summary>The resource's sections with what common adds.</summary>
    public OptionSections Sections { get; }

    /// <summary>
    /// Strongest first: the host's own, the resource's, common's. What a volume section at the level of the resource
    /// says is weakest, even against common: so do DRBD's tools, and a configuration must not mean two things.
    /// </summary>
    public OptionSet DiskOptions(VolumeSyntax volume) => volume.DiskOptions
        .InheritFrom(Sections.Disk)
        .InheritFrom(Syntax.Volumes.All.GetValueOrDefault(volume.Number)?.DiskOptions);
}
