using BlockRepl.Configuration.Options;

namespace BlockRepl.Configuration.Syntax;

/// <summary>Everything the files of one configuration say, before it is looked at from one node.</summary>
internal sealed class ConfigurationSyntax
{
    public GlobalSettings Global { get; set; } = new();

    public SourcePosition? GlobalAt { get; set; }

    /// <summary>Has no hosts; what it says of devices counts nowhere.</summary>
    public ResourceSyntax? Common { get; set; }

    public List<ResourceSyntax> Resources { get; } = [];

    public List<string> Warnings { get; } = [];

    public ResourceSyntax? Find(string resource) => Resources.Find(candidate => candidate.Name == resource);
}

/// <summary>The option sections that resources and common have.</summary>
internal sealed class OptionSections
{
    public OptionSet Options { get; init; } = new(OptionSection.Options);

    public OptionSet Net { get; init; } = new(OptionSection.Net);

    public OptionSet Disk { get; init; } = new(OptionSection.Disk);

    public OptionSet Startup { get; init; } = new(OptionSection.Startup);

    public OptionSet Proxy { get; init; } = new(OptionSection.Proxy);

    public OptionSet Handlers { get; init; } = new(OptionSection.Handlers);
}

/// <summary>A resource section, or common.</summary>
internal sealed class ResourceSyntax(string name, SourcePosition position)
{
    public string Name { get; } = name;

    public SourcePosition Position { get; } = position;

    public OptionSections Sections { get; } = new();

    /// <summary>Where each section and statement that may appear once was seen.</summary>
    public Dictionary<string, SourcePosition> Seen { get; } = new(StringComparer.Ordinal);

    /// <summary>Defaults of all hosts.</summary>
    public VolumeSet Volumes { get; } = new();

    public List<HostSyntax> Hosts { get; } = [];
}

/// <summary>How a host section says whose it is.</summary>
internal enum HostKind
{
    /// <summary><c>on NAME …</c>.</summary>
    On,

    /// <summary><c>floating ADDRESS</c>: the host that has the address.</summary>
    Floating,

    /// <summary><c>stacked-on-top-of RESOURCE</c>: the hosts of that resource.</summary>
    Stacked,
}

/// <summary>A host's section in a resource.</summary>
internal sealed class HostSyntax(HostKind kind, IReadOnlyList<string> names, SourcePosition position)
{
    public HostKind Kind { get; } = kind;

    /// <summary>Host names; the address of a floating section; of a stacked one the lower resource's hosts, once
    /// all files are read.</summary>
    public IReadOnlyList<string> Names { get; set; } = names;

    /// <summary>The lower resource of a stacked section.</summary>
    public string? StackedOn { get; init; }

    public SourcePosition Position { get; } = position;

    /// <summary>Where each statement was seen.</summary>
    public Dictionary<string, SourcePosition> Seen { get; } = new(StringComparer.Ordinal);

    /// <summary>Once all files are read: with what the resource says for all its hosts.</summary>
    public VolumeSet Volumes { get; } = new();

    public OptionSet Options { get; set; } = new(OptionSection.Options);

    public AddressSyntax? Address { get; set; }

    public AddressSyntax? AlternateAddress { get; set; }

    public ProxySyntax? Proxy { get; set; }

    /// <summary>As messages name it.</summary>
    public string Title => $"{(Kind == HostKind.Stacked ? StackedOn : string.Join(' ', Names))}";
}

/// <summary>DRBD Proxy between a host and the network; read, printed, not run.</summary>
internal sealed class ProxySyntax(IReadOnlyList<string> names, SourcePosition position)
{
    public IReadOnlyList<string> Names { get; } = names;

    public SourcePosition Position { get; } = position;

    public AddressSyntax? Inside { get; set; }

    public AddressSyntax? Outside { get; set; }

    public OptionSet Options { get; set; } = new(OptionSection.Proxy);
}

/// <summary>The volumes of one section; statements outside a volume section belong to the implicit volume 0.</summary>
internal sealed class VolumeSet
{
    public SortedDictionary<int, VolumeSyntax> All { get; } = [];

    public VolumeSyntax? Implicit => All.GetValueOrDefault(0) is { IsImplicit: true } volume ? volume : null;

    public bool HasExplicit => All.Count > (Implicit is null ? 0 : 1);
}

/// <summary>What one section says of one volume; null = nothing.</summary>
internal sealed class VolumeSyntax(int number, bool isImplicit, SourcePosition position)
{
    public int Number { get; } = number;

    public bool IsImplicit { get; } = isImplicit;

    public SourcePosition Position { get; } = position;

    public DeviceSyntax? Device { get; set; }

    public PlacedText? Disk { get; set; }

    public MetaDiskSyntax? MetaDisk { get; set; }

    public OptionSet DiskOptions { get; set; } = new(OptionSection.Disk);
}

/// <summary>A word of the configuration with its place.</summary>
internal sealed record PlacedText(string Text, SourcePosition Position);

/// <summary>A device statement; the path is null if only a minor was given.</summary>
internal sealed record DeviceSyntax(string? Path, int Minor, SourcePosition Position)
{
    public string ShownPath => Path ?? $"/dev/drbd{Minor}";
}

/// <summary>A meta-disk statement; the path is null for internal, the index null for flexible size.</summary>
internal sealed record MetaDiskSyntax(string? Path, string? Index, SourcePosition Position);

/// <summary>An address as it was written, with its family.</summary>
internal sealed record AddressSyntax(string Family, string Address, string Port, SourcePosition Position)
{
    public bool IsIpv6 => Family == "ipv6";

    public override string ToString() => IsIpv6 ? $"[{Address}]:{Port}" : $"{Address}:{Port}";
}
