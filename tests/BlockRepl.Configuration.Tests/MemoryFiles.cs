namespace BlockRepl.Configuration.Tests;

/// <summary>Configuration files in memory, or of a directory of samples.</summary>
internal sealed class MemoryFiles : Dictionary<string, string>, IConfigurationFiles
{
    public static string Golden => Path.Combine(AppContext.BaseDirectory, "golden", "config");

    public static MemoryFiles One(string text) => new() { ["/etc/drbd.conf"] = text };

    /// <summary>The sample files, as they would lie in /etc.</summary>
    public static MemoryFiles FromGolden()
    {
        var files = new MemoryFiles();
        foreach (string path in Directory.EnumerateFiles(Golden, "*.conf", SearchOption.AllDirectories))
        {
            files["/etc/" + Path.GetRelativePath(Golden, path)] = File.ReadAllText(path);
        }

        return files;
    }

    public ConfigurationFile? Open(string path, out string reason)
    {
        reason = "there is no such file";
        return TryGetValue(path, out string? text) ? new ConfigurationFile(path, path, text) : null;
    }

    public IReadOnlyList<string> List(string directory) =>
        [.. Keys.Where(path => Path.GetDirectoryName(path) == directory).Select(path => Path.GetFileName(path))];

    public NodeConfiguration Read(string node) => DrbdConfiguration.Read("/etc/drbd.conf", this).ForNode(node);
}
