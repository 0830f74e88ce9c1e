namespace BlockRepl.Configuration;

/// <summary>A configuration file's text.</summary>
/// <param name="Path">The path as messages shall show it.</param>
/// <param name="Identity">Equal for equal files (the real path): a file is read once only.</param>
public sealed record ConfigurationFile(string Path, string Identity, string Text);

/// <summary>The way to the files; the only one: this assembly does no input or output itself.</summary>
public interface IConfigurationFiles
{
    /// <summary>Opens a file; null with the reason if that is not possible.</summary>
    ConfigurationFile? Open(string path, out string reason);

    /// <summary>
    /// Names, without the directory, of the files in a directory; empty if there is no such directory.
    /// </summary>
    IReadOnlyList<string> List(string directory);

    /// <summary>The same of the directories in it.</summary>
    IReadOnlyList<string> Folders(string directory);
}

/// <summary>Bounds on what a configuration may ask of the reader.</summary>
public static class ConfigurationLimits
{
    /// <summary>Characters of all files together; more is no configuration.</summary>
    public const int Characters = 1 << 20;

    /// <summary>Files of one configuration, and with it the depth of includes.</summary>
    public const int Files = 256;

    /// <summary>Resources of one configuration.</summary>
    public const int Resources = 1024;

    /// <summary>Hosts of one resource, and names of one host.</summary>
    public const int Hosts = 32;

    /// <summary>Volumes of one section.</summary>
    public const int Volumes = 256;

    /// <summary>Volumes of all hosts together, those included that the hosts take over from their resource.</summary>
    public const int HostVolumes = 16384;

    /// <summary>Options of one section, repetitions included.</summary>
    public const int Options = 1024;

    /// <summary>Characters of a bare word and of a quoted string, as in DRBD.</summary>
    public const int WordCharacters = 128;
    public const int QuotedCharacters = 255;
}
