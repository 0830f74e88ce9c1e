using BlockRepl.Configuration.Options;
using BlockRepl.Configuration.Resolution;
using BlockRepl.Configuration.Syntax;

namespace BlockRepl.Configuration.Printing;

/// <summary>A configuration as XML, as <c>drbdadm dump-xml</c> of drbd-utils 9.22 prints it in 8.4 mode.</summary>
internal sealed class XmlDump(bool inherit) : ConfigurationDump(inherit)
{
    public override void Begin(string path) => OpenTag($"config file=\"{path}\"");

    public override void End() => CloseTag("config");

    /// <summary>As in the text, but without the time limits and the statistics.</summary>
    public override void AddGlobal(GlobalSettings global)
    {
        if (!global.DisableIpVerification && global.MinorCount is null && global.DialogRefreshSeconds == 1)
        {
            return;
        }

        OpenTag("global");
        LineIf(global.DisableIpVerification, "<disable-ip-verification/>");
        LineIf(global.MinorCount is not null, $"<minor-count count=\"{global.MinorCount}\"/>");
        LineIf(global.DialogRefreshSeconds != 1, $"<dialog-refresh refresh=\"{global.DialogRefreshSeconds}\"/>");
        CloseTag("global");
    }

    public override void AddCommon(ResourceSyntax common)
    {
        OpenTag("common");
        AddSections(common.Sections);
        CloseTag("common");
    }

    public override void AddResource(NodeView view, OptionSections sections)
    {
        ResourceSyntax resource = view.Syntax;
        OpenTag($"resource name=\"{Escape(resource.Name)}\" conf-file-line=\"{Escape(resource.Position.ToString())}\"");
        foreach (HostSyntax host in resource.Hosts)
        {
            AddHost(view, host);
        }

        AddSections(sections);
        CloseTag("resource");
    }

    private void AddHost(NodeView view, HostSyntax host)
    {
        OpenTag(host.Kind == HostKind.Floating ? "host floating=\"1\"" : $"host name=\"{Names(host.Names)}\"");
        AddOptions("options", host.Options);
        foreach (VolumeSyntax volume in host.Volumes.All.Values)
        {
            OpenTag($"volume vnr=\"{volume.Number}\"");
            AddOptions("disk", DiskOptions(view, volume));
            DeviceSyntax device = volume.Device!;
            string path = DevicePath(device) ?? "";
            Line($"<device minor=\"{device.Minor}\">{Escape(path)}</device>");

            // The tool looks for the lower device on the hosts of the stack only.
            bool known = host.Kind != HostKind.Stacked || host == view.Own;
            Line($"<disk>{(known ? Escape(volume.Disk!.Text) : "")}</disk>");
            MetaDiskSyntax metaDisk = volume.MetaDisk!;
            string index = metaDisk.Index is null ? "" : $" index=\"{metaDisk.Index}\"";
            Line($"<meta-disk{index}>{Escape(metaDisk.Path ?? "internal")}</meta-disk>");
            CloseTag("volume");
        }

        AddAddress("address", host.Address!);
        if (host.Proxy is { } proxy)
        {
            OpenTag($"proxy hostname=\"{Names(proxy.Names)}\"");
            AddAddress("inside", proxy.Inside!);
            AddAddress("outside", proxy.Outside!);
            AddOptions("options", ProxyOptions(view, proxy));
            CloseTag("proxy");
        }

        CloseTag("host");
    }

    private void AddAddress(string name, AddressSyntax address) => Line(
        $"<{name} family=\"{address.Family}\" port=\"{address.Port}\">{Escape(address.Address)}</{name}>");

    protected override void AddOptions(string title, OptionSet options)
    {
        if (options.IsEmpty)
        {
            return;
        }

        OpenTag($"section name=\"{title}\"");
        foreach (OptionValue value in InOrder(options))
        {
            Line(value.Definition.Kind == OptionKind.Flag
                ? $"<option name=\"{value.Name}\"/>"
                : $"<option name=\"{value.Name}\" value=\"{Escape(value.Text)}\"/>");
        }

        if (options.Plugins.Count > 0)
        {
            OpenTag("section name=\"plugin\"");
            options.Plugins.ForEach(plugin => Line($"<option name=\"{Escape(plugin)}\"/>"));
            CloseTag("section");
        }

        CloseTag("section");
    }

    private static string Names(IEnumerable<string> names) => Escape(string.Join(' ', names));

    private static string Escape(string text) => text
        .Replace("&", "&amp;", StringComparison.Ordinal)
        .Replace("<", "&lt;", StringComparison.Ordinal)
        .Replace(">", "&gt;", StringComparison.Ordinal)
        .Replace("\"", "&quot;", StringComparison.Ordinal)
        .Replace("'", "&apos;", StringComparison.Ordinal);

    private void OpenTag(string tag) => Open($"<{tag}>");

    private void CloseTag(string name) => Close($"</{name}>");
}
