using System.Text;
using BlockRepl.Configuration.Options;
using BlockRepl.Configuration.Resolution;
using BlockRepl.Configuration.Syntax;

namespace BlockRepl.Configuration.Printing;

/// <summary>
/// A configuration as drbd.conf text, character by character as <c>drbdadm dump</c> of drbd-utils 9.22 prints it in 8.4
/// mode: people compare the two, and scripts read it.
/// </summary>
internal sealed class TextDump(bool inherit)
{
    /// <summary>Values of options and statements begin here, if the name is not too long.</summary>
    private const int ValueColumn = 24;

    private readonly StringBuilder _text = new();
    private int _depth;

    public override string ToString() => _text.ToString();

    public void AddComment(string text) => Line($"# {text}");

    /// <summary>Nothing if nothing but time limits is given, or only defaults.</summary>
    public void AddGlobal(GlobalSettings global)
    {
        if (!global.DisableIpVerification && global.MinorCount is null && global.DialogRefreshSeconds == 1
            && global.UsageCount == "ask")
        {
            return;
        }

        Open("global");
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

    public void AddCommon(ResourceSyntax common)
    {
        Open("common");
        AddSections(common.Sections);
        CloseTop();
    }

    public void AddResource(NodeView view, OptionSections sections, string node)
    {
        ResourceSyntax resource = view.Syntax;
        string name = TextWords.Quote(resource.Name);
        AddComment(
            $"resource {name} on {node}: {(view.Own is null ? "" : "not ")}ignored, "
            + $"{(view.IsStacked ? "" : "not ")}stacked");
        AddComment($"defined at {resource.Position}");
        Open($"resource {name}");
        foreach (HostSyntax host in resource.Hosts)
        {
            AddHost(view, host);
        }

        AddSections(sections);
        CloseTop();
    }

    private void AddSections(OptionSections sections)
    {
        AddOptions("options", sections.Options);
        AddOptions("net", sections.Net);
        AddOptions("disk", sections.Disk);
        AddOptions("startup", sections.Startup);
        AddOptions("proxy", sections.Proxy);
        AddOptions("handlers", sections.Handlers);
    }

    private void AddHost(NodeView view, HostSyntax host)
    {
        Open(host.Kind switch
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

        Close();
    }

    private void AddVolume(NodeView view, HostSyntax host, VolumeSyntax volume)
    {
        if (!volume.IsImplicit)
        {
            Open($"volume {volume.Number}");
        }

        AddOptions("disk", inherit ? view.DiskOptions(volume) : volume.DiskOptions);
        DeviceSyntax device = volume.Device!;
        string? path = inherit ? device.ShownPath : device.Path;
        Statement("device", $"{(path is null ? "" : TextWords.Quote(path) + " ")}minor {device.Minor}");
        if (host.Kind != HostKind.Stacked)
        {
            Statement("disk", $"{TextWords.Quote(volume.Disk!.Text),3}");
            AddMetaDisk(volume.MetaDisk!);
        }

        if (!volume.IsImplicit)
        {
            Close();
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
        Open($"proxy on {string.Join(' ', proxy.Names)}");
        Line($"{"inside",-16} {Address(proxy.Inside!)};");
        Line($"{"outside",-16} {Address(proxy.Outside!)};");
        AddOptions("options", inherit ? proxy.Options.InheritFrom(view.Sections.Proxy) : proxy.Options);
        Close();
    }

    private void AddOptions(string title, OptionSet options)
    {
        if (options.IsEmpty)
        {
            return;
        }

        Open(title);
        foreach (OptionValue value in options.Values.OrderBy(value => Rank(value.Definition)))
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
            Open("plugin");
            options.Plugins.ForEach(plugin => Line(plugin + ";"));
            Close();
        }

        Close();
    }

    /// <summary>Two options of startup are no list entries in DRBD's tools and come last.</summary>
    internal static int Rank(OptionDefinition definition) => definition.Kind switch
    {
        OptionKind.Flag => 1,
        OptionKind.Words => 2,
        _ => 0,
    };

    private static string Address(AddressSyntax address) => $"{address.Family} {address}";

    private void Statement(string name, string value) =>
        Line($"{name.PadRight(Math.Max(0, ValueColumn - (4 * _depth)))} {value};");

    private void LineIf(bool condition, string text)
    {
        if (condition)
        {
            Line(text);
        }
    }

    private void Line(string text) => _text.Append(' ', 4 * _depth).Append(text).Append('\n');

    private void Open(string title)
    {
        Line(title + " {");
        _depth++;
    }

    private void Close()
    {
        _depth--;
        Line("}");
    }

    private void CloseTop()
    {
        Close();
        _text.Append('\n');
    }
}
