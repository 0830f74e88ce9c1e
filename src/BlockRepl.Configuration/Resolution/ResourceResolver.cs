using System.Globalization;
using System.Net;
using BlockRepl.Configuration.Options;
using BlockRepl.Configuration.Syntax;
using BlockRepl.Core;
using BlockRepl.Core.MetaData;
using BlockRepl.Core.Options;
using BlockRepl.Core.Protocol;

namespace BlockRepl.Configuration.Resolution;

/// <summary>
/// One resource of two hosts from one node's point of view: its options as the core takes them. Refuses what DRBD's
/// low-level tools and kernel would refuse when they are handed the options.
/// </summary>
internal sealed class ResourceResolver(ConfigurationSyntax syntax, NodeView view, List<string> warnings)
{
    private const int HighestMinor = 1048575;

    private readonly ResourceSyntax _resource = view.Syntax;
    private readonly HostSyntax _own = view.Own!;

    public ResourceConfiguration Resolve()
    {
        HostSyntax peer = _resource.Hosts.Find(host => host != _own)!;
        OptionSet options = Evaluate(_own.Options.InheritFrom(view.Sections.Options));
        var volumes = new List<VolumeConfiguration>();
        var volumeOptions = new List<VolumeOptions>();
        if (_own.Volumes.All.Count == 0)
        {
            throw new ConfigurationException(
                _own.Position, $"in resource {_resource.Name}, on {_own.Title} {{ ... }}: 'device' keyword missing.");
        }

        foreach (VolumeSyntax volume in _own.Volumes.All.Values)
        {
            OptionSet diskSet = Evaluate(view.DiskOptions(volume));
            volumes.Add(ResolveVolume(volume) with { DiskTexts = Texts(diskSet) });
            DiskOptions disk = new DiskOptionsBuilder(syntax, _resource, _own, volume.Number, warnings)
                .Build(diskSet);
            volumeOptions.Add(
                new VolumeOptions { Number = volume.Number, Minor = volume.Device!.Minor, Disk = disk });
        }

        OptionSet netSet = Evaluate(view.Sections.Net);
        NetOptions net = new NetOptionsBuilder(_resource, netSet, _own, peer).Build();
        CheckRules(net, volumeOptions);
        return new ResourceConfiguration
        {
            Name = _resource.Name,
            Position = _resource.Position,
            Volumes = volumes,
            Own = Endpoint(_own),
            Peer = Endpoint(peer),
            Handlers = ResolveHandlers(),
            Startup = ResolveStartup(),
            CpuMask = options.Text("cpu-mask") ?? "",
            NetTexts = Texts(netSet),
            OptionTexts = Texts(options),
            StartupTexts = Texts(view.Sections.Startup),
            Options = new ResourceOptions
            {
                Name = _resource.Name,
                Volumes = volumeOptions,
                Net = net,
                OnNoDataAccessible = (OnNoData)options.Number("on-no-data-accessible", 0),
            },
        };
    }

    private static OptionText[] Texts(OptionSet set) => [.. set.Values.Select(
        value => OptionTable.Find(set.Section, value.Name)!.Describe(value.Text, value.InScale))];

    private OptionSet Evaluate(OptionSet set) => set.Select(value => OptionReader.Evaluate(value, warnings));

