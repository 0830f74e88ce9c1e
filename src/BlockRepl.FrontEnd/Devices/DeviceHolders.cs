using System.Globalization;

namespace BlockRepl.FrontEnd.Devices;

/// <summary>Who has a block device open, or one of its partitions.</summary>
/// <param name="Words">Such as "mounted on /mnt/data", "open in mkfs.ext4 (process 712)".</param>
/// <param name="MayBeBrief">Only processes: udev looks into each device that was closed, and is gone soon.</param>
public readonly record struct DeviceHolder(string Words, bool MayBeBrief);

/// <summary>
/// Finds those who hold a device: mount, swap, a device on top of it, a process. For words only: a holder in another
/// container may stay unseen, and one may come the next moment.
/// </summary>
public static class DeviceHolders
{
    private const string BlockClass = "/sys/class/block";

    /// <summary>The holders of a device, or null.</summary>
    /// <param name="devicePath">The kernel's node, such as /dev/loop3.</param>
    /// <param name="exceptProcess">A process that does not count.</param>
    public static DeviceHolder? Find(string devicePath, int exceptProcess = 0)
    {
        var parts = Parts(Path.GetFileName(devicePath));
        return Mount(parts, MountTable.OwnPath) ?? Swap(parts) ?? Stacked(parts) ?? Processes(parts, exceptProcess);
    }

    /// <summary>Name and number (major:minor) of the device and its partitions.</summary>
    private static Dictionary<string, string> Parts(string name)
    {
        var parts = new Dictionary<string, string>(StringComparer.Ordinal);
        var folder = Path.Combine(BlockClass, name);
        if (ReadLine(Path.Combine(folder, "dev")) is not { } number)
        {
            return parts;
        }

        parts[number] = name;
        foreach (var child in List(folder, directories: true))
        {
            if (File.Exists(Path.Combine(child, "partition")) && ReadLine(Path.Combine(child, "dev")) is { } inner)
            {
                parts[inner] = Path.GetFileName(child);
            }
        }

        return parts;
    }

    private static DeviceHolder? Mount(Dictionary<string, string> parts, string mountInfo)
    {
        foreach (var line in ReadLines(mountInfo))
        {
            if (MountTable.TryParse(line, out var number, out var place) && parts.ContainsKey(number))
            {
                return new DeviceHolder("mounted on " + place, MayBeBrief: false);
            }
        }

        return null;
    }

    private static DeviceHolder? Swap(Dictionary<string, string> parts)
    {
        foreach (var line in ReadLines("/proc/swaps"))
        {
            var name = Path.GetFileName(MountTable.Unescape(line.Split(' ', '\t')[0]));
            if (parts.ContainsValue(name))
            {
                return new DeviceHolder("used as swap; run: swapoff", MayBeBrief: false);
            }
        }

        return null;
    }

    private static DeviceHolder? Stacked(Dictionary<string, string> parts)
    {
        foreach (var name in parts.Values)
        {
            foreach (var holder in List(Path.Combine(BlockClass, name, "holders"), directories: true))
            {
                var above = ReadLine(Path.Combine(holder, "dm", "name")) ?? Path.GetFileName(holder);
                return new DeviceHolder("used by the block device " + above, MayBeBrief: false);
            }
        }

        return null;
    }

    /// <summary>Processes that have it open, in this mount namespace or another.</summary>
    private static DeviceHolder? Processes(Dictionary<string, string> parts, int exceptProcess)
    {
        var ownMounts = LinkTarget("/proc/self/ns/mnt");
        foreach (var process in List("/proc", directories: true))
        {
            var id = Path.GetFileName(process);
            if (!int.TryParse(id, NumberStyles.None, CultureInfo.InvariantCulture, out var number)
                || number == exceptProcess)
            {
                continue;
            }

            if (HasOpen(process, parts))
            {
                return new DeviceHolder($"open in {Command(process)} (process {id})", MayBeBrief: true);
            }

            if (LinkTarget(Path.Combine(process, "ns/mnt")) != ownMounts
                && Mount(parts, Path.Combine(process, "mountinfo")) is { } elsewhere)
            {
                return elsewhere with { Words = $"{elsewhere.Words}, as {Command(process)} (process {id}) sees it" };
            }
        }

        return null;
    }

    private static bool HasOpen(string process, Dictionary<string, string> parts)
    {
        foreach (var descriptor in List(Path.Combine(process, "fd"), directories: false))
        {
            if (LinkTarget(descriptor) is { } target && target.StartsWith("/dev/", StringComparison.Ordinal)
                && parts.ContainsValue(Path.GetFileName(target)))
            {
                return true;
            }
        }

        return false;
    }

    /// <summary>Null also if the process or its descriptor has gone meanwhile.</summary>
    private static string? LinkTarget(string path)
    {
        try
        {
            return new FileInfo(path).LinkTarget;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }

    private static string Command(string process) => ReadLine(Path.Combine(process, "comm")) ?? "?";

    private static string? ReadLine(string path) => ReadLines(path).FirstOrDefault();

    private static string[] ReadLines(string path)
    {
        try
        {
            return File.ReadAllLines(path);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return [];
        }
    }

    private static string[] List(string folder, bool directories)
    {
        try
        {
            return directories ? Directory.GetDirectories(folder) : Directory.GetFileSystemEntries(folder);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return [];
        }
    }
}
