using System.Collections.Frozen;

namespace BlockRepl.Configuration.Options;

/// <summary>All options that DRBD 8.4 has, by section. Units and bounds are DRBD's.</summary>
internal static class OptionTable
{
    private const long FourGiPerSecondInKiB = 4194304;

    public static OptionDefinition? Find(OptionSection section, string name) =>
        Sections[(int)section].GetValueOrDefault(name);

    /// <summary>The section that has an option of this name, if there is one.</summary>
    public static OptionSection? SectionOf(string name)
    {
        foreach (OptionSection section in Enum.GetValues<OptionSection>())
        {
            if (Find(section, name) is not null)
            {
                return section;
            }
        }

        return null;
    }

    /// <summary>A section's name in drbd.conf.</summary>
    public static string Title(OptionSection section) => section switch
    {
        OptionSection.Disk => "disk",
        OptionSection.Net => "net",
        OptionSection.Startup => "startup",
        OptionSection.Options => "options",
        OptionSection.Handlers => "handlers",
        _ => "proxy",
    };

    public static IEnumerable<string> Names(OptionSection section) =>
        Sections[(int)section].Keys.Order(StringComparer.Ordinal);

    private static OptionDefinition Number(
        string name, long minimum, long maximum, int scale = 1, string unit = "", bool clamps = false) =>
        new(name, OptionKind.Number)
        {
            Minimum = minimum, Maximum = maximum, Scale = scale, Unit = unit, Clamps = clamps,
        };

    private static OptionDefinition Sectors(string name, long minimum, long maximum) =>
        Number(name, minimum, maximum, 512, "s");

    private static OptionDefinition Rate(string name, long minimum) =>
        Number(name, minimum, FourGiPerSecondInKiB, 1024, "k");

    private static OptionDefinition Flag(string name) => new(name, OptionKind.Boolean);

    private static OptionDefinition NoFlag(string name, string kept) =>
        new(name, OptionKind.Boolean) { KeptAs = kept, MeansNo = true };

    private static OptionDefinition Choice(string name, params string[] choices) =>
        new(name, OptionKind.Choice) { Choices = choices };

    private static OptionDefinition Text(string name, int longest = ConfigurationLimits.QuotedCharacters) =>
        new(name, OptionKind.Text) { LongestText = longest };

    private static OptionDefinition Digest(string name) => new(name, OptionKind.Digest);

    private static OptionDefinition Ignored(string name) => new(name, OptionKind.Ignored);

    private static readonly OptionDefinition[] Disk =
    [
        Sectors("size", 0, 2199023255552),
        Number("max-bio-bvecs", 0, 128, clamps: true),
        Choice("on-io-error", "pass_on", "call-local-io-error", "detach"),
        Choice("fencing", "dont-care", "resource-only", "resource-and-stonith"),
        Flag("disk-barrier"),
        Flag("disk-flushes"),
        Flag("disk-drain"),
        Flag("md-flushes"),
        Rate("resync-rate", 1),
        Rate("rate", 1) with { KeptAs = "resync-rate" },
        Text("resync-after"),
        Text("after") with { KeptAs = "resync-after" },
        Number("al-extents", 67, 65534, clamps: true),
        Flag("al-updates"),
        Number("c-plan-ahead", 0, 300),
        Number("c-delay-target", 1, 100),
        Sectors("c-fill-target", 0, 1048576),
        Rate("c-max-rate", 250),
        Rate("c-min-rate", 0),
        Number("disk-timeout", 0, 6000, clamps: true),
        Choice(
            "read-balancing", "prefer-local", "prefer-remote", "round-robin", "least-pending", "when-congested-remote",
            "32K-striping", "64K-striping", "128K-striping", "256K-striping", "512K-striping", "1M-striping"),
        Number("rs-discard-granularity", 0, 1048576, clamps: true),
        Flag("discard-zeroes-if-aligned"),
        Flag("disable-write-same"),
        Flag("use-bmbv"),
        NoFlag("no-disk-barrier", "disk-barrier"),
        NoFlag("no-disk-flushes", "disk-flushes"),
        NoFlag("no-disk-drain", "disk-drain"),
        NoFlag("no-md-flushes", "md-flushes"),
    ];

