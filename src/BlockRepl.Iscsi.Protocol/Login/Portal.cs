using System.Globalization;

namespace BlockRepl.Iscsi.Protocol.Login;

/// <summary>Where a target listens.</summary>
internal sealed record Portal(string Host, int Port)
{
    public const int DefaultPort = 3260;

    public override string ToString() =>
        Host.Contains(':', StringComparison.Ordinal)
            ? string.Create(CultureInfo.InvariantCulture, $"[{Host}]:{Port}")
            : string.Create(CultureInfo.InvariantCulture, $"{Host}:{Port}");

    /// <summary>host, host:port, [IPv6] or [IPv6]:port; null if it is none of these.</summary>
    public static Portal? Parse(string text)
    {
        string host = text;
        string? port = null;
        if (text.StartsWith('['))
        {
            int end = text.IndexOf(']', StringComparison.Ordinal);
            if (end < 0 || (end + 1 < text.Length && text[end + 1] != ':'))
            {
                return null;
            }

            host = text[1..end];
            port = end + 1 < text.Length ? text[(end + 2)..] : null;
        }
        else if (text.IndexOf(':', StringComparison.Ordinal) is >= 0 and int colon)
        {
            host = text[..colon];
            port = text[(colon + 1)..];
        }

        int number = DefaultPort;
        return IsHost(host) && (port is null || (TryPort(port, out number) && number > 0))
            ? new Portal(host, number)
            : null;
    }

    private static bool TryPort(string text, out int number)
    {
        bool good = ushort.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out ushort port);
        number = port;
        return good;
    }

    private static bool IsHost(string host) =>
        host.Length is > 0 and <= 255 && host.All(c => char.IsAsciiLetterOrDigit(c) || ".-_:%".Contains(c));
}
