using System.Globalization;
using BlockRepl.Configuration.Options;

namespace BlockRepl.Configuration.Syntax;

/// <summary>Volumes of one section: <c>volume N { … }</c>, or the statements of the implicit volume 0.</summary>
internal sealed class VolumeParser(Lexer lexer, ConfigurationSyntax syntax, VolumeSet volumes, string title)
    : ParserBase(lexer, syntax)
{
    private const string DevicePrefix = "/dev/drbd";

    /// <summary>From behind the word that begins a statement of the implicit volume.</summary>
    public void ParseImplicit(string word, SourcePosition position)
    {
        if (volumes.HasExplicit)
        {
            throw Mixed(position);
        }

        if (!volumes.All.TryGetValue(0, out VolumeSyntax? volume))
        {
            volume = new VolumeSyntax(0, isImplicit: true, position);
            volumes.All.Add(0, volume);
        }

        ParseStatement(volume, word, position);
    }

    /// <summary>From behind the word volume.</summary>
    public void ParseExplicit(SourcePosition position)
    {
        int number = TakeInteger("volume number", 0, 99999999);
        if (volumes.Implicit is not null)
        {
            throw Mixed(position);
        }

        if (volumes.All.TryGetValue(number, out VolumeSyntax? first))
        {
            ThrowConflict("volume section", $"{title}/{number}", position, first.Position);
        }

        if (volumes.All.Count == ConfigurationLimits.Volumes)
        {
            throw new ConfigurationException(
                position, $"more than {ConfigurationLimits.Volumes} volumes in one section.");
        }

        var volume = new VolumeSyntax(number, isImplicit: false, position);
        volumes.All.Add(number, volume);
        Expect('{');
        while (!TryTake('}'))
        {
            SourcePosition at = Lexer.Position;
            ParseStatement(volume, TakeKeyword("device | disk | meta-disk' or '}"), at);
        }
    }

    private void ParseStatement(VolumeSyntax volume, string word, SourcePosition position)
    {
        switch (word)
        {
            case "disk" when Lexer.Current.IsPunctuation('{'):
                volume.DiskOptions = new OptionSet(OptionSection.Disk);
                new OptionSectionParser(Lexer, Syntax).Parse(volume.DiskOptions);
                break;
            case "disk":
                volume.Disk = TakeString("path of the backing device' or '{");
                Expect(';');
                break;
            case "device":
                volume.Device = ParseDevice(position);
                break;
            case "meta-disk" or "flexible-meta-disk":
                volume.MetaDisk = ParseMetaDisk(position, mayHaveIndex: word == "meta-disk");
                break;
            default:
                throw Unknown(
                    position, word, "statement of a volume", ["device", "disk", "meta-disk", "flexible-meta-disk"]);
        }
    }

    /// <summary><c>/dev/drbdN</c>, <c>drbdN</c>, <c>minor N</c> or a name with <c>minor N</c>.</summary>
    private DeviceSyntax ParseDevice(SourcePosition position)
    {
        string? path = null;
        if (!Lexer.Current.IsWord("minor"))
        {
            PlacedText given = TakeString("/dev/drbdN' or 'minor N");
            path = given.Text.StartsWith("drbd", StringComparison.Ordinal) ? "/dev/" + given.Text : given.Text;
            if (!path.StartsWith(DevicePrefix, StringComparison.Ordinal))
            {
                throw new ConfigurationException(
                    given.Position,
                    $"the device '{Shorten(given.Text)}' must start with {DevicePrefix}; write device "
                    + "/dev/drbdN or device minor N. The backing device belongs to 'disk'.");
            }
        }

        int? minor = null;
        if (Lexer.Current.IsWord("minor"))
        {
            Lexer.Advance();
            minor = TakeInteger("minor", 0, 99999999);
        }

        Expect(';');
        return new DeviceSyntax(path, path is null ? minor!.Value : Agree(path, minor, position), position);
    }

    private MetaDiskSyntax ParseMetaDisk(SourcePosition position, bool mayHaveIndex)
    {
        PlacedText path = TakeString("internal' or 'path of the meta-data device");
        string? index = null;
        if (mayHaveIndex && TryTake('['))
        {
            index = Lexer.Current.Text;
            TakeInteger("meta-disk index", 0, 99999999);
            Expect(']');
        }

        Expect(';');
        if (path.Text != "internal")
        {
            return new MetaDiskSyntax(path.Text, index, position);
        }

        return index is null
            ? new MetaDiskSyntax(null, null, position)
            : throw new ConfigurationException(position, "internal meta data have no index; write meta-disk internal.");
    }

    /// <summary>The minor of a device's path, with which an explicit one must agree.</summary>
    private int Agree(string path, int? minor, SourcePosition position)
    {
        ReadOnlySpan<char> name = path.AsSpan(DevicePrefix.Length);
        bool numbered = int.TryParse(name, NumberStyles.None, CultureInfo.InvariantCulture, out int inPath);
        if (!numbered && minor is { } named && name.StartsWith('_'))
        {
            Syntax.Warnings.Add(
                $"{position}: device names other than {DevicePrefix}N are not created; {DevicePrefix}{named} is used.");
            return named;
        }

        if (!numbered)
        {
            throw new ConfigurationException(
                position,
                $"no minor number for '{Shorten(path)}'; write device {DevicePrefix}N with N of [0..1048575].");
        }

        return minor is null || minor == inPath
            ? inPath
            : throw new ConfigurationException(
                position,
                $"the device {path} cannot have minor {minor}; leave 'minor {minor}' out or make both agree.");
    }

    private static ConfigurationException Mixed(SourcePosition position) => new(
        position,
        "one section cannot have both 'volume N { ... }' and device, disk or meta-disk outside of one; "
        + "put all of them into volume sections.");
}
