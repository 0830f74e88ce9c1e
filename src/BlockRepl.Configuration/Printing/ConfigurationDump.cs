using System.Text;
using BlockRepl.Configuration.Options;
using BlockRepl.Configuration.Resolution;
using BlockRepl.Configuration.Syntax;

namespace BlockRepl.Configuration.Printing;

/// <summary>A configuration, printed section by section: what the two forms of it have in common.</summary>
/// <param name="inherit">Each resource with all that it inherits.</param>
internal abstract class ConfigurationDump(bool inherit)
{
    private readonly StringBuilder _text = new();

    protected int Depth { get; private set; }

    public override string ToString() => _text.ToString();

    /// <summary>Before everything, if everything is printed.</summary>
    public abstract void Begin(string path);

    public abstract void AddGlobal(GlobalSettings global);

    public abstract void AddCommon(ResourceSyntax common);

    public abstract void AddResource(NodeView view, OptionSections sections);

    /// <summary>Behind everything.</summary>
    public virtual void End()
    {
    }

    protected void AddSections(OptionSections sections)
    {
        AddOptions("options", sections.Options);
        AddOptions("net", sections.Net);
        AddOptions("disk", sections.Disk);
        AddOptions("startup", sections.Startup);
        AddOptions("proxy", sections.Proxy);
        AddOptions("handlers", sections.Handlers);
    }

    protected abstract void AddOptions(string title, OptionSet options);

    /// <summary>Two options of startup are no list entries in DRBD's tools and come last.</summary>
    protected static IEnumerable<OptionValue> InOrder(OptionSet options) =>
        options.Values.OrderBy(value => value.Definition.Kind switch
        {
            OptionKind.Flag => 1,
            OptionKind.Words => 2,
            _ => 0,
        });

    protected OptionSet DiskOptions(NodeView view, VolumeSyntax volume) =>
        inherit ? view.DiskOptions(volume) : volume.DiskOptions;

    protected OptionSet ProxyOptions(NodeView view, ProxySyntax proxy) =>
        inherit ? proxy.Options.InheritFrom(view.Sections.Proxy) : proxy.Options;

    protected string? DevicePath(DeviceSyntax device) => inherit ? device.ShownPath : device.Path;

    protected void Open(string line)
    {
        Line(line);
        Depth++;
    }

    protected void Close(string line)
    {
        Depth--;
        Line(line);
    }

    protected void LineIf(bool condition, string text)
    {
        if (condition)
        {
            Line(text);
        }
    }

    protected void Line(string text) => _text.Append(' ', 4 * Depth).Append(text).Append('\n');

    protected void EmptyLine() => _text.Append('\n');
}
