namespace BlockRepl.Administration.Tools;

/// <summary>A command of drbdsetup: what stands behind it on the command line.</summary>
/// <param name="Arguments">Names of the words that it needs.</param>
/// <param name="DefaultsToAll">Without words it is about everything.</param>
/// <param name="TakesConfigured">It also takes options of drbd.conf, which BlockRepl reads there.</param>
/// <param name="DoneWithoutDaemon">Without a daemon its aim is reached already.</param>
internal sealed record SetupCommand(
    string Name,
    IReadOnlyList<string> Arguments,
    IReadOnlyList<ToolOption> Options,
    bool DefaultsToAll = false,
    bool TakesConfigured = false,
    bool DoneWithoutDaemon = false)
{
    private static readonly string[] Minor = ["minor"];
    private static readonly string[] Resource = ["resource"];
    private static readonly string[] Addresses = ["local-address", "peer-address"];
    private static readonly ToolOption[] None = [];
    private static readonly ToolOption[] Force = [new("force")];
    private static readonly ToolOption[] Defaults = [new("set-defaults")];

    private static readonly ToolOption[] Waits =
    [
        new("wfc-timeout", true, 't'), new("degr-wfc-timeout", true, 'd'), new("outdated-wfc-timeout", true, 'o'),
        new("wait-after-sb", false, 'w'), new("timeout", true),
    ];

    public static IReadOnlyList<SetupCommand> All { get; } =
    [
        new("primary", Minor, [new("force"), new("overwrite-data-of-peer", false, 'o')]),
        new("secondary", Minor, None, DoneWithoutDaemon: true),
        new("attach", ["minor", "lower-device", "meta-data-device", "meta-data-index"], None, TakesConfigured: true),
        new("disk-options", Minor, Defaults, TakesConfigured: true),
        new("detach", Minor, Force, DoneWithoutDaemon: true),
        new(
            "connect", ["resource", .. Addresses], [new("tentative"), new("discard-my-data")], TakesConfigured: true),
        new("net-options", Addresses, Defaults, TakesConfigured: true),
        new("disconnect", Addresses, Force, DoneWithoutDaemon: true),
        new("resize", Minor, [
            new("size", true), new("assume-peer-has-space"), new("assume-clean"), new("al-stripes", true),
            new("al-stripe-size-kB", true)]),
        new("resource-options", Resource, Defaults, TakesConfigured: true),
        new("new-current-uuid", Minor, [new("clear-bitmap")]),
        new("invalidate", Minor, None),
        new("invalidate-remote", Minor, None),
        new("pause-sync", Minor, None),
        new("resume-sync", Minor, None),
        new("suspend-io", Minor, None),
        new("resume-io", Minor, None),
        new("outdate", Minor, None),
        new("verify", Minor, [new("start", true), new("stop", true)]),
        new("down", Resource, None, DoneWithoutDaemon: true),
        new("state", Minor, None),
        new("role", Minor, None),
        new("sh-status", Resource, None, DefaultsToAll: true),
        new("cstate", Minor, None),
        new("dstate", Minor, None),
        new("show-gi", Minor, None),
        new("get-gi", Minor, None),
        new("show", Resource, [new("show-defaults", false, 'D')], DefaultsToAll: true),
        new(
            "status", Resource, [new("verbose", false, 'v'), new("statistics", false, 's'), new("color", true, 'c')],
            DefaultsToAll: true),
        new("check-resize", Minor, None),
        new("events", Resource, None, DefaultsToAll: true),
        new(
            "events2", Resource, [new("timestamps"), new("statistics", false, 's'), new("now", false, 'n')],
            DefaultsToAll: true),
        new("wait-connect", Minor, Waits),
        new("wait-sync", Minor, Waits),
        new("new-resource", Resource, None, TakesConfigured: true),
        new("new-minor", ["resource", "minor", "volume"], None),
        new("del-minor", Minor, None),
        new("del-resource", Resource, None),
        new("reload", Resource, None), // ours: adjust's word for all options at once
    ];

    public static SetupCommand? Find(string name) => All.FirstOrDefault(command => command.Name == name);

    public string Usage => string.Join(' ', [
        "drbdsetup", Name, .. Arguments.Select(word => $"{{{word}}}"),
        .. Options.Select(option => $"[--{option.Name}{(option.TakesValue ? "=..." : "")}]"),
        .. TakesConfigured ? new[] { "[--OPTION=...]" } : []]);
}
