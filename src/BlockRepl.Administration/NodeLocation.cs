using System.Security.Cryptography;
using System.Text;

namespace BlockRepl.Administration;

/// <summary>
/// Which node a program speaks of: its configuration, its name in it, and where its daemon's sockets are.
/// </summary>
public sealed record NodeLocation
{
    public const string DefaultConfigPath = "/etc/drbd.conf";
    public const string DefaultRunDirectory = "/run/blockrepl";

    /// <summary>The variables of the environment that stand for the options.</summary>
    public const string ConfigVariable = "BLOCKREPL_CONFIG";
    public const string NodeVariable = "BLOCKREPL_NODE";
    public const string RunDirectoryVariable = "BLOCKREPL_RUN_DIR";

    private const string SharedMemory = "/dev/shm";
    private const string DrbdStateDirectory = "/var/lib/drbd";

    /// <summary>Longest path that fits into a Unix socket's address.</summary>
    public const int LongestSocketPath = 107;

    public required string ConfigPath { get; init; }

    public required string Node { get; init; }

    public required string RunDirectory { get; init; }

    public string ControlSocketPath => Path.Combine(RunDirectory, "control.sock");

    public string NbdSocketPath => Path.Combine(RunDirectory, "nbd.sock");

    /// <summary>
    /// Where the records of writes under way are: memory, always. On a disk a store into a mapped page waits for the
    /// file system's journal, again and again, in the thread that every write goes through.
    /// </summary>
    public string RecordFolder => IsInMemory(RunDirectory)
        ? Path.Combine(RunDirectory, "record")
        : Path.Combine(SharedMemory, "blockrepl-" + Convert.ToHexStringLower(
            SHA256.HashData(Encoding.UTF8.GetBytes(RunDirectory)))[..16]);

    /// <summary>Which resources are to go on, between two daemons.</summary>
    public string HandOverPath => Path.Combine(RunDirectory, "handover");

    /// <summary>Locked by the daemon as long as it lives.</summary>
    public string LockPath => Path.Combine(RunDirectory, "blockrepld.lock");

    /// <summary>The links to devices that the daemon has made.</summary>
    public string DeviceLinksPath => Path.Combine(RunDirectory, "device-links");

    /// <summary>
    /// How large a backing disk was, in DRBD's own file; beside the sockets for a node that has these in a place of its
    /// own, as several on one machine do.
    /// </summary>
    public string LastKnownDiskPath(int minor) => Path.Combine(
        RunDirectory == DefaultRunDirectory ? DrbdStateDirectory : RunDirectory, $"drbd-minor-{minor}.lkbd");

    /// <summary>An option that was given wins over the environment, which wins over the default.</summary>
    /// <param name="environment">Looks up an environment variable.</param>
    public static NodeLocation Resolve(
        string? configPath, string? node, string? runDirectory, Func<string, string?> environment)
    {
        return new NodeLocation
        {
            ConfigPath = Choose(configPath, ConfigVariable, DefaultConfigPath),
            Node = Choose(node, NodeVariable, HostName()),
            RunDirectory = Path.GetFullPath(Choose(runDirectory, RunDirectoryVariable, DefaultRunDirectory)),
        };

        string Choose(string? given, string variable, string fallback) =>
            given is { Length: > 0 } ? given : environment(variable) is { Length: > 0 } set ? set : fallback;
    }

    private static bool IsInMemory(string directory) =>
        Directory.Exists(directory) && new DriveInfo(directory).DriveFormat is "tmpfs" or "ramfs";

    /// <summary>What <c>uname -n</c> prints. The framework's machine name ends at the first dot.</summary>
    private static string HostName()
    {
        const string kernelName = "/proc/sys/kernel/hostname";
        return File.Exists(kernelName) ? File.ReadAllText(kernelName).Trim() : Environment.MachineName;
    }
}
