namespace BlockRepl.Daemon.Devices;

/// <summary>What a device hands on of the disk below it.</summary>
internal static class BackingDisk
{
    /// <summary>Whether the kernel says that the disk has moving heads; false where it says nothing.</summary>
    public static bool IsRotational(string path)
    {
        try
        {
            string target = File.ResolveLinkTarget(path, returnFinalTarget: true)?.FullName ?? path;
            string folder = Path.Combine("/sys/class/block", Path.GetFileName(target));

            // A partition's queue is its disk's; the folder is a link, so the kernel has to resolve "..".
            string disk = File.Exists(Path.Combine(folder, "partition")) ? Path.Combine(folder, "..") : folder;
            return File.ReadAllText(Path.Combine(disk, "queue", "rotational")).Trim() == "1";
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            return false;
        }
    }
}
