using System.Diagnostics;
using System.Globalization;
using BlockRepl.Core;
using BlockRepl.Core.State;
using BlockRepl.Platform.Storage;

namespace BlockRepl.Daemon.Nodes;

/// <summary>What a resource was when its daemon gave it to the next one.</summary>
internal sealed record HandedOver(string Resource, bool IsPrimary, bool IsConnecting)
{
    public static HandedOver Of(string resource, IReadOnlyList<VolumeStatus> status) => new(
        resource,
        status.Any(volume => volume.Role == Role.Primary),
        status.Any(volume => volume.Connection != ConnectionState.StandAlone));
}

/// <summary>
/// The note that a daemon leaves for the one that takes its place: a line for boot and time, one for each resource. It
/// counts for seconds only: later the other node may have been made Primary.
/// </summary>
internal static class HandOver
{
    private static readonly TimeSpan GoodFor = TimeSpan.FromSeconds(20);

    public static void Write(string path, IEnumerable<HandedOver> resources) => File.WriteAllLines(path, [
        $"{Boot.Id}\t{Stopwatch.GetTimestamp().ToString(CultureInfo.InvariantCulture)}",
        .. resources.Select(r => $"{r.Resource}\t{r.IsPrimary}\t{r.IsConnecting}"),
    ]);

    /// <summary>Reads and removes it; nothing if there is none, or if it is too old.</summary>
    public static IReadOnlyList<HandedOver> Take(string path)
    {
        if (!File.Exists(path))
        {
            return [];
        }

        string[] lines = File.ReadAllLines(path);
        File.Delete(path);

        bool fresh = lines.Length > 0 && IsFresh(lines[0].Split('\t'));
        return fresh ? [.. lines.Skip(1).Select(Parse).OfType<HandedOver>()] : [];
    }

    private static bool IsFresh(string[] head) =>
        head.Length == 2 && head[0] == Boot.Id.ToString()
        && long.TryParse(head[1], NumberStyles.None, CultureInfo.InvariantCulture, out long written)
        && Stopwatch.GetElapsedTime(written) is var age && age >= TimeSpan.Zero && age < GoodFor;

    private static HandedOver? Parse(string line)
    {
        string[] fields = line.Split('\t');
        return fields.Length == 3 && bool.TryParse(fields[1], out bool primary)
            && bool.TryParse(fields[2], out bool connecting)
            ? new HandedOver(fields[0], primary, connecting)
            : null;
    }
}
