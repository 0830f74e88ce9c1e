using BlockRepl.Configuration.Options;
using BlockRepl.Configuration.Syntax;
using BlockRepl.Core;
using BlockRepl.Core.MetaData;
using BlockRepl.Core.Options;
using BlockRepl.Core.Protocol;

namespace BlockRepl.Configuration.Resolution;

/// <summary>One resource from one node's point of view: inheritance, completeness, rules between options.</summary>
internal sealed class ResourceResolver(
    ConfigurationSyntax syntax, ResourceSyntax resource, HostSyntax own, string node, List<string> warnings)
{
    public ResourceConfiguration Resolve()
    {
        HostSyntax peer = FindPeer();
        CheckSameVolumes(peer);
        OptionSet net = OptionSet.Merge(OptionSection.Net, resource.Net, syntax.Common.Net);
        OptionSet options =
            OptionSet.Merge(OptionSection.Options, own.Options, resource.Options, syntax.Common.Options);
        var volumes = new List<VolumeConfiguration>();
        var volumeOptions = new List<VolumeOptions>();
        foreach (int number in Numbers(own))
        {
            VolumeConfiguration volume = ResolveVolume(number, own);
            ResolveVolume(number, peer);
            volumes.Add(volume);
            volumeOptions.Add(new VolumeOptions { Number = number, Minor = volume.Minor, Disk = ResolveDisk(number) });
        }

        NetOptions netOptions = new NetOptionsBuilder(resource, net, own, peer).Build();
        CheckRules(netOptions, volumeOptions);
        return new ResourceConfiguration
        {
            Name = resource.Name,
            Position = resource.Position,
            Volumes = volumes,
            Own = Endpoint(own),
            Peer = Endpoint(peer),
            Handlers = ResolveHandlers(),
            Startup = ResolveStartup(),
            CpuMask = options.Text("cpu-mask") ?? "",
            Options = new ResourceOptions
            {
                Name = resource.Name,
                Volumes = volumeOptions,
                Net = netOptions,
                OnNoDataAccessible = (OnNoData)options.Number("on-no-data-accessible", 0),
            },
        };
    }

    private HostSyntax FindPeer()
    {
        List<HostSyntax> others = resource.Hosts.FindAll(host => host != own);
        if (others.Find(host => host.Names.Contains(node)) is { } twice)
        {
            throw new ConfigurationException(
                twice.Position,
                $"two 'on' sections of resource {resource.Name} are for {node}; the other is at {own.Position}.");
        }

        return others.Count switch
        {
            1 => others[0],
            0 => throw new ConfigurationException(
                resource.Position,
                $"in resource {resource.Name}: there is an 'on' section for {node} only; add the peer's."),
            _ => throw new ConfigurationException(
                others[1].Position,
                $"in resource {resource.Name}: {resource.Hosts.Count} 'on' sections, but a resource has two hosts. "
                + "Split it into a resource for each pair."),
        };
    }

    private SortedSet<int> Numbers(HostSyntax host) =>
        [.. resource.Volumes.All.Keys, .. host.Volumes.All.Keys];

    private void CheckSameVolumes(HostSyntax peer)
    {
        if (own.Volumes.HasExplicit != peer.Volumes.HasExplicit && own.Volumes.All.Count > 0
            && peer.Volumes.All.Count > 0)
        {
            throw new ConfigurationException(
                peer.Position,
                $"in resource {resource.Name}: one host has 'volume N {{ ... }}' sections, the other has none; "
                + "use them on both.");
        }

        SortedSet<int> mine = Numbers(own);
        SortedSet<int> theirs = Numbers(peer);
        if (mine.Count == 0)
        {
            throw new ConfigurationException(
                own.Position, $"in resource {resource.Name}, on {own.Names[0]} {{ ... }}: 'device' keyword missing.");
        }

        if (!mine.SetEquals(theirs))
        {
            int only = mine.Except(theirs).Concat(theirs.Except(mine)).First();
            throw new ConfigurationException(
                (mine.Contains(only) ? peer : own).Position,
                $"in resource {resource.Name}: volume {only} is defined for one host only; define it on both.");
        }
    }

    private VolumeConfiguration ResolveVolume(int number, HostSyntax host)
    {
        VolumeSyntax? shared = resource.Volumes.All.GetValueOrDefault(number);
        VolumeSyntax? hosts = host.Volumes.All.GetValueOrDefault(number);
        SourcePosition position = (hosts ?? shared)!.Position;
        DeviceSyntax device = hosts?.Device ?? shared?.Device ?? throw Missing("device");
        PlacedText disk = hosts?.Disk ?? shared?.Disk ?? throw Missing("disk");
        MetaDiskSyntax metaDisk = hosts?.MetaDisk ?? shared?.MetaDisk ?? throw Missing("meta-disk");
        if (disk.Text is "" or "none")
        {
            throw new ConfigurationException(disk.Position, "disk needs the path of the backing device.");
        }

        MetaDataKind kind = metaDisk switch
        {
            { Path: null } => MetaDataKind.Internal,
            { Index: null } => MetaDataKind.FlexibleExternal,
            _ => MetaDataKind.IndexedExternal,
        };
        return new VolumeConfiguration(
            number, device.Minor, device.Path, disk.Text, kind, metaDisk.Path ?? disk.Text, metaDisk.Index ?? 0,
            position);

        ConfigurationException Missing(string what) => new(
            position,
            $"in resource {resource.Name}, on {host.Names[0]} {{ ... }}: '{what}' keyword missing (volume {number}).");
    }

    private HostEndpoint Endpoint(HostSyntax host)
    {
        AddressSyntax address = host.Address ?? throw new ConfigurationException(
            host.Position, $"in resource {resource.Name}, on {host.Names[0]} {{ ... }}: 'address' keyword missing.");
        return new HostEndpoint(host.Names, address.IsIpv6, address.Address, address.Port, address.Position);
    }

    /// <summary>
    /// Strongest first: the host's own, the resource's, common's. What a volume section at the level of the resource
    /// says is weakest, even against common: so do DRBD's tools, and a configuration must not mean two things.
    /// </summary>
    private DiskOptions ResolveDisk(int number)
    {
        var none = new OptionSet(OptionSection.Disk);
        OptionSet hosts = own.Volumes.All.GetValueOrDefault(number)?.DiskOptions ?? none;
        OptionSet shared = resource.Volumes.All.GetValueOrDefault(number)?.DiskOptions ?? none;
        OptionSet merged = OptionSet.Merge(OptionSection.Disk, hosts, resource.Disk, syntax.Common.Disk, shared);
        return new DiskOptionsBuilder(syntax, resource, Numbers(own), number, warnings).Build(merged);
    }

    private void CheckRules(NetOptions net, List<VolumeOptions> volumes)
    {
        foreach (VolumeOptions volume in volumes)
        {
            if (volume.Disk.Fencing == FencingPolicy.ResourceAndStonith && net.Protocol == ReplicationProtocol.A)
            {
                throw new ConfigurationException(
                    resource.Position,
                    $"(154) in resource {resource.Name}: fencing resource-and-stonith needs protocol B or C, "
                    + "but protocol is A.");
            }
        }

        foreach (VolumeOptions volume in volumes)
        {
            VolumeOptions at = volume;
            for (int steps = 0; at.Disk.ResyncAfterVolume >= 0; steps++)
            {
                if (steps > volumes.Count)
                {
                    throw new ConfigurationException(
                        resource.Position,
                        $"(133) in resource {resource.Name}: the resync-after options of volume {volume.Number} "
                        + "lead in a circle.");
                }

                at = volumes.Find(candidate => candidate.Number == at.Disk.ResyncAfterVolume)!;
            }
        }
    }

    private Dictionary<HandlerKind, string> ResolveHandlers()
    {
        OptionSet merged = OptionSet.Merge(OptionSection.Handlers, resource.Handlers, syntax.Common.Handlers);
        var handlers = new Dictionary<HandlerKind, string>();
        foreach (OptionValue value in merged.Values)
        {
            handlers[HandlerNames.Parse(value.Definition.KeptAs ?? value.Definition.Name)] = value.Text;
        }

        return handlers;
    }

    private StartupOptions ResolveStartup()
    {
        OptionSet merged = OptionSet.Merge(OptionSection.Startup, resource.Startup, syntax.Common.Startup);
        return new StartupOptions
        {
            WaitSeconds = merged.Integer("wfc-timeout", 0),
            DegradedWaitSeconds = merged.Integer("degr-wfc-timeout", 0),
            OutdatedWaitSeconds = merged.Integer("outdated-wfc-timeout", 0),
            WaitAfterSplitBrain = merged.Flag("wait-after-sb", false),
            BecomePrimaryOn = merged.Text("become-primary-on")?.Split(' ') ?? [],
            StackedTimeouts = resource.Startup.Flag("stacked-timeouts", false)
                || syntax.Common.Startup.Flag("stacked-timeouts", false),
        };
    }
}
