using BlockRepl.Configuration.Syntax;

namespace BlockRepl.Configuration.Resolution;

/// <summary>A configuration from one node's point of view.</summary>
internal sealed class NodeResolver(
    string path, ConfigurationSyntax syntax, string node, Func<string, bool>? hasAddress)
{
    private readonly List<string> _warnings = [.. syntax.Warnings];

    public NodeConfiguration Resolve()
    {
        var resources = new List<ResourceConfiguration>();
        var ignored = new List<IgnoredResource>();
        foreach (ResourceSyntax resource in syntax.Resources)
        {
            var view = new NodeView(syntax, resource, node, hasAddress);
            string? reason = view.Own is null ? "" : WhyNotSupported(view);
            if (reason is null)
            {
                ConfigurationChecks.CheckBecomePrimaryOn(resource, view.Sections);
                resources.Add(new ResourceResolver(syntax, view, _warnings).Resolve());
            }
            else
            {
                string[] hosts = [.. resource.Hosts.SelectMany(host => host.Names)];
                ignored.Add(new IgnoredResource(resource.Name, resource.Position, hosts, reason));
                if (reason.Length > 0)
                {
                    _warnings.Add($"{resource.Position}: the resource {resource.Name} is left out: {reason}");
                }
            }
        }

        return new NodeConfiguration
        {
            Node = node,
            Path = path,
            Global = syntax.Global,
            Resources = resources,
            Ignored = ignored,
            Warnings = _warnings,
        };
    }

    /// <summary>Why BlockRepl cannot run what DRBD could; null if it can.</summary>
    private static string? WhyNotSupported(NodeView view)
    {
        ResourceSyntax resource = view.Syntax;
        if (resource.Name.AsSpan().ContainsAny("/\\ \t") || resource.Name is "all" || resource.Name[0] == '-')
        {
            return "a resource cannot be called so: choose a name without '/', '\\' or blanks, not 'all', and not "
                + "starting with '-'.";
        }

        if (resource.Hosts.Exists(host => host.Kind == HostKind.Stacked))
        {
            return "stacked resources are not supported. Remove 'stacked-on-top-of', or use two separate resources.";
        }

        if (resource.Hosts.Exists(host => host.Proxy is not null) || !view.Sections.Proxy.IsEmpty)
        {
            return "DRBD Proxy is a product of its own, which BlockRepl does not have; remove the 'proxy' sections.";
        }

        if (resource.Hosts.Find(host => host.AlternateAddress is not null) is { } alternate)
        {
            return $"'alternate-link-address' ({alternate.AlternateAddress!.Position}) is not supported: there is one "
                + "address for each host. Remove it, or bond the two links.";
        }

        if (resource.Hosts.Find(host => host.Address!.Family is "ssocks" or "sdp") is { } special)
        {
            return $"'{special.Address!.Family}' addresses ({special.Address.Position}) need special hardware and are "
                + "not supported; use ipv4 or ipv6.";
        }

        return resource.Hosts.Count switch
        {
            2 => null,
            1 => $"there is a host section for {view.Own!.Title} only; add the peer's.",
            _ => $"it has {resource.Hosts.Count} host sections, but a resource has two hosts; split it into a resource "
                + "for each pair.",
        };
    }
}
