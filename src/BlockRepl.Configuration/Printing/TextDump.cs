using BlockRepl.Configuration.Options;
using BlockRepl.Configuration.Resolution;
using BlockRepl.Configuration.Syntax;

namespace BlockRepl.Configuration.Printing;

/// <summary>
/// A configuration as drbd.conf text, character by character as <c>drbdadm dump</c> of drbd-utils 9.22 prints it in 8.4
/// mode: people compare the two, and scripts read it.
/// </summary>
/// <param name="node">The node that it is printed for.</param>
internal sealed class TextDump(bool inherit, string node) : ConfigurationDump(inherit)
{
    /// <summary>Values of options and statements begin here, if the name is not too long.</summary>
    private const int ValueColumn = 24;

    public override void Begin(string path) => Line($"# {path}");

    /// <summary>Nothing if nothing but time limits is given, or only defaults.</summary>
    public override void AddGlobal(GlobalSettings global)
    {
        if (!global.DisableIpVerification && global.MinorCount is null && global.DialogRefreshSeconds == 1
            && global.UsageCount == "ask")
        {
            return;
        }

        OpenSection("global");
        LineIf(global.DisableIpVerification, "disable-ip-verification;");
        LineIf(global.MinorCount is not null, $"minor-count {global.MinorCount};");
        LineIf(global.DialogRefreshSeconds != 1, $"dialog-refresh {global.DialogRefreshSeconds};");
        LineIf(global.UsageCount != "ask", $"usage-count {global.UsageCount};");

        // The tool has the defaults 5, 121 and 600 but, by a slip, starts with 600 and 0 for the latter two.
        int shortLimit = global.GivenCommandTimeoutShortSeconds ?? 5;
        int mediumLimit = global.GivenCommandTimeoutMediumSeconds ?? 600;
        int longLimit = global.GivenCommandTimeoutLongSeconds ?? 0;
        LineIf(shortLimit != 5, $"cmd-timeout-short {shortLimit};");
        LineIf(mediumLimit != 121, $"cmd-timeout-medium {mediumLimit};");
        LineIf(longLimit != 600, $"cmd-timeout-long {longLimit};");
        CloseTop();
    }

    public override void AddCommon(ResourceSyntax common)
    {
        OpenSection("common");
        AddSections(common.Sections);
        CloseTop();
    }

    public override void AddResource(NodeView view, OptionSections sections)
    {
        ResourceSyntax resource = view.Syntax;
        string name = TextWords.Quote(resource.Name);
        Line(
            $"# resource {name} on {node}: {(view.Own is null ? "" : "not ")}ignored, "
            + $"{(view.IsStacked ? "" : "not ")}stacked");
        Line($"# defined at {resource.Position}");
        OpenSection($"resource {name}");
        foreach (HostSyntax host in resource.Hosts)
        {
            AddHost(view, host);
        }

        AddSections(sections);
        CloseTop();
    }

    private void AddHost(NodeView view, HostSyntax host)
    {
        OpenSection(host.Kind switch
        {
            HostKind.Floating => $"floating {Address(host.Address!)}",
            HostKind.Stacked => $"stacked-on-top-of {TextWords.Quote(host.StackedOn!)}",
            _ => $"on {string.Join(' ', host.Names)}",
        });
        LineIf(host.Kind == HostKind.Stacked, $"# on {string.Join(' ', host.Names)} ");
        AddOptions("options", host.Options);
        foreach (VolumeSyntax volume in host.Volumes.All.Values)
        {
            AddVolume(view, host, volume);
        }

        if (host.Kind != HostKind.Floating)
        {
            Statement("address", Address(host.Address!));
        }

        if (host.AlternateAddress is { } alternate)
        {
            Statement("alternate-link-address", Address(alternate));
        }

        if (host.Proxy is { } proxy)
        {
            AddProxy(view, proxy);
        }

        CloseSection();
    }

    private void AddVolume(NodeView view, HostSyntax host, VolumeSyntax volume)
    {
        if (!volume.IsImplicit)
        {
            OpenSection($"volume {volume.Number}");
        }

        AddOptions("disk", DiskOptions(view, volume));
        DeviceSyntax device = volume.Device!;
        string? path = DevicePath(device);
        Statement("device", $"{(path is null ? "" : TextWords.Quote(path) + " ")}minor {device.Minor}");
        if (host.Kind != HostKind.Stacked)
        {
            Statement("disk", $"{TextWords.Quote(volume.Disk!.Text),3}");
            AddMetaDisk(volume.MetaDisk!);
        }

        if (!volume.IsImplicit)
        {
            CloseSection();
        }
    }

    private void AddMetaDisk(MetaDiskSyntax metaDisk)
    {
        if (metaDisk.Path is not { } path)
        {
            Statement("meta-disk", "internal");
            return;
        }

        // Not aligned with the lines above it inside of a volume section.
        string index = metaDisk.Index is null ? "" : $" [{metaDisk.Index}]";
        Line($"{"meta-disk",-16} {TextWords.Quote(path)}{index};");
    }

    private void AddProxy(NodeView view, ProxySyntax proxy)
    {
        OpenSection($"proxy on {string.Join(' ', proxy.Names)}");
        Line($"{"inside",-16} {Address(proxy.Inside!)};");
        Line($"{"outside",-16} {Address(proxy.Outside!)};");
        AddOptions("options", ProxyOptions(view, proxy));
        CloseSection();
    }

    protected override void AddOptions(string title, OptionSet options)
    {
        if (options.IsEmpty)
        {
            return;
        }

        OpenSection(title);
        foreach (OptionValue value in InOrder(options))
        {
            switch (value.Definition.Kind)
            {
                case OptionKind.Flag:
                    Line(value.Name + ";");
                    break;
                case OptionKind.Words:
                    Statement(value.Name, $"{TextWords.QuoteAll(value.Text.Split(' ')),3}");
                    break;
                default:
                    Statement(value.Name, $"{TextWords.Quote(value.Text),3}");
                    break;
            }
        }

        if (options.Plugins.Count > 0)
        {
            OpenSection("plugin");
            options.Plugins.ForEach(plugin => Line(plugin + ";"));
            CloseSection();
        }

        CloseSection();
    }

    private static string Address(AddressSyntax address) => $"{address.Family} {address}";

    private void Statement(string name, string value) =>
        Line($"{name.PadRight(Math.Max(0, ValueColumn - (4 * Depth)))} {value};");

    private void OpenSection(string title) => Open(title + " {");

    private void CloseSection() => Close("}");

    private void CloseTop()
    {
        CloseSection();
        EmptyLine();
    }
}
