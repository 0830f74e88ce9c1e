using BlockRepl.Configuration.Options;
using BlockRepl.Configuration.Syntax;

namespace BlockRepl.Configuration.Resolution;

/// <summary>
/// What DRBD's tools check in all resources of a configuration before they do anything, also in those of other hosts:
/// completeness, and that nothing is used twice.
/// </summary>
internal sealed class ConfigurationChecks(ConfigurationSyntax syntax)
{
    private readonly Dictionary<string, SourcePosition> _used = new(StringComparer.Ordinal);

    public void Run()
    {
        foreach (ResourceSyntax resource in syntax.Resources)
        {
            int proxies = resource.Hosts.Count(host => host.Proxy is not null);
            if (proxies > 0 && proxies < resource.Hosts.Count)
            {
                throw new ConfigurationException(
                    resource.Position,
                    $"in resource {resource.Name}: all hosts must have a proxy section, or none of them.");
            }

            foreach (HostSyntax host in resource.Hosts)
            {
                CheckComplete(resource, host);
                CheckSameVolumes(resource, resource.Hosts[0], host);
                CheckUnique(host);
            }
        }
    }

    /// <summary>For a resource of this node, with the inherited options if these are to count.</summary>
    public static void CheckBecomePrimaryOn(ResourceSyntax resource, OptionSections sections)
    {
        if (sections.Startup.Find("become-primary-on") is not { } value)
        {
            return;
        }

        if (value.Text == "both")
        {
            if (sections.Net.Find("allow-two-primaries") is null)
            {
                throw new ConfigurationException(
                    value.Position,
                    $"in resource {resource.Name}: become-primary-on both needs allow-two-primaries in net {{ }}.");
            }

            return;
        }

        foreach (string name in value.Text.Split(' '))
        {
            if (!resource.Hosts.Exists(host => host.Names.Contains(name)))
            {
                throw new ConfigurationException(
                    value.Position,
                    $"in resource {resource.Name}: become-primary-on names '{name}', which has no 'on' section.");
            }
        }
    }

    private static void CheckComplete(ResourceSyntax resource, HostSyntax host)
    {
        if (host.Address is null)
        {
            throw Missing("address", host.Position);
        }

        foreach (VolumeSyntax volume in host.Volumes.All.Values)
        {
            string? missing = volume.Device is null ? "device"
                : volume.Disk is null ? "disk"
                : volume.MetaDisk is null ? "meta-disk"
                : null;
            if (missing is not null)
            {
                throw Missing(missing, volume.Position);
            }
        }

        ConfigurationException Missing(string what, SourcePosition position) => new(
            position, $"in resource {resource.Name}, on {host.Title} {{ ... }}: '{what}' keyword missing.");
    }

    private static void CheckSameVolumes(ResourceSyntax resource, HostSyntax first, HostSyntax other)
    {
        foreach ((HostSyntax has, HostSyntax has2) in new[] { (first, other), (other, first) })
        {
            foreach (VolumeSyntax volume in has.Volumes.All.Values)
            {
                if (!has2.Volumes.All.TryGetValue(volume.Number, out VolumeSyntax? same))
                {
                    throw new ConfigurationException(
                        has2.Position,
                        $"in resource {resource.Name}: volume {volume.Number} is defined on {has.Title} but not on "
                        + $"{has2.Title}; define it for all hosts.");
                }

                if (same.IsImplicit != volume.IsImplicit)
                {
                    throw new ConfigurationException(
                        same.Position,
                        $"in resource {resource.Name}: one host has 'volume 0 {{ ... }}', the other has its statements "
                        + "outside of one; use the same form on both.");
                }
            }
        }
    }

    private void CheckUnique(HostSyntax host)
    {
        AddressSyntax address = host.Address!;

        // A loopback address is each host's own; any other one belongs to one host only.
        bool loopback = address.Address.StartsWith("127.", StringComparison.Ordinal) || address.Address == "::1";
        string owner = loopback && host.Kind != HostKind.Floating && host.Names.Count > 0 ? host.Names[0] + ":" : "";
        Use("address", $"{owner}{address.Address}:{address.Port}", address.Position);
        foreach (VolumeSyntax volume in host.Volumes.All.Values)
        {
            foreach (string name in host.Names)
            {
                Use("device-minor", $"{name}:{volume.Device!.Minor}", volume.Device.Position);
                Use("disk", $"{name}:{volume.Disk!.Text}", volume.Disk.Position);
                if (volume.MetaDisk is { Path: { } path, Index: var index })
                {
                    Use("meta-disk", $"{name}:{path}[{index ?? "flexible"}]", volume.MetaDisk.Position);
                }
            }
        }
    }

    private void Use(string what, string key, SourcePosition position)
    {
        if (!_used.TryAdd(what + " " + key, position))
        {
            throw new ConfigurationException(
                position,
                $"conflicting use of {what} '{key}' ...\n{_used[what + " " + key]}: {what} '{key}' first used here. "
                + "Give each its own.");
        }
    }
}
