using BlockRepl.Configuration.Syntax;

namespace BlockRepl.Configuration.Resolution;

/// <summary>
/// Gives each host what its resource says for all of them, and stacked sections what they have from the lower resource.
/// Afterwards a host section stands for itself.
/// </summary>
internal sealed class HostCompletion(ConfigurationSyntax syntax)
{
    private int _volumes;

    public void Run()
    {
        foreach (ResourceSyntax resource in syntax.Resources)
        {
            foreach (HostSyntax host in resource.Hosts)
            {
                TakeFromResource(resource, host);
            }
        }

        // After that: a lower resource may be defined below the one that is stacked on it.
        foreach (ResourceSyntax resource in syntax.Resources)
        {
            foreach (HostSyntax host in resource.Hosts.Where(host => host.Kind == HostKind.Stacked))
            {
                TakeFromLower(resource, host);
            }
        }
    }

    private void TakeFromResource(ResourceSyntax resource, HostSyntax host)
    {
        foreach (VolumeSyntax shared in resource.Volumes.All.Values)
        {
            if (!host.Volumes.All.TryGetValue(shared.Number, out VolumeSyntax? own))
            {
                own = new VolumeSyntax(shared.Number, shared.IsImplicit, shared.Position);
                host.Volumes.All.Add(shared.Number, own);
            }

            own.Device ??= shared.Device;
            if (host.Kind != HostKind.Stacked)
            {
                own.Disk ??= shared.Disk;
                own.MetaDisk ??= shared.MetaDisk;
            }
        }

        _volumes += host.Volumes.All.Count;
        if (_volumes > ConfigurationLimits.HostVolumes)
        {
            throw new ConfigurationException(
                host.Position, $"more than {ConfigurationLimits.HostVolumes} volumes of all hosts together.");
        }

        if (host.Volumes is { Implicit: not null, HasExplicit: true })
        {
            throw new ConfigurationException(
                host.Position,
                $"in resource {resource.Name}, on {host.Title}: volume 0 is given without 'volume 0 {{ ... }}', others "
                + "with a volume section; put all of them into volume sections.");
        }
    }

    private void TakeFromLower(ResourceSyntax resource, HostSyntax host)
    {
        ResourceSyntax lower = syntax.Find(host.StackedOn!) ?? throw new ConfigurationException(
            host.Position,
            $"in resource {resource.Name}: the resource '{host.StackedOn}', on which it is to be stacked, "
            + "is not defined.");
        if (lower.Hosts.Exists(below => below.Kind == HostKind.Stacked))
        {
            throw new ConfigurationException(
                host.Position, $"in resource {resource.Name}: '{lower.Name}' is stacked itself; one storey is all.");
        }

        host.Names = [.. lower.Hosts.SelectMany(below => below.Names)];
        foreach (VolumeSyntax volume in host.Volumes.All.Values)
        {
            VolumeSyntax? below = lower.Hosts.Count == 0
                ? null
                : lower.Hosts[0].Volumes.All.GetValueOrDefault(volume.Number);
            if (below?.Device is not { } device || below.IsImplicit != volume.IsImplicit)
            {
                throw new ConfigurationException(
                    volume.Position,
                    $"in resource {resource.Name}: volume {volume.Number} is stacked on volume {volume.Number} of "
                    + $"{lower.Name}, which does not have it in the same form (with or without 'volume N {{ ... }}').");
            }

            volume.Disk = new PlacedText(device.ShownPath, host.Position);
            volume.MetaDisk = new MetaDiskSyntax(null, null, host.Position);
        }
    }
}
