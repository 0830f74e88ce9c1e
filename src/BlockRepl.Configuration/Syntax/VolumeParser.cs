using System.Globalization;
using BlockRepl.Configuration.Options;

namespace BlockRepl.Configuration.Syntax;

/// <summary>The device and meta-disk statements.</summary>
internal sealed class VolumeParser(Lexer lexer, ConfigurationSyntax syntax) : ParserBase(lexer, syntax)
{
    private const string DevicePrefix = "/dev/drbd";

    public const int HighestMinor = 1048575;

    /// <summary><c>/dev/drbdN</c>, <c>drbdN</c>, <c>minor N</c> or a name with <c>minor N</c>.</summary>
    public DeviceSyntax ParseDevice(SourcePosition position)
    {
        string? path = null;
        if (!Lexer.Current.IsWord("minor"))
        {
            PlacedText given = TakeValue("/dev/drbdN' or 'minor N");
            path = given.Text.StartsWith("drbd", StringComparison.Ordinal) ? "/dev/" + given.Text : given.Text;
            if (!path.StartsWith(DevicePrefix, StringComparison.Ordinal))
            {
                throw new ConfigurationException(
                    given.Position,
                    $"the device '{OptionReader.Shorten(given.Text)}' must start with {DevicePrefix}; write device "
                    + "/dev/drbdN or device minor N. The backing device belongs to 'disk'.");
            }
        }

        int? minor = null;
        if (Lexer.Current.IsWord("minor"))
        {
            Lexer.Advance();
            minor = TakeInteger("minor", 0, HighestMinor);
        }

        Expect(';');
        return new DeviceSyntax(path ?? DevicePrefix + Decimal(minor!.Value), Agree(path, minor, position), position);
    }

    public MetaDiskSyntax ParseMetaDisk(SourcePosition position, bool mayHaveIndex)
    {
        PlacedText path = TakeValue("internal' or 'path of the meta-data device");
        int? index = null;
        if (mayHaveIndex && TryTake('['))
        {
            // 128 MiB for each slot: more than these would lie beyond any device.
            index = TakeInteger("meta-disk index", 0, 65535);
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

    private int Agree(string? path, int? minor, SourcePosition position)
    {
        if (path is null)
        {
            return minor!.Value;
        }

        bool numbered = int.TryParse(
            path.AsSpan(DevicePrefix.Length), NumberStyles.None, CultureInfo.InvariantCulture, out int inPath);
        if (!numbered && minor is { } named)
        {
            Syntax.Warnings.Add(
                $"{position}: device names other than {DevicePrefix}N are not created; {DevicePrefix}{named} is used.");
            return named;
        }

        if (!numbered || inPath > HighestMinor)
        {
            throw new ConfigurationException(
                position,
                $"no minor number for '{OptionReader.Shorten(path)}'; "
                + $"write device {DevicePrefix}N with N of [0..{HighestMinor}].");
        }

        return minor is null || minor == inPath
            ? inPath
            : throw new ConfigurationException(
                position,
                $"the device {path} cannot have minor {minor}; leave 'minor {minor}' out or make both agree.");
    }

    private static string Decimal(int value) => value.ToString(CultureInfo.InvariantCulture);
}
