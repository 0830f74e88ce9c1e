using System.Globalization;
using System.Xml;

namespace BlockRepl.Fencing.CommandLine;

/// <summary>Times as the variables give them: "90", "90s", "2m", "1h", "1500ms", "PT2M".</summary>
internal static class Duration
{
    /// <returns>Whole seconds, null if it is no time.</returns>
    public static long? ParseSeconds(string text)
    {
        text = text.Trim();
        if (text.StartsWith('P'))
        {
            try
            {
                return (long)XmlConvert.ToTimeSpan(text).TotalSeconds;
            }
            catch (FormatException)
            {
                return null;
            }
        }

        var digits = text.TakeWhile(char.IsAsciiDigit).Count();
        if (!long.TryParse(text[..digits], NumberStyles.None, CultureInfo.InvariantCulture, out var number)
            || number > int.MaxValue)
        {
            return null;
        }

        return text[digits..].Trim().ToLowerInvariant() switch
        {
            "" or "s" or "sec" => number,
            "m" or "min" => number * 60,
            "h" or "hr" => number * 3600,
            "ms" or "msec" => number / 1000,
            "us" or "usec" => number / 1_000_000,
            _ => null,
        };
    }
}
