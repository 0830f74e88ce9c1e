using BlockRepl.Configuration;

namespace BlockRepl.Administration.Tools;

/// <summary>A main file that is not on the disk; everything that it includes is.</summary>
internal sealed class VirtualMainFile(string path, string text) : IConfigurationFiles
{
    private readonly SystemConfigurationFiles _disk = new();

    public ConfigurationFile? Open(string name, out string reason)
    {
        if (name != path)
        {
            return _disk.Open(name, out reason);
        }

        reason = "";
        return new ConfigurationFile(path, path, text);
    }

    public IReadOnlyList<string> List(string directory) => _disk.List(directory);

    public IReadOnlyList<string> Folders(string directory) => _disk.Folders(directory);
}
