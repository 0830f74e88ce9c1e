using BlockRepl.Administration.Tools;
using BlockRepl.Configuration;

namespace BlockRepl.Administration;

/// <summary>Configuration files on disk.</summary>
public sealed class SystemConfigurationFiles : IConfigurationFiles
{
    public ConfigurationFile? Open(string path, out string reason)
    {
        try
        {
            var info = new FileInfo(path);
            if (info.Exists && info.Length > ConfigurationLimits.Characters * 4L)
            {
                reason = "it is too large for a configuration";
                return null;
            }

            string text = File.ReadAllText(path);
            string identity = (info.ResolveLinkTarget(returnFinalTarget: true) ?? info).FullName;
            reason = "";
            return new ConfigurationFile(path, identity, text);
        }
        catch (Exception error) when (error is FileNotFoundException or DirectoryNotFoundException)
        {
            reason = "there is no such file";
        }
        catch (Exception error)
            when (error is IOException or UnauthorizedAccessException or NotSupportedException or ArgumentException)
        {
            reason = Directory.Exists(path) ? "it is a directory" : error.Message.TrimEnd('.');
        }

        return null;
    }

    public IReadOnlyList<string> List(string directory) => Names(directory, Directory.EnumerateFiles);

    public IReadOnlyList<string> Folders(string directory) => Names(directory, Directory.EnumerateDirectories);

    private static IReadOnlyList<string> Names(string directory, Func<string, IEnumerable<string>> enumerate)
    {
        try
        {
            return [.. enumerate(directory).Select(path => Path.GetFileName(path))];
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException or ArgumentException)
        {
            return [];
        }
    }

    /// <summary>Reads a node's configuration from disk.</summary>
    /// <exception cref="ConfigurationException">It cannot be used.</exception>
    public static NodeConfiguration Read(NodeLocation location) =>
        DrbdConfiguration.Read(location.ConfigPath, new SystemConfigurationFiles()).ForNode(
            location.Node, OwnAddress.Has);
}
