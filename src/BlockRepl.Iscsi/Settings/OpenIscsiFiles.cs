using BlockRepl.Iscsi.Protocol;
using BlockRepl.Iscsi.Protocol.Login;

namespace BlockRepl.Iscsi.Settings;

/// <summary>
/// open-iscsi's files, read only: the initiator's name, the node record of a target, the defaults in iscsid.conf.
/// </summary>
/// <param name="root">The folder that stands for / .</param>
internal sealed class OpenIscsiFiles(string root)
{
    private const int LargestFile = 1 << 20;

    /// <summary>Newer distributions keep the records below /var/lib.</summary>
    private static readonly string[] NodeFolders = ["etc/iscsi/nodes", "var/lib/iscsi/nodes"];

    /// <summary>Null without the file, or if the name is still to be generated.</summary>
    public string? InitiatorName() => Read("etc/iscsi/initiatorname.iscsi")?.GetValueOrDefault("InitiatorName");

    /// <summary>
    /// The accounts of the target's node record: the record of this portal, or of another one of the target. Without
    /// a record those of iscsid.conf. Null without accounts.
    /// </summary>
    public ChapCredentials? Accounts(string targetName, Portal portal)
    {
        string? record = NodeFolders
            .SelectMany(folder => RecordsOf(Path.Combine(folder, targetName)))
            .OrderByDescending(file => IsOf(file, portal))
            .FirstOrDefault();
        string file = record ?? "etc/iscsi/iscsid.conf";
        return Read(file) is { } values ? AccountsIn(values, file) : null;
    }

    /// <summary>TARGET/ADDRESS,PORT,TAG/INTERFACE, or in old versions TARGET/ADDRESS,PORT as a file.</summary>
    private IEnumerable<string> RecordsOf(string folder)
    {
        string full = Path.Combine(root, folder);
        return Directory.Exists(full)
            ? Directory.EnumerateFiles(full, "*", SearchOption.AllDirectories)
                .Order(StringComparer.Ordinal)
                .Select(file => Path.GetRelativePath(root, file))
            : [];
    }

    private static bool IsOf(string file, Portal portal) =>
        file.Split('/').Any(part => $"{part},".StartsWith($"{portal.Host},{portal.Port},", StringComparison.Ordinal));

    private static ChapCredentials? AccountsIn(Dictionary<string, string> values, string file)
    {
        const string Prefix = "node.session.auth.";
        if (values.GetValueOrDefault(Prefix + "authmethod") is null or "None")
        {
            return null;
        }

        ChapAccount? initiator = Account(
            values.GetValueOrDefault(Prefix + "username"), values.GetValueOrDefault(Prefix + "password"), "", file);
        ChapAccount? target = Account(
            values.GetValueOrDefault(Prefix + "username_in"), values.GetValueOrDefault(Prefix + "password_in"), "_in",
            file);
        return initiator is null
            ? throw Bad($"/{file} has {Prefix}authmethod = CHAP and no {Prefix}username")
            : new ChapCredentials(initiator, target);
    }

    private static ChapAccount? Account(string? user, string? secret, string suffix, string file) =>
        (user, secret) switch
        {
            (null, null) => null,
            ({ Length: > 0 }, { Length: > 0 }) => new ChapAccount(user, secret),
            _ => throw Bad($"/{file} has only one of username{suffix} and password{suffix}"),
        };

    /// <summary>Lines of name = value; null if there is no such file.</summary>
    private Dictionary<string, string>? Read(string file)
    {
        string path = Path.Combine(root, file);
        var values = new Dictionary<string, string>(StringComparer.Ordinal);
        try
        {
            if (!File.Exists(path))
            {
                return null;
            }

            if (new FileInfo(path).Length > LargestFile)
            {
                throw Bad($"/{file} is larger than {LargestFile} bytes");
            }

            foreach (string line in File.ReadLines(path))
            {
                int equals = line.IndexOf('=', StringComparison.Ordinal);
                if (equals > 0 && !line.TrimStart().StartsWith('#'))
                {
                    values[line[..equals].Trim()] = line[(equals + 1)..].Trim();
                }
            }
        }
        catch (Exception e) when (e is UnauthorizedAccessException or IOException and not IscsiException)
        {
            throw Bad($"/{file} cannot be read: {e.Message}");
        }

        return values;
    }

    private static IscsiException Bad(string message) => new(IscsiError.BadConfiguration, message);
}
