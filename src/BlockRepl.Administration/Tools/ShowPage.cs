using System.Globalization;
using System.Text;
using BlockRepl.Configuration;
using BlockRepl.Core.MetaData;

namespace BlockRepl.Administration.Tools;

/// <summary>What <c>drbdsetup show</c> prints: what a resource runs with, in the language of drbd.conf.</summary>
public static class ShowPage
{
    /// <param name="isConnecting">A resource that is StandAlone has no connection to show.</param>
    /// <param name="attached">Numbers of the volumes that have a disk.</param>
    public static string Of(ResourceConfiguration resource, bool isConnecting, IReadOnlySet<int> attached)
    {
        var text = new StringBuilder($"resource {resource.Name} {{\n");
        AddOptions(text, 1, "options", resource.OptionTexts);
        if (isConnecting)
        {
            AddOptions(text, 1, "net", resource.NetTexts);
            text.Append("    _remote_host {\n");
            Add(text, 2, "address", resource.Peer.ToString());
            text.Append("    }\n");
        }

        text.Append("    _this_host {\n");
        if (isConnecting)
        {
            Add(text, 2, "address", resource.Own.ToString());
        }

        foreach (VolumeConfiguration volume in resource.Volumes)
        {
            AddVolume(text, volume, attached.Contains(volume.Number));
        }

        return text.Append("    }\n}\n").ToString();
    }

    private static void AddVolume(StringBuilder text, VolumeConfiguration volume, bool isAttached)
    {
        text.Append(CultureInfo.InvariantCulture, $"        volume {volume.Number} {{\n");
        Add(text, 3, "device", $"minor {volume.Minor}");
        if (isAttached)
        {
            Add(text, 3, "disk", $"\"{volume.DiskPath}\"");
            Add(text, 3, "meta-disk", volume.MetaDataKind switch
            {
                MetaDataKind.Internal => "internal",
                MetaDataKind.FlexibleExternal => $"\"{volume.MetaDiskPath}\"",
                _ => $"\"{volume.MetaDiskPath}\" [ {volume.MetaDiskIndex} ]",
            });
            AddOptions(text, 3, "disk", volume.DiskTexts);
        }

        text.Append("        }\n");
    }

    private static void AddOptions(StringBuilder text, int depth, string section, IReadOnlyList<OptionText> options)
    {
        text.Append(' ', depth * 4).Append(section).Append(" {\n");
        foreach (OptionText option in options)
        {
            text.Append(' ', (depth + 1) * 4).Append(option.Name.PadRight(16)).Append('\t')
                .Append(option.IsText ? $"\"{option.Text}\"" : option.InScale).Append(";\n");
        }

        text.Append(' ', depth * 4).Append("}\n");
    }

    private static void Add(StringBuilder text, int depth, string name, string value) =>
        text.Append(' ', depth * 4).Append(name).Append("\t\t\t").Append(value).Append(";\n");
}
