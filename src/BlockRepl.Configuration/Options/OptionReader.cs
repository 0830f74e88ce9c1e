using System.Globalization;
using BlockRepl.Core.Protocol;

namespace BlockRepl.Configuration.Options;

/// <summary>
/// Turns an option's text into its value, or says what would be allowed. In two steps: <see cref="Read"/> refuses what
/// DRBD's tools refuse in any resource of the file; <see cref="Evaluate"/>, for the resources of this node, what would
/// make it unusable.
/// </summary>
internal static class OptionReader
{
    /// <param name="text">Null if the option stood alone.</param>
    /// <exception cref="ConfigurationException">The value is none of this option.</exception>
    public static OptionValue Read(OptionDefinition definition, string? text, SourcePosition position)
    {
        if (text is null && definition.Kind is not (OptionKind.Boolean or OptionKind.Flag))
        {
            throw new ConfigurationException(position, $"{definition.Name} needs a value: {Allowed(definition)}.");
        }

        return definition.Kind switch
        {
            OptionKind.Number when !definition.Clamps => ReadNumber(definition, text!, position),
            OptionKind.Boolean or OptionKind.Flag => ReadBoolean(definition, text, position),
            OptionKind.Protocol => ReadProtocol(definition, text!, position),
            _ => new OptionValue(definition, text!, 0, position),
        };
    }

    /// <exception cref="ConfigurationException">Nothing can be done with the value.</exception>
    public static OptionValue Evaluate(OptionValue value, List<string> warnings) => value.Definition.Kind switch
    {
        OptionKind.Number when value.Definition.Clamps => Clamp(value, warnings),
        OptionKind.Choice => EvaluateChoice(value),
        OptionKind.Digest => EvaluateDigest(value),
        OptionKind.Text => EvaluateText(value),
        _ => value,
    };

    private static OptionValue ReadNumber(OptionDefinition definition, string text, SourcePosition position)
    {
        long number = ParseNumber(definition, text, position);
        return number >= definition.Minimum && number <= definition.Maximum
            ? new OptionValue(definition, text, number, position)
            : throw new ConfigurationException(
                position,
                OutOfRange(definition, text, number) + " Choose a value within it, or leave the option out.");
    }

    private static OptionValue Clamp(OptionValue value, List<string> warnings)
    {
        OptionDefinition definition = value.Definition;
        long number = ParseNumber(definition, value.Text, value.Position);
        long clamped = Math.Clamp(number, definition.Minimum, definition.Maximum);
        if (clamped != number)
        {
            string warning = $"{value.Position}: {OutOfRange(definition, value.Text, number)} "
                + $"{clamped}{definition.Unit} is used.";
            if (!warnings.Contains(warning))
            {
                warnings.Add(warning);
            }
        }

        return value with { Number = clamped };
    }

    private static string OutOfRange(OptionDefinition definition, string text, long number) =>
        $"{definition.Name} {Shorten(text)} => {number}{definition.Unit} out of range "
        + $"[{definition.Minimum}..{definition.Maximum}]{definition.Unit}.";

    private static long ParseNumber(OptionDefinition definition, string text, SourcePosition position) =>
        TryParseNumber(text, definition.Scale, out long number)
            ? number
            : throw new ConfigurationException(
                position,
                $"{definition.Name} {Shorten(text)} is not a number; write digits and at most one of the letters k, m, "
                + $"g (1024, 1024^2, 1024^3 bytes) or s (512 bytes): {Allowed(definition)}.");