    private static VolumeConfiguration ResolveVolume(VolumeSyntax volume)
    {
        PlacedText disk = volume.Disk!;
        MetaDiskSyntax metaDisk = volume.MetaDisk!;
        if (disk.Text is "" or "none")
        {
            throw new ConfigurationException(disk.Position, "disk needs the path of the backing device.");
        }

        CheckRange("minor", volume.Device!.Minor, HighestMinor, volume.Device.Position);
        CheckRange("volume number", volume.Number, 65535, volume.Position);
        int index = metaDisk.Index is null ? 0 : int.Parse(metaDisk.Index, CultureInfo.InvariantCulture);

        // 128 MiB for each slot: more than these would lie beyond any device.
        CheckRange("meta-disk index", index, 65535, metaDisk.Position);
        MetaDataKind kind = metaDisk switch
        {
            { Path: null } => MetaDataKind.Internal,
            { Index: null } => MetaDataKind.FlexibleExternal,
            _ => MetaDataKind.IndexedExternal,
        };

        // Other names than /dev/drbdN are not created.
        return new VolumeConfiguration(
            volume.Number, volume.Device.Minor, $"/dev/drbd{volume.Device.Minor}", disk.Text, kind,
            metaDisk.Path ?? disk.Text, index, volume.Position);
    }

    private static void CheckRange(string what, int value, int maximum, SourcePosition position)
    {
        if (value > maximum)
        {
            throw new ConfigurationException(
                position, $"{what} {value} out of range [0..{maximum}]. Choose a value within it.");
        }
    }

    private HostEndpoint Endpoint(HostSyntax host)
    {
        AddressSyntax address = host.Address!;
        int scopeAt = address.Address.IndexOf('%', StringComparison.Ordinal);
        string bare = scopeAt < 0 ? address.Address : address.Address[..scopeAt];
        string plain = address.IsIpv6 ? bare : WithoutLeadingZeros(bare);
        if (!IPAddress.TryParse(plain, out _))
        {
            throw new ConfigurationException(
                address.Position,
                $"in resource {_resource.Name}: '{OptionReader.Shorten(bare)}' is no address; "
                + (address.IsIpv6 ? "write ipv6 [ADDRESS]:PORT." : "write four numbers of [0..255] with dots."));
        }

        string scope = scopeAt < 0 ? "" : address.Address[scopeAt..];
        int port = int.Parse(address.Port, CultureInfo.InvariantCulture);
        return new HostEndpoint(host.Names, address.IsIpv6, plain + scope, port, address.Position);
    }

    /// <summary>010 is ten here as in DRBD, and not eight as the base library has it.</summary>
    private static string WithoutLeadingZeros(string ipv4) => string.Join(
        '.', ipv4.Split('.').Select(group => group.TrimStart('0') is { Length: > 0 } digits ? digits : "0"));

    private void CheckRules(NetOptions net, List<VolumeOptions> volumes)
    {
        foreach (VolumeOptions volume in volumes)
        {
            if (volume.Disk.Fencing == FencingPolicy.ResourceAndStonith && net.Protocol == ReplicationProtocol.A)
            {
                throw new ConfigurationException(
                    _resource.Position,
                    $"(154) in resource {_resource.Name}: fencing resource-and-stonith needs protocol B or C, "
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
                        _resource.Position,
                        $"(133) in resource {_resource.Name}: the resync-after options of volume {volume.Number} "
                        + "lead in a circle.");
                }

                at = volumes.Find(candidate => candidate.Number == at.Disk.ResyncAfterVolume)!;
            }
        }
    }

    private Dictionary<HandlerKind, string> ResolveHandlers()
    {
        var handlers = new Dictionary<HandlerKind, string>();
        foreach (OptionValue value in view.Sections.Handlers.Values)
        {
            handlers[HandlerNames.Parse(value.Name)] = value.Text;
        }

        return handlers;
    }

    private StartupOptions ResolveStartup()
    {
        OptionSet startup = view.Sections.Startup;
        return new StartupOptions
        {
            WaitSeconds = startup.Integer("wfc-timeout", 0),
            DegradedWaitSeconds = startup.Integer("degr-wfc-timeout", 0),
            OutdatedWaitSeconds = startup.Integer("outdated-wfc-timeout", 0),
            WaitAfterSplitBrain = startup.Flag("wait-after-sb", false),
            BecomePrimaryOn = startup.Text("become-primary-on")?.Split(' ') ?? [],
            StackedTimeouts = startup.Flag("stacked-timeouts", false),
        };
    }
}
