using System.Globalization;

namespace BlockRepl.Daemon.Nodes;

/// <summary>What a command is about: all, a resource, or one volume of it.</summary>
/// <param name="Resource">Null for all.</param>
/// <param name="Volume">Null for all volumes.</param>
internal readonly record struct Target(string? Resource, int? Volume)
{
    /// <summary>Parses <c>all</c>, <c>RESOURCE</c> or <c>RESOURCE/VOLUME</c>.</summary>
    public static bool TryParse(string text, out Target target)
    {
        target = default;
        if (text == "all")
        {
            return true;
        }

        int slash = text.IndexOf('/', StringComparison.Ordinal);
        string resource = slash < 0 ? text : text[..slash];
        int volume = 0;
        if (resource.Length == 0
            || (slash >= 0
                && (!int.TryParse(text.AsSpan(slash + 1), NumberStyles.None, CultureInfo.InvariantCulture, out volume)
                    || volume > 65535)))
        {
            return false;
        }

        target = new Target(resource, slash < 0 ? null : volume);
        return true;
    }
}
