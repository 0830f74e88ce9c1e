using System.Globalization;
using System.Text;
using BlockRepl.Configuration;
using BlockRepl.Core.MetaData;

namespace BlockRepl.Administration.Tools;

/// <summary>What <c>drbdsetup show</c> prints: what a resource runs with, in the language of drbd.conf.</summary>
public sealed class ShowPage
{
    private readonly StringBuilder _text = new();
    private readonly bool _withDefaults;

    private ShowPage(bool withDefaults) => _withDefaults = withDefaults;

    /// <param name="isConnecting">A resource that is StandAlone has no connection to show.</param>
    /// <param name="attached">Numbers of the volumes that have a disk.</param>
    /// <param name="withDefaults">Also options that are as they are where nothing is written.</param>
    public static string Of(
        ResourceConfiguration resource, bool isConnecting, IReadOnlySet<int> attached, bool withDefaults)
    {
        var page = new ShowPage(withDefaults);
        page.AddResource(resource, isConnecting, attached);
        return page._text.ToString();
    }

    private void AddResource(ResourceConfiguration resource, bool isConnecting, IReadOnlySet<int> attached)
    {
        _text.Append($"resource {resource.Name} {{\n");
        AddOptions(1, "options", resource.OptionTexts, OptionDefaults.Resource);
        if (isConnecting)
        {
            AddOptions(1, "net", resource.NetTexts, OptionDefaults.Net);
            _text.Append("    _remote_host {\n");
            Add(2, "address", resource.Peer.ToString());
            _text.Append("    }\n");
        }

        _text.Append("    _this_host {\n");
        if (isConnecting)
        {
            Add(2, "address", resource.Own.ToString());
        }

        foreach (VolumeConfiguration volume in resource.Volumes)
        {
            AddVolume(volume, attached.Contains(volume.Number));
        }

        _text.Append("    }\n}\n");
    }

    private void AddVolume(VolumeConfiguration volume, bool isAttached)
    {
        _text.Append(CultureInfo.InvariantCulture, $"        volume {volume.Number} {{\n");
        Add(3, "device", $"minor {volume.Minor}");
        if (isAttached)
        {
            Add(3, "disk", $"\"{volume.DiskPath}\"");
            Add(3, "meta-disk", volume.MetaDataKind switch
            {
                MetaDataKind.Internal => "internal",
                MetaDataKind.FlexibleExternal => $"\"{volume.MetaDiskPath}\"",
                _ => $"\"{volume.MetaDiskPath}\" [ {volume.MetaDiskIndex} ]",
            });
            AddOptions(3, "disk", volume.DiskTexts, OptionDefaults.Disk);
        }

        _text.Append("        }\n");
    }

    /// <summary>In the order of the defaults; of an option that is written twice the last counts.</summary>
    private void AddOptions(
        int depth, string section, IReadOnlyList<OptionText> given, IReadOnlyList<OptionText> defaults)
    {
        _text.Append(' ', depth * 4).Append(section).Append(" {\n");
        foreach (OptionText known in defaults)
        {
            OptionText option = given.LastOrDefault(written => written.Name == known.Name, known);
            if (_withDefaults || !option.IsDefault)
            {
                string[] remarks =
                    [.. new[] { option.Counts, option.IsDefault ? "default" : "" }.Where(words => words.Length > 0)];
                _text.Append(' ', (depth + 1) * 4).Append(option.Name.PadRight(16)).Append('\t')
                    .Append(option.IsText ? $"\"{option.Text}\"" : option.InScale).Append(';')
                    .Append(remarks.Length > 0 ? $" # {string.Join(", ", remarks)}" : "").Append('\n');
            }
        }

        _text.Append(' ', depth * 4).Append("}\n");
    }

    private void Add(int depth, string name, string value) =>
        _text.Append(' ', depth * 4).Append(name).Append("\t\t\t").Append(value).Append(";\n");
}
