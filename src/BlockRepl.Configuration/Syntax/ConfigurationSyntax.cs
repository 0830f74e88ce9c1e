using BlockRepl.Configuration.Options;

namespace BlockRepl.Configuration.Syntax;

/// <summary>Everything the files of one configuration say, before it is looked at from one node.</summary>
internal sealed class ConfigurationSyntax
{
    public GlobalSettings Global { get; set; } = new();

    public SourcePosition? GlobalAt { get; set; }

    public OptionSections Common { get; set; } = new();

    public SourcePosition? CommonAt { get; set; }

    public List<ResourceSyntax> Resources { get; } = [];

    public List<string> Warnings { get; } = [];
}

/// <summary>The option sections that a resource and common have alike.</summary>
internal class OptionSections
{
    public OptionSet Disk { get; } = new(OptionSection.Disk);

    public OptionSet Net { get; } = new(OptionSection.Net);

    public OptionSet Startup { get; } = new(OptionSection.Startup);

    public OptionSet Options { get; } = new(OptionSection.Options);

    public OptionSet Handlers { get; } = new(OptionSection.Handlers);

    /// <summary>Where each section began: each may appear once.</summary>
    public Dictionary<string, SourcePosition> Seen { get; } = new(StringComparer.Ordinal);
}

/// <summary>A resource section.</summary>
internal sealed class ResourceSyntax(string name, SourcePosition position) : OptionSections
{
    public string Name { get; } = name;

    public SourcePosition Position { get; } = position;

    /// <summary>Defaults of all hosts.</summary>
    public VolumeSet Volumes { get; } = new();

    public List<HostSyntax> Hosts { get; } = [];
}

/// <summary>An <c>on</c> section.</summary>
internal sealed class HostSyntax(IReadOnlyList<string> names, SourcePosition position)
{
    public IReadOnlyList<string> Names { get; } = names;

    public SourcePosition Position { get; } = position;

    public VolumeSet Volumes { get; } = new();

    public OptionSet Options { get; } = new(OptionSection.Options);

    public AddressSyntax? Address { get; set; }
}

/// <summary>The volumes of one section; statements outside a volume section belong to the implicit volume 0.</summary>
internal sealed class VolumeSet
{
    public SortedDictionary<int, VolumeSyntax> All { get; } = [];

    public bool HasExplicit { get; set; }

    public SourcePosition? ImplicitAt { get; set; }
}

/// <summary>What one section says of one volume; null = nothing.</summary>
internal sealed class VolumeSyntax(int number, SourcePosition position)
{
    public int Number { get; } = number;

    public SourcePosition Position { get; } = position;

    public DeviceSyntax? Device { get; set; }

    public PlacedText? Disk { get; set; }

    public MetaDiskSyntax? MetaDisk { get; set; }

    public OptionSet DiskOptions { get; } = new(OptionSection.Disk);
}

/// <summary>A word of the configuration with its place.</summary>
internal sealed record PlacedText(string Text, SourcePosition Position);

/// <summary>A device statement.</summary>
internal sealed record DeviceSyntax(string Path, int Minor, SourcePosition Position);

/// <summary>A meta-disk statement; the path is null for internal, the index null for flexible size.</summary>
internal sealed record MetaDiskSyntax(string? Path, int? Index, SourcePosition Position);

/// <summary>An address statement.</summary>
internal sealed record AddressSyntax(bool IsIpv6, string Address, int Port, SourcePosition Position);