    /// <summary>
    /// Digits and at most one unit letter, to a number in units of <paramref name="scale"/> bytes, rounded up.
    /// </summary>
    internal static bool TryParseNumber(string text, int scale, out long number)
    {
        number = 0;
        long unit = text.Length == 0 ? 0 : text[^1] switch
        {
            'k' or 'K' => 1L << 10,
            'm' or 'M' => 1L << 20,
            'g' or 'G' => 1L << 30,
            's' or 'S' => 512,
            _ => 0,
        };
        ReadOnlySpan<char> digits = unit == 0 ? text : text.AsSpan(0, text.Length - 1);
        if (digits.IsEmpty || digits.Length > 18 || digits.ContainsAnyExceptInRange('0', '9'))
        {
            return false;
        }

        long value = long.Parse(digits, NumberStyles.None, CultureInfo.InvariantCulture);
        if (unit == 0)
        {
            number = value;
            return true;
        }

        if (value > (long.MaxValue - scale) / unit)
        {
            number = long.MaxValue;
            return true;
        }

        number = ((value * unit) + scale - 1) / scale;
        return true;
    }

    private static OptionValue ReadBoolean(OptionDefinition definition, string? text, SourcePosition position)
    {
        bool takesNone = definition.MeansNo || definition.Kind == OptionKind.Flag;
        if (text is not (null or "yes" or "no") || (takesNone && text is not null))
        {
            throw new ConfigurationException(
                position, $"{definition.Name} {Shorten(text!)}: {Allowed(definition)}.");
        }

        bool value = (text is null or "yes") != definition.MeansNo;
        return new OptionValue(definition, value ? "yes" : "no", value ? 1 : 0, position);
    }

    private static OptionValue ReadProtocol(OptionDefinition definition, string text, SourcePosition position) =>
        text is "A" or "B" or "C" or "a" or "b" or "c"
            ? new OptionValue(definition, text.ToUpperInvariant(), 0, position)
            : throw new ConfigurationException(position, $"protocol {Shorten(text)}: {Allowed(definition)}.");

    private static OptionValue EvaluateChoice(OptionValue value)
    {
        for (int i = 0; i < value.Definition.Choices.Count; i++)
        {
            if (value.Definition.Choices[i] == value.Text)
            {
                return value with { Number = i };
            }
        }

        throw NotAllowed(value);
    }

    private static OptionValue EvaluateDigest(OptionValue value)
    {
        bool keyed = value.Definition.Name == "cram-hmac-alg";
        return DigestAlgorithms.TryParse(value.Text, out DigestAlgorithm algorithm)
            && !(keyed && algorithm == DigestAlgorithm.Crc32c)
            ? value with { Number = (long)algorithm }
            : throw NotAllowed(value);
    }

    private static OptionValue EvaluateText(OptionValue value) =>
        value.Text.Length <= value.Definition.LongestText
            ? value
            : throw new ConfigurationException(
                value.Position,
                $"{value.Definition.Name}: {value.Text.Length} characters are too many; "
                + $"at most {value.Definition.LongestText} are allowed.");

    private static ConfigurationException NotAllowed(OptionValue value) => new(
        value.Position, $"{value.Definition.Name} {Shorten(value.Text)}: {Allowed(value.Definition)}.");

    /// <summary>What a value may be, as a part of a sentence.</summary>
    internal static string Allowed(OptionDefinition definition) => definition.Kind switch
    {
        OptionKind.Number => $"allowed is [{definition.Minimum}..{definition.Maximum}]{definition.Unit}",
        OptionKind.Boolean when definition.MeansNo => "this old form takes no value",
        OptionKind.Boolean => "only yes, no, or the option alone (which means yes) are allowed",
        OptionKind.Flag => "this option takes no value",
        OptionKind.Protocol => "must be one of A, B, C",
        OptionKind.Choice => "must be one of " + string.Join(", ", definition.Choices),
        OptionKind.Digest when definition.Name == "cram-hmac-alg" => "must be one of md5, sha1, sha256",
        OptionKind.Digest => "must be one of crc32c, md5, sha1, sha256",
        OptionKind.Words => "one host name or more",
        _ => "a word, or text in \"double quotes\"",
    };

    internal static string Shorten(string text) => text.Length <= 40 ? text : text[..40] + "...";
}
