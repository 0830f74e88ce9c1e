using System.Text;
using BlockRepl.Configuration.Options;
using BlockRepl.Configuration.Resolution;
using BlockRepl.Configuration.Syntax;

namespace BlockRepl.Configuration.Printing;

/// <summary>A configuration as XML, as <c>drbdadm dump-xml</c> of drbd-utils 9.22 prints it in 8.4 mode.</summary>
internal sealed class XmlDump(bool inherit)
{
    private readonly StringBuilder _text = new();
    private int _depth;

    public override string ToString() => _text.ToString();

    public void Open(string tag)
    {
        Line($"<{tag}>");
        _depth++;
    }

    public void Close(string name)
    {
        _depth--;
        Line($"</{name}>");
    }

    /// <summary>As in the text, but without the time limits and the statistics.</summary>
    public void AddGlobal(GlobalSettings global)
    {
        if (!global.DisableIpVerification && global.MinorCount is null && global.DialogRefreshSeconds == 1)
        {
            return;
        }

        Open("global");
        LineIf(global.DisableIpVerification, "<disable-ip-verification/>");
        LineIf(global.MinorCount is not null, $"<minor-count count=\"{global.MinorCount}\"/>");
        LineIf(global.DialogRefreshSeconds != 1, $"<dialog-refresh refresh=\"{global.DialogRefreshSeconds}\"/>");
        Close("global");
    }

    public void AddCommon(ResourceSyntax common)
    {
        Open("common");
        AddSections(common.Sections);
        Close("common");
    }

    public void AddResource(NodeView view, OptionSections sections)
    {
        ResourceSyntax resource = view.Syntax;
        Open($"resource name=\"{Escape(resource.Name)}\" conf-file-line=\"{Escape(resource.Position.ToString())}\"");
        foreach (HostSyntax host in resource.Hosts)
        {
            AddHost(view, host);
        }

        AddSections(sections);
        Close("resource");
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
        Open(host.Kind == HostKind.Floating ? "host floating=\"1\"" : $"host name=\"{Names(host.Names)}\"");
        AddOptions("options", host.Options);
        foreach (VolumeSyntax volume in host.Volumes.All.Values)
        {
            Open($"volume vnr=\"{volume.Number}\"");
            AddOptions("disk", inherit ? view.DiskOptions(volume) : volume.DiskOptions);
            DeviceSyntax device = volume.Device!;
            string path = (inherit ? device.ShownPath : device.Path) ?? "";
            Line($"<device minor=\"{device.Minor}\">{Escape(path)}</device>");

            // The tool looks for the lower device on the hosts of the stack only.
            bool known = host.Kind != HostKind.Stacked || host == view.Own;
            Line($"<disk>{(known ? Escape(volume.Disk!.Text) : "")}</disk>");
            MetaDiskSyntax metaDisk = volume.MetaDisk!;
            string index = metaDisk.Index is null ? "" : $" index=\"{metaDisk.Index}\"";
            Line($"<meta-disk{index}>{Escape(metaDisk.Path ?? "internal")}</meta-disk>");
            Close("volume");
        }

        AddAddress("address", host.Address!);
        if (host.Proxy is { } proxy)
        {
            Open($"proxy hostname=\"{Names(proxy.Names)}\"");
            AddAddress("inside", proxy.Inside!);
            AddAddress("outside", proxy.Outside!);
            AddOptions("options", inherit ? proxy.Options.InheritFrom(view.Sections.Proxy) : proxy.Options);
            Close("proxy");
        }

        Close("host");
    }

    private void AddAddress(string name, AddressSyntax address) => Line(
        $"<{name} family=\"{address.Family}\" port=\"{address.Port}\">{Escape(address.Address)}</{name}>");

    private void AddOptions(string title, OptionSet options)
    {
        if (options.IsEmpty)
        {
            return;
        }

        Open($"section name=\"{title}\"");
        foreach (OptionValue value in options.Values.OrderBy(value => TextDump.Rank(value.Definition)))
        {
            Line(value.Definition.Kind == OptionKind.Flag
                ? $"<option name=\"{value.Name}\"/>"
                : $"<option name=\"{value.Name}\" value=\"{Escape(value.Text)}\"/>");
        }

        if (options.Plugins.Count > 0)
        {
            Open("section name=\"plugin\"");
            options.Plugins.ForEach(plugin => Line($"<option name=\"{Escape(plugin)}\"/>"));
            Close("section");
        }

        Close("section");
    }

    private static string Names(IEnumerable<string> names) => Escape(string.Join(' ', names));

    private static string Escape(string text) => text
        .Replace("&", "&amp;", StringComparison.Ordinal)
        .Replace("<", "&lt;", StringComparison.Ordinal)
        .Replace(">", "&gt;", StringComparison.Ordinal)
        .Replace("\"", "&quot;", StringComparison.Ordinal)
        .Replace("'", "&apos;", StringComparison.Ordinal);

    private void LineIf(bool condition, string text)
    {
        if (condition)
        {
            Line(text);
        }
    }

    private void Line(string text) => _text.Append(' ', 4 * _depth).Append(text).Append('\n');
}
