using BlockRepl.Configuration;

namespace BlockRepl.Administration.Tools;

/// <summary>What a command of drbdadm stands behind its name.</summary>
internal enum AdmScope
{
    /// <summary>Nothing, or nothing that counts.</summary>
    None,

    /// <summary>Resources, or none for all.</summary>
    Optional,

    /// <summary>Resources.</summary>
    Resources,

    /// <summary>Resources, or volumes of them.</summary>
    Volumes,
}

/// <summary>Where help lists a command.</summary>
internal enum AdmGroup
{
    Usual,
    Shell,
    Handler,
    Expert,
}

/// <summary>A command of drbdadm.</summary>
/// <param name="Options">What it passes on to the command below it.</param>
/// <param name="PassesOn">Options of drbd.conf, too.</param>
/// <param name="ChecksAddress">The own address must be this machine's.</param>
internal sealed record AdmCommand(
    string Name,
    AdmScope Scope,
    AdmGroup Group = AdmGroup.Usual,
    IReadOnlyList<ToolOption>? Options = null,
    bool PassesOn = false,
    bool ChecksAddress = false)
{
    private static readonly ToolOption[] Force = [new("force")];

    public static IReadOnlyList<AdmCommand> All { get; } =
    [
        OfSetup("attach", AdmScope.Volumes),
        OfSetup("disk-options", AdmScope.Volumes),
        OfSetup("detach", AdmScope.Volumes),
        OfSetup("connect", AdmScope.Resources) with { ChecksAddress = true },
        OfSetup("net-options", AdmScope.Resources) with { ChecksAddress = true },
        OfSetup("disconnect", AdmScope.Resources),
        OfSetup("resource-options", AdmScope.Resources),
        new("status", AdmScope.Optional, Options: SetupCommand.Find("status")!.Options),
        new("up", AdmScope.Resources, ChecksAddress: true),
        new("down", AdmScope.Resources),
        OfSetup("primary", AdmScope.Volumes),
        OfSetup("secondary", AdmScope.Volumes),
        OfSetup("invalidate", AdmScope.Volumes),
        OfSetup("invalidate-remote", AdmScope.Volumes) with { ChecksAddress = true },
        OfSetup("outdate", AdmScope.Volumes),
        OfSetup("resize", AdmScope.Volumes) with { ChecksAddress = true },
        OfSetup("verify", AdmScope.Volumes) with { ChecksAddress = true },
        OfSetup("pause-sync", AdmScope.Volumes) with { ChecksAddress = true },
        OfSetup("resume-sync", AdmScope.Volumes) with { ChecksAddress = true },
        new("adjust", AdmScope.Resources, ChecksAddress: true),
        new("adjust-with-progress", AdmScope.Resources, ChecksAddress: true),
        OfSetup("wait-connect", AdmScope.Volumes) with { ChecksAddress = true },
        OfSetup("wait-sync", AdmScope.Volumes) with { ChecksAddress = true },
        new("wait-con-int", AdmScope.None, ChecksAddress: true),
        OfSetup("role", AdmScope.Volumes),
        OfSetup("cstate", AdmScope.Volumes),
        OfSetup("dstate", AdmScope.Volumes),
        new("dump", AdmScope.Optional),
        new("dump-xml", AdmScope.Optional),
        new("create-md", AdmScope.Volumes, Options: ToolOption.OfMetaData),
        OfSetup("show-gi", AdmScope.Volumes),
        OfSetup("get-gi", AdmScope.Volumes),
        new("dump-md", AdmScope.Volumes, Options: Force),
        new("wipe-md", AdmScope.Volumes, Options: Force),
        new("apply-al", AdmScope.Volumes),
        new("hidden-commands", AdmScope.None),
        new("sh-nop", AdmScope.Optional, AdmGroup.Shell),
        new("sh-resources", AdmScope.Optional, AdmGroup.Shell),
        new("sh-resource", AdmScope.Resources, AdmGroup.Shell),
        new("sh-mod-parms", AdmScope.None, AdmGroup.Shell),
        new("sh-dev", AdmScope.Volumes, AdmGroup.Shell),
        new("sh-udev", AdmScope.Volumes, AdmGroup.Shell),
        new("sh-minor", AdmScope.Volumes, AdmGroup.Shell),
        new("sh-ll-dev", AdmScope.Volumes, AdmGroup.Shell),
        new("sh-md-dev", AdmScope.Volumes, AdmGroup.Shell),
        new("sh-md-idx", AdmScope.Volumes, AdmGroup.Shell),
        new("sh-ip", AdmScope.Resources, AdmGroup.Shell),
        new("sh-lr-of", AdmScope.Resources, AdmGroup.Shell),
        new("sh-b-pri", AdmScope.Volumes, AdmGroup.Shell),
        new("sh-status", AdmScope.None, AdmGroup.Shell),
        new("proxy-up", AdmScope.Resources, AdmGroup.Shell),
        new("proxy-down", AdmScope.Resources, AdmGroup.Shell),
        new("new-resource", AdmScope.Resources, AdmGroup.Shell),
        .. Enum.GetValues<Core.HandlerKind>().Select(
            handler => new AdmCommand(handler.Name(), AdmScope.Volumes, AdmGroup.Handler)),
        new("sh-new-minor", AdmScope.Volumes, AdmGroup.Expert),
        new("new-minor", AdmScope.Volumes, AdmGroup.Expert),
        OfSetup("suspend-io", AdmScope.Volumes) with { Group = AdmGroup.Expert },
        OfSetup("resume-io", AdmScope.Volumes) with { Group = AdmGroup.Expert },
        new("set-gi", AdmScope.Volumes, AdmGroup.Expert, Force),
        OfSetup("new-current-uuid", AdmScope.Volumes) with { Group = AdmGroup.Expert },
        new("check-resize", AdmScope.Volumes, AdmGroup.Expert),
    ];

    public static AdmCommand? Find(string name) => All.FirstOrDefault(command => command.Name == name);

    private static AdmCommand OfSetup(string name, AdmScope scope)
    {
        SetupCommand below = SetupCommand.Find(name)!;
        return new AdmCommand(name, scope, Options: below.Options, PassesOn: below.TakesConfigured);
    }
}