    private static readonly OptionDefinition[] Net =
    [
        new("protocol", OptionKind.Protocol),
        Number("timeout", 1, 600),
        Number("connect-int", 1, 120),
        Number("ping-int", 1, 120),
        Number("ping-timeout", 1, 300, clamps: true),
        Number("ko-count", 0, 200),
        Number("max-buffers", 32, 131072),
        Number("max-epoch-size", 1, 20000),
        Number("unplug-watermark", 1, 131072, clamps: true),
        Number("sndbuf-size", 0, 10485760),
        Number("rcvbuf-size", 0, 10485760),
        Flag("tcp-cork"),
        NoFlag("no-tcp-cork", "tcp-cork"),
        Flag("allow-two-primaries"),
        Digest("cram-hmac-alg"),
        Text("shared-secret", 64),
        Digest("data-integrity-alg"),
        Digest("verify-alg"),
        Digest("csums-alg"),
        Flag("csums-after-crash-only"),
        Text("after-sb-0pri"),
        Choice(
            "after-sb-1pri", "disconnect", "consensus", "discard-secondary", "call-pri-lost-after-sb",
            "violently-as0p"),
        Choice("after-sb-2pri", "disconnect", "call-pri-lost-after-sb", "violently-as0p"),
        Flag("always-asbp"),
        Choice("rr-conflict", "disconnect", "call-pri-lost", "violently"),
        Choice("on-congestion", "block", "pull-ahead", "disconnect"),
        Sectors("congestion-fill", 0, 20971520),
        Number("congestion-extents", 67, 65534),
        Flag("use-rle"),
        Number("socket-check-timeout", 0, 300, clamps: true),
    ];

    private static readonly OptionDefinition[] Startup =
    [
        Number("wfc-timeout", 0, 300000),
        Number("degr-wfc-timeout", 0, 300000),
        Number("outdated-wfc-timeout", 0, 300000),
        Flag("wait-after-sb"),
        new("become-primary-on", OptionKind.Words),
        new("stacked-timeouts", OptionKind.Flag),
    ];

    private static readonly OptionDefinition[] Resource =
    [
        Text("cpu-mask", 32),
        Choice("on-no-data-accessible", "io-error", "suspend-io"),
    ];

    private static readonly OptionDefinition[] Handlers =
    [
        Text("pri-on-incon-degr"),
        Text("pri-lost-after-sb"),
        Text("pri-lost"),
        Text("fence-peer"),
        Text("outdate-peer") with { KeptAs = "fence-peer" },
        Text("unfence-peer"),
        Text("local-io-error"),
        Text("initial-split-brain"),
        Text("split-brain"),
        Text("before-resync-target"),
        Text("after-resync-target"),
        Text("before-resync-source"),
        Text("out-of-sync"),
    ];

    private static readonly OptionDefinition[] Proxy =
    [
        Text("memlimit"),
        Text("read-loops"),
        Text("compression"),
        Text("bwlimit"),
        Text("sndbuf-size"),
        Text("rcvbuf-size"),
        Text("ping-timeout"),
    ];

    /// <summary>Read and forgotten in every section.</summary>
    private static readonly OptionDefinition[] Obsolete =
    [
        Ignored("delay-probe-volume"),
        Ignored("delay-probe-interval"),
        Ignored("throttle-threshold"),
        Ignored("hold-off-threshold"),
    ];

    private static readonly FrozenDictionary<string, OptionDefinition>[] Sections =
    [
        Freeze([.. Disk, .. Obsolete]),
        Freeze([.. Net, .. Obsolete]),
        Freeze([.. Startup, .. Obsolete]),
        Freeze([.. Resource, .. Obsolete]),
        Freeze([.. Handlers, .. Obsolete]),
        Freeze([.. Proxy, .. Obsolete]),
    ];

    /// <summary>Options of the old syncer section, and the section each belongs to now.</summary>
    public static readonly FrozenDictionary<string, OptionSection> Syncer = new Dictionary<string, OptionSection>
    {
        ["rate"] = OptionSection.Disk,
        ["after"] = OptionSection.Disk,
        ["al-extents"] = OptionSection.Disk,
        ["c-plan-ahead"] = OptionSection.Disk,
        ["c-delay-target"] = OptionSection.Disk,
        ["c-fill-target"] = OptionSection.Disk,
        ["c-max-rate"] = OptionSection.Disk,
        ["c-min-rate"] = OptionSection.Disk,
        ["verify-alg"] = OptionSection.Net,
        ["csums-alg"] = OptionSection.Net,
        ["use-rle"] = OptionSection.Net,
        ["cpu-mask"] = OptionSection.Options,
        ["on-no-data-accessible"] = OptionSection.Options,
    }.ToFrozenDictionary(StringComparer.Ordinal);

    private static FrozenDictionary<string, OptionDefinition> Freeze(OptionDefinition[] definitions) =>
        definitions.ToFrozenDictionary(definition => definition.Name, StringComparer.Ordinal);
}
