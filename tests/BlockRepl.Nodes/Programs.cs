namespace BlockRepl.Nodes;

/// <summary>
/// Where the programs under test are: the folder that the environment variable BLOCKREPL_BIN names, else what was built
/// together with the caller, in the same configuration.
/// </summary>
public static class Programs
{
    public static string Daemon { get; } = Find("BlockRepl.Daemon", "blockrepld");

    public static string Commands { get; } = Find("BlockRepl.Cli", "blockrepl");

    /// <summary>The folder of drbdadm, drbdsetup and drbdmeta: they are beside the program that they fall back
    /// to.</summary>
    public static string Tools { get; } = Path.GetDirectoryName(Commands)!;

    /// <summary>The folder that holds BlockRepl.sln.</summary>
    public static string RepositoryRoot { get; } = FindRoot();

    private static string Find(string project, string program)
    {
        string folder = Environment.GetEnvironmentVariable("BLOCKREPL_BIN")
            ?? Path.Combine(FindRoot(), "src", project, "bin", Configuration(), "net10.0");
        return Path.Combine(folder, program);
    }

    private static string Configuration() =>
        AppContext.BaseDirectory.Contains("/Release/", StringComparison.Ordinal) ? "Release" : "Debug";

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
}
