namespace BlockRepl.Fencing.CommandLine;

/// <summary>
/// The variables SBD_*: of the environment, else of the file that the service reads (/etc/default/sbd, on other
/// distributions /etc/sysconfig/sbd). So a command typed by hand knows the devices of the daemon.
/// </summary>
internal sealed class SettingsFile
{
    /// <summary>Names another file; /dev/null for none.</summary>
    public const string PathVariable = "BLOCKREPL_SBD_CONFIG";

    private static readonly string[] Places = ["/etc/default/sbd", "/etc/sysconfig/sbd"];

    private readonly Func<string, string?> _environment;
    private readonly Dictionary<string, string> _file = [];

    public SettingsFile(Func<string, string?> environment)
    {
        _environment = environment;
        var path = environment(PathVariable) ?? Array.Find(Places, File.Exists);
        if (path is not null && File.Exists(path))
        {
            Read(File.ReadLines(path));
        }
    }

    /// <summary>The value without leading blanks; null if it is not set or empty.</summary>
    public string? Get(string name)
    {
        var value = (_environment(name) ?? _file.GetValueOrDefault(name))?.TrimStart();
        return string.IsNullOrEmpty(value) ? null : value;
    }

    /// <summary>Whether a word means yes; anything unknown means no.</summary>
    public static bool IsTrue(string word) =>
        word.ToLowerInvariant() is "true" or "on" or "yes" or "y" or "1";

    private void Read(IEnumerable<string> lines)
    {
        foreach (var line in lines)
        {
            var text = line.Trim();
            var equals = text.IndexOf('=', StringComparison.Ordinal);
            if (text.StartsWith("SBD_", StringComparison.Ordinal) && equals > 0)
            {
                _file[text[..equals]] = Unquote(text[(equals + 1)..].Trim());
            }
        }
    }

    private static string Unquote(string value) =>
        value.Length >= 2 && value[0] is '"' or '\'' && value[^1] == value[0] ? value[1..^1] : value;
}
