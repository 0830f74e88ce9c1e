using System.Collections.Frozen;
using System.Globalization;

namespace BlockRepl.Configuration.Options;

/// <summary>All options that DRBD 8.4 has, by section. Units and bounds are DRBD's.</summary>
internal static class OptionTable
{
    private const long FourGiPerSecondInKiB = 4194304;
    private const string Bytes = "bytes";
    private const string Seconds = "seconds";
    private const string Tenths = "1/10 seconds";

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

    /// <summary>Those that have a default, in DRBD's order.</summary>
    public static IReadOnlyList<OptionText> Defaults(OptionSection section) =>
    [
        .. InOrder(section).Where(option => option.Default is not null)
            .Select(option => option.Describe(option.Default!, option.Default!)),
    ];

    private static OptionDefinition[] InOrder(OptionSection section) => section switch
    {
        OptionSection.Disk => Disk,
        OptionSection.Net => Net,
        _ => Resource,
    };

    private static OptionDefinition Number(
        string name, long minimum, long maximum, long fallback, string counts = "", bool clamps = false) =>
        Scaled(name, minimum, maximum, fallback, 1, "") with { Counts = counts, Clamps = clamps };

    private static OptionDefinition Sectors(string name, long minimum, long maximum, long fallback) =>
        Scaled(name, minimum, maximum, fallback, 512, "s") with { Counts = Bytes };

    private static OptionDefinition Rate(string name, long minimum, long fallback) =>
        Scaled(name, minimum, FourGiPerSecondInKiB, fallback, 1024, "k") with { Counts = "bytes/second" };

    private static OptionDefinition Scaled(
        string name, long minimum, long maximum, long fallback, int scale, string unit) =>
        new(name, OptionKind.Number)
        {
            Minimum = minimum, Maximum = maximum, Scale = scale, Unit = unit,
            Default = string.Create(CultureInfo.InvariantCulture, $"{fallback}{unit}"),
        };

    private static OptionDefinition Flag(string name, string fallback) =>
        new(name, OptionKind.Boolean) { Default = fallback };

    private static OptionDefinition NoFlag(string name, string kept) =>
        new(name, OptionKind.Boolean) { KeptAs = kept, MeansNo = true };

    private static OptionDefinition Choice(string name, string fallback, params string[] choices) =>
        new(name, OptionKind.Choice) { Choices = choices, Default = fallback };

    private static OptionDefinition Text(string name, int longest = ConfigurationLimits.QuotedCharacters) =>
        new(name, OptionKind.Text) { LongestText = longest };

    /// <summary>Free text of which there is none by default.</summary>
    private static OptionDefinition Quoted(OptionDefinition option) => option with { Default = "", IsQuoted = true };

    private static OptionDefinition Digest(string name) => Quoted(new(name, OptionKind.Digest));

    private static OptionDefinition Ignored(string name) => new(name, OptionKind.Ignored);

    private static readonly OptionDefinition[] Disk =
    [
        Sectors("size", 0, 2199023255552, 0),
        Number("max-bio-bvecs", 0, 128, 0, clamps: true),
        Choice("on-io-error", "detach", "pass_on", "call-local-io-error", "detach"),
        Choice("fencing", "dont-care", "dont-care", "resource-only", "resource-and-stonith"),
        Flag("disk-barrier", "no"),
        Flag("disk-flushes", "yes"),
        Flag("disk-drain", "yes"),
        Flag("md-flushes", "yes"),
        Rate("resync-rate", 1, 250),
        Text("resync-after") with { Default = "-1" },
        Number("al-extents", 67, 65534, 1237, clamps: true),
        Flag("al-updates", "yes"),
        Flag("discard-zeroes-if-aligned", "yes"),
        Flag("disable-write-same", "no"),
        Number("c-plan-ahead", 0, 300, 20, Tenths),
        Number("c-delay-target", 1, 100, 10, Tenths),
        Sectors("c-fill-target", 0, 1048576, 100),
        Rate("c-max-rate", 250, 102400),
        Rate("c-min-rate", 0, 250),
        Number("disk-timeout", 0, 6000, 0, Tenths, clamps: true),
        Choice(
            "read-balancing", "prefer-local", "prefer-local", "prefer-remote", "round-robin", "least-pending",
            "when-congested-remote", "32K-striping", "64K-striping", "128K-striping", "256K-striping", "512K-striping",
            "1M-striping"),
        Number("rs-discard-granularity", 0, 1048576, 0, clamps: true),
        new("use-bmbv", OptionKind.Boolean),
        Rate("rate", 1, 250) with { KeptAs = "resync-rate", Default = null },
        Text("after") with { KeptAs = "resync-after" },
        NoFlag("no-disk-barrier", "disk-barrier"),
        NoFlag("no-disk-flushes", "disk-flushes"),
        NoFlag("no-disk-drain", "disk-drain"),
        NoFlag("no-md-flushes", "md-flushes"),
    ];

    private static readonly OptionDefinition[] Net =
    [
        new("protocol", OptionKind.Protocol) { Default = "C" },
        Number("timeout", 1, 600, 60, Tenths),
        Number("max-epoch-size", 1, 20000, 2048),
        Number("max-buffers", 32, 131072, 2048),
        Number("unplug-watermark", 1, 131072, 128, clamps: true),
        Number("connect-int", 1, 120, 10, Seconds),
        Number("ping-int", 1, 120, 10, Seconds),
        Number("sndbuf-size", 0, 10485760, 0, Bytes),
        Number("rcvbuf-size", 0, 10485760, 0, Bytes),
        Number("ko-count", 0, 200, 7),
        Flag("allow-two-primaries", "no"),
        Digest("cram-hmac-alg"),
        Quoted(Text("shared-secret", 64)),
        Text("after-sb-0pri") with { Default = "disconnect" },
        Choice(
            "after-sb-1pri", "disconnect", "disconnect", "consensus", "discard-secondary", "call-pri-lost-after-sb",
            "violently-as0p"),
        Choice("after-sb-2pri", "disconnect", "disconnect", "call-pri-lost-after-sb", "violently-as0p"),
        Flag("always-asbp", "no"),
        Choice("rr-conflict", "disconnect", "disconnect", "call-pri-lost", "violently"),
        Number("ping-timeout", 1, 300, 5, Tenths, clamps: true),
        Digest("data-integrity-alg"),
        Flag("tcp-cork", "yes"),
        Choice("on-congestion", "block", "block", "pull-ahead", "disconnect"),
        Sectors("congestion-fill", 0, 20971520, 0),
        Number("congestion-extents", 67, 65534, 1237),
        Digest("csums-alg"),
        Flag("csums-after-crash-only", "no"),
        Digest("verify-alg"),
        Flag("use-rle", "yes"),
        Number("socket-check-timeout", 0, 300, 0, clamps: true),
        NoFlag("no-tcp-cork", "tcp-cork"),
    ];

    private static readonly OptionDefinition[] Startup =
    [
        Number("wfc-timeout", 0, 300000, 0),
        Number("degr-wfc-timeout", 0, 300000, 0),
        Number("outdated-wfc-timeout", 0, 300000, 0),
        Flag("wait-after-sb", "no"),
        new("become-primary-on", OptionKind.Words),
        new("stacked-timeouts", OptionKind.Flag),
    ];

    private static readonly OptionDefinition[] Resource =
    [
        Quoted(Text("cpu-mask", 32)),
        Choice("on-no-data-accessible", "io-error", "io-error", "suspend-io"),
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
