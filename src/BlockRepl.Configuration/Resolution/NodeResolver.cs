using BlockRepl.Configuration.Syntax;

namespace BlockRepl.Configuration.Resolution;

/// <summary>Finds the sections of one node and checks what has to be unique.</summary>
internal sealed class NodeResolver(string path, ConfigurationSyntax syntax, string node)
{
    private readonly List<string> _warnings = [.. syntax.Warnings];

    public NodeConfiguration Resolve()
    {
        CheckUniqueness();
        var resources = new List<ResourceConfiguration>();
        var ignored = new List<IgnoredResource>();
        foreach (ResourceSyntax resource in syntax.Resources)
        {
            if (resource.Hosts.Find(host => host.Names.Contains(node)) is { } own)
            {
                resources.Add(new ResourceResolver(syntax, resource, own, node, _warnings).Resolve());
            }
            else
            {
                ignored.Add(new IgnoredResource(
                    resource.Name, resource.Position, [.. resource.Hosts.SelectMany(host => host.Names)]));
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

    private void CheckUniqueness()
    {
        var seen = new Dictionary<string, SourcePosition>(StringComparer.Ordinal);
        foreach (ResourceSyntax resource in syntax.Resources)
        {
            foreach (HostSyntax host in resource.Hosts)
            {
                CheckHost(seen, resource, host);
            }
        }
    }

    private static void CheckHost(Dictionary<string, SourcePosition> seen, ResourceSyntax resource, HostSyntax host)
    {
        if (host.Address is { } address)
        {
            // A loopback address is each host's own; any other one belongs to one host only.
            bool loopback = address.Address.StartsWith("127.", StringComparison.Ordinal) || address.Address == "::1";
            string owner = loopback ? host.Names[0] + ":" : "";
            AddUnique(seen, "address", $"{owner}{address.Address}:{address.Port}", address.Position);
        }

        foreach (int number in resource.Volumes.All.Keys.Union(host.Volumes.All.Keys))
        {
            VolumeSyntax? shared = resource.Volumes.All.GetValueOrDefault(number);
            VolumeSyntax? own = host.Volumes.All.GetValueOrDefault(number);
            if ((own?.Device ?? shared?.Device) is { } device)
            {
                AddUnique(seen, "device-minor", $"{host.Names[0]}:{device.Minor}", device.Position);
            }

            if ((own?.MetaDisk ?? shared?.MetaDisk) is { Path: { } metaPath } metaDisk)
            {
                AddUnique(
                    seen, "meta-disk",
                    $"{host.Names[0]}:{metaPath}[{metaDisk.Index?.ToString() ?? "flexible"}]", metaDisk.Position);
            }
        }
    }

    private static void AddUnique(
        Dictionary<string, SourcePosition> seen, string what, string key, SourcePosition position)
    {
        if (!seen.TryAdd(what + " " + key, position))
        {
            throw new ConfigurationException(
                position,
                $"conflicting use of {what} '{key}' ...\n{seen[what + " " + key]}: {what} '{key}' first used here. "
                + "Give each its own.");
        }
    }
}
