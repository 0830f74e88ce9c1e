namespace BlockRepl.Tidy.Tests;

/// <summary>A text file of the repository, its path relative to the top.</summary>
public sealed record SourceFile(string Path, string Text)
{
    public string[] Lines { get; } = Text.Split('\n');

    public string Extension => System.IO.Path.GetExtension(Path);

    public bool IsIn(string folder) => Path.StartsWith(folder + "/", StringComparison.Ordinal);
}

/// <summary>All text files of the repository that a person wrote.</summary>
public static class SourceTree
{
    private static readonly string[] SkippedFolders =
        [".git", ".vs", "bin", "obj", "artifacts", "golden", "TestResults"];

    private static readonly string[] TextExtensions =
        [".cs", ".c", ".h", ".sh", ".md", ".csproj", ".props", ".targets", ".cmake", ".txt", ".conf", ".service", ""];

    /// <summary>The folder that holds BlockRepl.sln.</summary>
    public static string Root { get; } = FindRoot();

    public static IReadOnlyList<SourceFile> Files { get; } =
        Read(Root).OrderBy(f => f.Path, StringComparer.Ordinal).ToList();

    public static IEnumerable<SourceFile> WithExtension(params string[] extensions) =>
        Files.Where(f => extensions.Contains(f.Extension));

    /// <summary>The entry scripts have no extension: they are known by their first line.</summary>
    public static IEnumerable<SourceFile> Scripts =>
        Files.Where(f => f.Extension == ".sh" || f.Text.StartsWith("#!", StringComparison.Ordinal));

    public static IEnumerable<SourceFile> Code => WithExtension(".cs", ".c", ".h").Concat(Scripts);

    private static string FindRoot()
    {
        var folder = new DirectoryInfo(AppContext.BaseDirectory);
        while (folder is not null && !File.Exists(Path.Combine(folder.FullName, "BlockRepl.sln")))
        {
            folder = folder.Parent;
        }

        return folder?.FullName
            ?? throw new InvalidOperationException("no BlockRepl.sln above " + AppContext.BaseDirectory);
    }

    private static IEnumerable<SourceFile> Read(string folder)
    {
        foreach (string file in Directory.EnumerateFiles(folder))
        {
            string name = Path.GetRelativePath(Root, file);
            if (TextExtensions.Contains(Path.GetExtension(file)) && name != "LICENSE"
                && !File.ReadAllBytes(file).Contains((byte)0))
            {
                yield return new SourceFile(name, File.ReadAllText(file));
            }
        }

        foreach (string child in Directory.EnumerateDirectories(folder))
        {
            if (SkippedFolders.Contains(Path.GetFileName(child)))
            {
                continue;
            }

            foreach (SourceFile file in Read(child))
            {
                yield return file;
            }
        }
    }
}
