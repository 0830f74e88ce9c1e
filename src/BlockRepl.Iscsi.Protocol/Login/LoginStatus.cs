using System.Globalization;

namespace BlockRepl.Iscsi.Protocol.Login;

/// <summary>The target is elsewhere; the login is to be tried there.</summary>
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

/// <summary>What the status of a refused login means (RFC 7143, 11.13.5), in words that say what to do.</summary>
internal static class LoginStatus
{
    public static IscsiException Refusal(byte statusClass, byte detail, ChapCredentials? chap, string target) =>
        (statusClass << 8 | detail) switch
        {
            0x0201 when chap is null => new(
                IscsiError.AuthenticationFailed,
                "the target wants a CHAP login and no user and password are known for it: "
                + "give them in the address (user%password@), in the environment or in open-iscsi's node file"),
            0x0201 => new(
                IscsiError.AuthenticationFailed,
                $"the target refused CHAP user {Printable.Text(chap.Initiator.User)}: "
                + "check the name and the secret (the target's incoming account)"),
            0x0202 => new(
                IscsiError.LoginRefused,
                "the target does not allow this initiator: add our initiator name or address to its access list"),
            0x0203 => new(
                IscsiError.TargetNotFound,
                $"the portal knows no target {target}: check the name in the address"),
            0x0204 => new(IscsiError.TargetNotFound, $"the target {target} has been removed from this portal"),
            0x0205 => new(IscsiError.LoginRefused, "the target does not speak this version of iSCSI"),
            0x0206 => new(IscsiError.LoginRefused, "the target allows no more connections in the session"),
            0x0207 => new(IscsiError.LoginRefused, "the target misses a parameter in the login"),
            0x0208 => new(IscsiError.LoginRefused, "the target cannot be in this session"),
            0x0209 => new(IscsiError.LoginRefused, "the target does not support this type of session"),
            0x020a => new(IscsiError.LoginRefused, "the target has lost the session that was to be continued"),
            0x020b => new(IscsiError.LoginRefused, "the target refuses the request in this stage of the login"),
            0x0301 => new(IscsiError.LoginRefused, "the target is not operational now"),
            0x0302 => new(IscsiError.LoginRefused, "the target has no resources for another session"),
            _ when statusClass == 2 => new(
                IscsiError.LoginRefused, $"the target refused the login, status 0x02{detail:x2}"),
            _ when statusClass == 3 => new(
                IscsiError.LoginRefused, $"the target failed in the login, status 0x03{detail:x2}"),
            _ => IscsiException.Violation($"login status 0x{statusClass:x2}{detail:x2}"),
        };
}
