namespace BlockRepl.Configuration.Tests;

/// <summary>Configuration files in memory, or of a directory of samples.</summary>
internal sealed class MemoryFiles : Dictionary<string, string>, IConfigurationFiles
{
    public static MemoryFiles One(string text) => new() { ["/etc/drbd.conf"] = text };

    /// <summary>The sample files, as they would lie in /etc.</summary>
    public static MemoryFiles FromGolden() =>
        FromFolder(Path.Combine(AppContext.BaseDirectory, "golden", "config"), "/etc");

    public static MemoryFiles FromFolder(string folder, string shownAs)
    {
        var files = new MemoryFiles();
        foreach (string path in Directory.EnumerateFiles(folder, "*", SearchOption.AllDirectories))
        {
            files[$"{shownAs}/{Path.GetRelativePath(folder, path)}"] = File.ReadAllText(path);
        }

        return files;
    }

    public ConfigurationFile? Open(string path, out string reason)
    {
        string full = Path.GetFullPath(path);
        reason = "there is no such file";
        return TryGetValue(full, out string? text) ? new ConfigurationFile(path, full, text) : null;
    }

    public IReadOnlyList<string> List(string directory) =>
        [.. Keys.Where(path => Path.GetDirectoryName(path) == directory).Select(path => Path.GetFileName(path))];

    public IReadOnlyList<string> Folders(string directory)
    {
        string prefix = directory.TrimEnd('/') + "/";
        return
        [
            .. Keys.Where(path => path.StartsWith(prefix) && path.AsSpan(prefix.Length).Contains('/'))
                .Select(path => path[prefix.Length..path.IndexOf('/', prefix.Length)])
                .Distinct(),
        ];
    }

    public NodeConfiguration Read(string node) => DrbdConfiguration.Read("/etc/drbd.conf", this).ForNode(node);
}
