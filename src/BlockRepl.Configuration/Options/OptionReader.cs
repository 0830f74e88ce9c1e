using System.Globalization;
using BlockRepl.Core.Protocol;

namespace BlockRepl.Configuration.Options;

/// <summary>Turns an option's text into its value, or says what would be allowed.</summary>
internal static class OptionReader
{
    /// <param name="text">Null if the option stood alone.</param>
    /// <exception cref="ConfigurationException">The value is none of this option.</exception>
    public static OptionValue Read(
        OptionDefinition definition, string? text, SourcePosition position, List<string> warnings)
    {
        if (text is null && definition.Kind is not OptionKind.Boolean)
        {
            throw new ConfigurationException(position, $"{definition.Name} needs a value: {Allowed(definition)}.");
        }

        return definition.Kind switch
        {
            OptionKind.Number => ReadNumber(definition, text!, position, warnings),
            OptionKind.Boolean => ReadBoolean(definition, text, position),
            OptionKind.Choice => ReadChoice(definition, text!, position),
            OptionKind.Digest => ReadDigest(definition, text!, position),
            _ => ReadText(definition, text!, position),
        };
    }

    private static OptionValue ReadNumber(
        OptionDefinition definition, string text, SourcePosition position, List<string> warnings)
    {
        if (!TryParseNumber(text, definition.Scale, out long number))
        {
            throw new ConfigurationException(
                position,
                $"{definition.Name} {Shorten(text)} is not a number; write digits and at most one of the letters k, m, "
                + $"g (1024, 1024^2, 1024^3 bytes) or s (512 bytes): {Allowed(definition)}.");
        }

        if (number >= definition.Minimum && number <= definition.Maximum)
        {
            return new OptionValue(definition, text, number, position);
        }

        string unit = definition.Unit;
        string problem = $"{definition.Name} {Shorten(text)} => {number}{unit} out of range "
            + $"[{definition.Minimum}..{definition.Maximum}]{unit}.";
        if (!definition.Clamps)
        {
            throw new ConfigurationException(position, problem + " Choose a value within it, or leave the option out.");
        }

        long clamped = Math.Clamp(number, definition.Minimum, definition.Maximum);
        warnings.Add($"{position}: {problem} {clamped}{unit} is used.");
        return new OptionValue(definition, text, clamped, position);
    }

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
        if (text is not (null or "yes" or "no") || (definition.MeansNo && text is not null))
        {
            throw new ConfigurationException(
                position, $"{definition.Name} {Shorten(text!)}: {Allowed(definition)}.");
        }

        bool value = text is null or "yes";
        return new OptionValue(definition, text ?? "yes", value != definition.MeansNo ? 1 : 0, position);
    }

    private static OptionValue ReadChoice(OptionDefinition definition, string text, SourcePosition position)
    {
        for (int i = 0; i < definition.Choices.Count; i++)
        {
            if (definition.Choices[i] == text)
            {
                return new OptionValue(definition, text, i, position);
            }
        }

        throw new ConfigurationException(position, $"{definition.Name} {Shorten(text)}: {Allowed(definition)}.");
    }

    private static OptionValue ReadDigest(OptionDefinition definition, string text, SourcePosition position)
    {
        bool keyed = definition.Name == "cram-hmac-alg";
        if (!DigestAlgorithms.TryParse(text, out DigestAlgorithm algorithm)
            || (keyed && algorithm == DigestAlgorithm.Crc32c))
        {
            throw new ConfigurationException(position, $"{definition.Name} {Shorten(text)}: {Allowed(definition)}.");
        }

        return new OptionValue(definition, text, (long)algorithm, position);
    }

    private static OptionValue ReadText(OptionDefinition definition, string text, SourcePosition position)
    {
        if (text.Length > definition.LongestText)
        {
            throw new ConfigurationException(
                position,
                $"{definition.Name}: {text.Length} characters are too many; "
                + $"at most {definition.LongestText} are allowed.");
        }

        return new OptionValue(definition, text, 0, position);
    }

    /// <summary>What a value may be, as a part of a sentence.</summary>
    internal static string Allowed(OptionDefinition definition) => definition.Kind switch
    {
        OptionKind.Number => $"allowed is [{definition.Minimum}..{definition.Maximum}]{definition.Unit}",
        OptionKind.Boolean when definition.MeansNo => "this old form takes no value",
        OptionKind.Boolean => "only yes, no, or the option alone (which means yes) are allowed",
        OptionKind.Choice => "must be one of " + string.Join(", ", definition.Choices),
        OptionKind.Digest when definition.Name == "cram-hmac-alg" => "must be one of md5, sha1, sha256",
        OptionKind.Digest => "must be one of crc32c, md5, sha1, sha256",
        OptionKind.Words => "one host name or more",
        _ => "a word, or text in \"double quotes\"",
    };

    internal static string Shorten(string text) => text.Length <= 40 ? text : text[..40] + "...";
}
