using BlockRepl.Configuration;
using BlockRepl.FrontEnd.Devices;
using Mono.Unix.Native;

namespace BlockRepl.Daemon.Devices;

/// <summary>
/// The names under which a volume's device is found: drbdN, and drbd/by-res and drbd/by-disk as DRBD's udev rules make
/// them. Symbolic links to the kernel's node, kept in a record, so that the next daemon finds what a dead one left.
/// While a volume has no device drbdN is there all the same, as with DRBD: a block device that nobody serves, so that
/// opening it fails, and agents that look for it find it.
/// </summary>
/// <param name="sysfsDirectory">Where the kernel lists its block devices.</param>
internal sealed class DeviceLinks(
    string deviceDirectory, string recordPath, string sysfsDirectory = "/sys/class/block")
{
    private const UnixFileMode FolderMode = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute
        | UnixFileMode.GroupRead | UnixFileMode.GroupExecute | UnixFileMode.OtherRead | UnixFileMode.OtherExecute;

    /// <summary>In the record: not a link.</summary>
    private const string Unserved = "-";

    /// <summary>Of the unserved device: major 0, which no block device ever has.</summary>
    private const ulong UnservedNumber = 0;

    private const FilePermissions UnservedMode =
        FilePermissions.S_IFBLK | FilePermissions.S_IRUSR | FilePermissions.S_IWUSR;

    private readonly Lock _lock = new();

    /// <summary>Target by link.</summary>
    private readonly SortedDictionary<string, string> _made = new(StringComparer.Ordinal);

    /// <summary>The name that people use.</summary>
    public string MainPath(VolumeConfiguration volume) => Path.Combine(deviceDirectory, $"drbd{volume.Minor}");

    /// <summary>Removes the links of a daemon that died, as far as they still are what it made.</summary>
    public void CleanUp()
    {
        lock (_lock)
        {
            if (!File.Exists(recordPath))
            {
                return;
            }

            foreach (string line in File.ReadAllLines(recordPath))
            {
                string[] fields = line.Split('\t');
                if (fields.Length == 2)
                {
                    Delete(fields[0], fields[1]);
                }
            }

            File.Delete(recordPath);
        }
    }

    /// <exception cref="DeviceNodeException">A name is taken or cannot be made; none is left.</exception>
    public void Add(string resource, VolumeConfiguration volume, string target)
    {
        lock (_lock)
        {
            var made = new List<string>();
            try
            {
                foreach (string link in Names(resource, volume))
                {
                    Create(link, target);
                    made.Add(link);
                }

                Announce(target);
            }
            catch (Exception error) when (error is IOException or UnauthorizedAccessException or DeviceNodeException)
            {
                made.ForEach(Forget);
                throw error as DeviceNodeException ?? new DeviceNodeException(error.Message);
            }
        }
    }

    /// <summary>The device goes; the name that people use stays, without a device.</summary>
    public void Remove(string resource, VolumeConfiguration volume)
    {
        lock (_lock)
        {
            foreach (string link in Names(resource, volume))
            {
                Forget(link);
            }

            Reserve(volume);
        }
    }

    /// <summary>
    /// Makes the name that people use, without a device; nothing where it is taken or where only root could.
    /// </summary>
    public void Reserve(VolumeConfiguration volume)
    {
        string path = MainPath(volume);
        lock (_lock)
        {
            if (Syscall.lstat(path, out _) == 0)
            {
                return;
            }

            CreateFolder(deviceDirectory);
            _made[path] = Unserved;
            WriteRecord();
            if (Syscall.mknod(path, UnservedMode, UnservedNumber) != 0)
            {
                _made.Remove(path);
                WriteRecord();
            }
        }
    }

    /// <summary>The resource goes, and with it the name.</summary>
    public void Release(VolumeConfiguration volume)
    {
        lock (_lock)
        {
            Forget(MainPath(volume));
        }
    }

    private IEnumerable<string> Names(string resource, VolumeConfiguration volume)
    {
        yield return MainPath(volume);
        yield return Path.Combine(deviceDirectory, "drbd", "by-res", resource, $"{volume.Number}");

        // As udev: the path without /dev/.
        const string devices = "/dev/";
        string disk = volume.DiskPath.StartsWith(devices, StringComparison.Ordinal)
            ? volume.DiskPath[devices.Length..]
            : volume.DiskPath.TrimStart('/');
        yield return Path.Combine(deviceDirectory, "drbd", "by-disk", disk);
    }

    private void Create(string link, string target)
    {
        CreateFolder(Path.GetDirectoryName(link)!);
        if (_made.GetValueOrDefault(link) == Unserved)
        {
            Forget(link);
        }

        string? old = new FileInfo(link).LinkTarget;
        if (old is not null && !File.Exists(link))
        {
            File.Delete(link); // it leads nowhere: left by somebody who is gone
            _made.Remove(link);
        }
        else if (File.Exists(link) || Directory.Exists(link))
        {
            string what = old is null ? "" : $" (a link to {old})";
            throw new DeviceNodeException(
                $"{link} exists already{what} and is not this daemon's: is DRBD's kernel module loaded, or does "
                + "another node on this machine use the same --dev-dir? Remove it, or choose another --dev-dir.");
        }

        // First the record: a link without one would never be cleaned up, a record without a link does no harm.
        _made[link] = target;
        WriteRecord();
        File.CreateSymbolicLink(link, target);
    }

    /// <summary>
    /// udev saw the device before it had names: now it shall look again (Udev/60-blockrepl.rules). Without udev, or
    /// where the target is no device of the kernel's, there is nobody to be told.
    /// </summary>
    private void Announce(string target)
    {
        try
        {
            File.WriteAllText(Path.Combine(sysfsDirectory, Path.GetFileName(target), "uevent"), "change");
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
        }
    }

    /// <summary>Everybody may look at the names, whatever the daemon's umask.</summary>
    private static void CreateFolder(string folder)
    {
        if (!Directory.Exists(folder))
        {
            CreateFolder(Path.GetDirectoryName(folder)!);
            Directory.CreateDirectory(folder);
            File.SetUnixFileMode(folder, FolderMode);
        }
    }

    private void Forget(string link)
    {
        if (_made.Remove(link, out string? target))
        {
            Delete(link, target);
            WriteRecord();
        }
    }

    /// <summary>Deletes the link if it still is the one that was made, and the folders that it leaves empty.</summary>
    private void Delete(string link, string target)
    {
        if (target == Unserved ? IsUnserved(link) : new FileInfo(link).LinkTarget == target)
        {
            File.Delete(link);
        }

        string? folder = Path.GetDirectoryName(link);
        while (folder is not null && folder.Length > deviceDirectory.Length && Directory.Exists(folder)
            && !Directory.EnumerateFileSystemEntries(folder).Any())
        {
            Directory.Delete(folder);
            folder = Path.GetDirectoryName(folder);
        }
    }

    private static bool IsUnserved(string path) =>
        Syscall.lstat(path, out Stat found) == 0 && (found.st_mode & FilePermissions.S_IFMT) == FilePermissions.S_IFBLK
        && found.st_rdev == UnservedNumber;

    private void WriteRecord()
    {
        string next = recordPath + ".new";
        File.WriteAllLines(next, _made.Select(pair => $"{pair.Key}\t{pair.Value}"));
        File.Move(next, recordPath, overwrite: true);
    }
}
