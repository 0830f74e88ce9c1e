using System.Globalization;

namespace BlockRepl.Fencing.Watch;

/// <summary>
/// Moves a process to the root of the control groups for processor time. A kernel that schedules real-time processes
/// by groups (version 1 of these) gives a new group no time for them: real-time priority cannot be had there.
/// </summary>
internal static class RootCgroup
{
    /// <param name="move">Null: only if the group of the process has no real-time.</param>
    /// <param name="cgroups">Where the control groups are mounted.</param>
    /// <param name="process">What the kernel says of the process: a folder below /proc.</param>
    /// <returns>What happened, for the log; null: nothing was to be done.</returns>
    public static string? Enter(
        bool? move, string cgroups = "/sys/fs/cgroup", string process = "/proc/self")
    {
        if (move == false)
        {
            return null;
        }

        var root = Path.Combine(cgroups, "cpu");
        try
        {
            if (FindGroup(Path.Combine(process, "cgroup")) is not { } group || group == "/"
                || ReadBudget(root + group) is not { } budget || (move is null && budget != "0"))
            {
                return null;
            }

            File.WriteAllText(
                Path.Combine(root, "cgroup.procs"), Environment.ProcessId.ToString(CultureInfo.InvariantCulture));
            return $"moved from the control group {group}, with {budget} us for real-time processes, to the root";
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException)
        {
            return $"cannot be moved to the root control group: {failure.Message}";
        }
    }

    /// <summary>The group in the hierarchy that has processor time; null under version 2.</summary>
    private static string? FindGroup(string file) => (
        from line in File.Exists(file) ? File.ReadAllLines(file) : []
        let parts = line.Split(':', 3)
        where parts.Length == 3 && parts[1].Split(',').Contains("cpu")
        select parts[2]).FirstOrDefault();

    /// <summary>Microseconds for real-time processes; null where they are not scheduled by groups.</summary>
    private static string? ReadBudget(string group)
    {
        var file = Path.Combine(group, "cpu.rt_runtime_us");
        return File.Exists(file) ? File.ReadAllText(file).Trim() : null;
    }
}
