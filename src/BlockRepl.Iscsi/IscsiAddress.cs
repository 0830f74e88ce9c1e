using System.Globalization;
using BlockRepl.Iscsi.Protocol;
using BlockRepl.Iscsi.Protocol.Login;

namespace BlockRepl.Iscsi;

/// <summary>
/// Where a disk is: iscsi://[user%password@]host[:port]/target/lun[?target_user=NAME&amp;target_password=SECRET].
/// The text of it, <see cref="ToString"/>, shows no secret.
/// </summary>
public sealed class IscsiAddress
{
    public const string Scheme = "iscsi://";

    private const string Form = "iscsi://[user%password@]host[:port]/target-name/lun";
    private const int LongestName = 223;
    private const int LargestLun = 0x3fff;

    private IscsiAddress(Portal portal, string targetName, int lun, ChapAccount? initiator, ChapAccount? target)
    {
        Portal = portal;
        TargetName = targetName;
        Lun = lun;
        Initiator = initiator;
        Target = target;
    }

    public string TargetName { get; }

    public int Lun { get; }

    internal Portal Portal { get; }

    /// <summary>What the address itself says that we prove.</summary>
    internal ChapAccount? Initiator { get; }

    /// <summary>What the address itself says that the target must prove.</summary>
    internal ChapAccount? Target { get; }

    /// <exception cref="IscsiException">What is wrong, without any secret in it.</exception>
    public static IscsiAddress Parse(string text)
    {
        if (!text.StartsWith(Scheme, StringComparison.OrdinalIgnoreCase))
        {
            throw Bad($"it does not begin with {Scheme}");
        }

        string rest = text[Scheme.Length..];
        int question = rest.IndexOf('?', StringComparison.Ordinal);
        ChapAccount? target = question < 0 ? null : ParseTarget(rest[(question + 1)..]);
        string[] parts = (question < 0 ? rest : rest[..question]).Split('/');
        if (parts.Length != 3)
        {
            throw Bad("it needs a host, a target name and a LUN, divided by '/'");
        }

        // A secret may have an @ in it, a host may not.
        int at = parts[0].LastIndexOf('@');
        Portal portal = Portal.Parse(parts[0][(at + 1)..])
            ?? throw Bad($"'{parts[0][(at + 1)..]}' is no host[:port]; an IPv6 address stands in brackets");
        return new IscsiAddress(
            portal, ParseName(parts[1]), ParseLun(parts[2]), at < 0 ? null : ParseUser(parts[0][..at]), target);
    }

    public override string ToString()
    {
        string user = Initiator is null ? "" : Initiator.User + "%***@";
        return string.Create(CultureInfo.InvariantCulture, $"{Scheme}{user}{Portal}/{TargetName}/{Lun}");
    }

    /// <summary>Peripheral addressing up to 255, flat addressing above.</summary>
    internal ulong EncodedLun => (ulong)(Lun < 256 ? Lun : 0x4000 | Lun) << 48;

    private static string ParseName(string name)
    {
        bool isName = name.Length is > 0 and <= LongestName
            && name.All(c => char.IsAsciiLetterOrDigit(c) || ".:-_".Contains(c))
            && (name.StartsWith("iqn.", StringComparison.OrdinalIgnoreCase)
                || name.StartsWith("eui.", StringComparison.OrdinalIgnoreCase)
                || name.StartsWith("naa.", StringComparison.OrdinalIgnoreCase));
        return isName ? name : throw Bad($"'{name}' is no target name: it begins with iqn., eui. or naa.");
    }

    private static int ParseLun(string text) =>
        int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out int lun) && lun <= LargestLun
            ? lun
            : throw Bad($"the LUN '{text}' is no number from 0 to {LargestLun}");

    private static ChapAccount ParseUser(string text)
    {
        int percent = text.IndexOf('%', StringComparison.Ordinal);
        return percent > 0 && percent + 1 < text.Length
            ? new ChapAccount(text[..percent], text[(percent + 1)..])
            : throw Bad("before the '@' must stand user%password");
    }

    private static ChapAccount ParseTarget(string query)
    {
        string? user = null;
        string? secret = null;
        foreach (string option in query.Split('&'))
        {
            int equals = option.IndexOf('=', StringComparison.Ordinal);
            string value = option[(equals + 1)..];
            switch (equals < 0 ? "" : option[..equals])
            {
                case "target_user":
                    user = value;
                    break;
                case "target_password":
                    secret = value;
                    break;
                default:
                    throw Bad("behind the '?' only target_user=NAME and target_password=SECRET are known");
            }
        }

        return user is { Length: > 0 } && secret is { Length: > 0 }
            ? new ChapAccount(user, secret)
            : throw Bad("target_user and target_password go together, and neither may be empty");
    }

    private static IscsiException Bad(string why) =>
        new(IscsiError.BadAddress, $"the address is not of the form {Form}: {why}");
}
