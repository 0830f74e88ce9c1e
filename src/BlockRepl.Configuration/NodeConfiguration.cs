using BlockRepl.Configuration.Options;
using BlockRepl.Core;
using BlockRepl.Core.MetaData;
using BlockRepl.Core.Options;

namespace BlockRepl.Configuration;

/// <summary>What a configuration means on one node.</summary>
public sealed record NodeConfiguration
{
    public required string Node { get; init; }

    /// <summary>The main file.</summary>
    public required string Path { get; init; }

    public required GlobalSettings Global { get; init; }

    /// <summary>The resources with a section for this node, in the files' order.</summary>
    public required IReadOnlyList<ResourceConfiguration> Resources { get; init; }

    /// <summary>The resources without one, and those that BlockRepl cannot run.</summary>
    public required IReadOnlyList<IgnoredResource> Ignored { get; init; }

    public required IReadOnlyList<string> Warnings { get; init; }

    public ResourceConfiguration? Find(string resource) =>
        Resources.FirstOrDefault(candidate => candidate.Name == resource);

    /// <summary>In words why a resource is not there, and what to do.</summary>
    public string WhyMissing(string? resource)
    {
        foreach (IgnoredResource ignored in Ignored)
        {
            if ((resource is null || ignored.Name == resource) && ignored.Reason.Length > 0)
            {
                return $"the resource {ignored.Name} ({ignored.Position}) cannot be run here: {ignored.Reason}";
            }

            if (resource is null || ignored.Name == resource)
            {
                return $"the resource {ignored.Name} ({ignored.Position}) has no section for this host '{Node}', only "
                    + $"for {string.Join(", ", ignored.Hosts)}. The name after 'on' must be what 'uname -n' prints; "
                    + "correct either of them, or name this node with --node NAME.";
            }
        }

        if (resource is null || Resources.Count == 0)
        {
            return $"no resources defined in {Path} and the files it includes. The usual drbd.conf includes "
                + "drbd.d/*.res: does your resource's file have another ending, such as r0.conf? Rename it, "
                + "or add an include for it.";
        }

        return $"'{resource}' is not defined in {Path}; known here are: "
            + $"{string.Join(", ", Resources.Select(known => known.Name))}.";
    }
}

/// <summary>A resource that has no section for this node, or uses what BlockRepl does not have.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Position">Where it is defined.</param>
/// <param name="Hosts">The hosts it has sections for.</param>
/// <param name="Reason">Why this node cannot run it although it has a section; empty if it has none.</param>
public sealed record IgnoredResource(
    string Name, SourcePosition Position, IReadOnlyList<string> Hosts, string Reason);

/// <summary>One resource as this node sees it.</summary>
public sealed record ResourceConfiguration
{
    public required string Name { get; init; }

    /// <summary>Where it is defined.</summary>
    public required SourcePosition Position { get; init; }

    /// <summary>What the core needs.</summary>
    public required ResourceOptions Options { get; init; }

    /// <summary>In ascending order of the volume numbers, like <see cref="ResourceOptions.Volumes"/>.</summary>
    public required IReadOnlyList<VolumeConfiguration> Volumes { get; init; }

    public required HostEndpoint Own { get; init; }

    public required HostEndpoint Peer { get; init; }

    /// <summary>Shell command lines of the configured handlers.</summary>
    public required IReadOnlyDictionary<HandlerKind, string> Handlers { get; init; }

    public required StartupOptions Startup { get; init; }

    /// <summary>cpu-mask as given, hexadecimal; empty = all.</summary>
    public string CpuMask { get; init; } = "";

    /// <summary>What net { } says, in the order in which DRBD's tools hand it on.</summary>
    public IReadOnlyList<OptionText> NetTexts { get; init; } = [];

    /// <summary>The same of options { }.</summary>
    public IReadOnlyList<OptionText> OptionTexts { get; init; } = [];

    /// <summary>The same of startup { }.</summary>
    public IReadOnlyList<OptionText> StartupTexts { get; init; } = [];
}

/// <summary>An option as it is written.</summary>
/// <param name="Text">Its value as in the file, yes or no for a flag.</param>
/// <param name="InScale">A number in the option's scale, with the scale's letter; else as the text.</param>
/// <param name="IsText">Whether it is free text, which is quoted.</param>
/// <param name="Counts">What a number counts, in words; empty: nothing in particular.</param>
/// <param name="IsDefault">Whether it would be the same if it was not written.</param>
public readonly record struct OptionText(
    string Name, string Text, string InScale, bool IsText, string Counts, bool IsDefault);

/// <summary>All options of a section that drbdsetup shows, as they are where nothing is written.</summary>
public static class OptionDefaults
{
    public static IReadOnlyList<OptionText> Net { get; } = OptionTable.Defaults(OptionSection.Net);
    public static IReadOnlyList<OptionText> Disk { get; } = OptionTable.Defaults(OptionSection.Disk);
    public static IReadOnlyList<OptionText> Resource { get; } = OptionTable.Defaults(OptionSection.Options);
}

/// <summary>Where a volume is on this node.</summary>
/// <param name="Number">0..65535.</param>
/// <param name="Minor">0..1048575.</param>
/// <param name="DevicePath">/dev/drbdN, also where no such node exists.</param>
/// <param name="DiskPath">The backing device.</param>
/// <param name="MetaDataKind">Where the meta data lie.</param>
/// <param name="MetaDiskPath">The meta-data device; equal to <paramref name="DiskPath"/> for internal meta
/// data.</param>
/// <param name="MetaDiskIndex">Slot of indexed meta data, else 0.</param>
/// <param name="Position">Where the volume is defined.</param>
public sealed record VolumeConfiguration(
    int Number,
    int Minor,
    string DevicePath,
    string DiskPath,
    MetaDataKind MetaDataKind,
    string MetaDiskPath,
    int MetaDiskIndex,
    SourcePosition Position)
{
    /// <summary>What disk { } says for it, in the order in which DRBD's tools hand it on.</summary>
    public IReadOnlyList<OptionText> DiskTexts { get; init; } = [];
}

/// <summary>A host's names and its address for this resource.</summary>
/// <param name="Names">The names after 'on'; at least one.</param>
/// <param name="Address">IPv4 in dotted form, or IPv6, perhaps with %scope.</param>
/// <param name="Port">1..65535.</param>
/// <param name="Position">Where the address is given.</param>
public sealed record HostEndpoint(
    IReadOnlyList<string> Names, bool IsIpv6, string Address, int Port, SourcePosition Position)
{
    public string Name => Names[0];

    public override string ToString() => IsIpv6 ? $"ipv6 [{Address}]:{Port}" : $"ipv4 {Address}:{Port}";
}

/// <summary>startup { }: only for wait-connect. Seconds; 0 = for ever.</summary>
public sealed record StartupOptions
{
    public int WaitSeconds { get; init; }
    public int DegradedWaitSeconds { get; init; }
    public int OutdatedWaitSeconds { get; init; }
    public bool WaitAfterSplitBrain { get; init; }
    public IReadOnlyList<string> BecomePrimaryOn { get; init; } = [];
    public bool StackedTimeouts { get; init; }
}
