using BlockRepl.FrontEnd.Devices;
using BlockRepl.Platform.Devices;
using Microsoft.Extensions.Logging;

namespace BlockRepl.FrontEnd.Fuse;

/// <summary>
/// Devices for kernels with neither ublk nor nbd: each volume is a file, served through /dev/fuse and mounted over a
/// file of the same name in the state directory, with a loop device on top. A keeper process holds the descriptors, so
/// that the kernel waits for the next daemon when this one dies.
/// </summary>
public sealed class FuseFrontEnd(ILogger logger) : IDeviceFrontEnd, IDisposable
{
    private readonly Lock _lock = new();

    /// <summary>Files of a dead daemon's devices that somebody has open.</summary>
    private readonly HashSet<string> _waiting = new(StringComparer.Ordinal);
    private readonly DeviceWatch _watch = new(logger);

    public string Name => "fuse";

    public bool IsUsable(out string why)
    {
        why = !Environment.IsPrivilegedProcess ? "only root can mount"
            : !File.Exists(FuseMount.DevicePath) ? $"there is no {FuseMount.DevicePath}; modprobe fuse"
            : !File.Exists(LoopDevice.ControlPath) ? $"there is no {LoopDevice.ControlPath}; modprobe loop"
            : "";
        return why.Length == 0;
    }

    /// <summary>A device that is in use stays, if it was kept: the next <see cref="Open"/> takes it over.</summary>
    public void CleanUp(string stateDirectory)
    {
        _watch.Reach(stateDirectory);
        foreach (var (number, file) in LoopDevice.FindOver(stateDirectory))
        {
            var device = LoopDevice.PathOf(number);
            var holder = DeviceHolders.Find(device)?.Words;
            if (holder is not null && _watch.Has(Path.GetFileName(file)))
            {
                Log.DeviceWaits(logger, device, holder, file);
                _waiting.Add(file);
            }
            else if (Remove(number, file))
            {
                Log.FuseLeftOver(logger, device);
            }
            else
            {
                Log.FuseLeftOpen(logger, device, holder ?? "not known by whom");
            }
        }

        foreach (var point in MountTable.PointsIn(stateDirectory).Except(_waiting).ToArray())
        {
            _ = FuseMount.Unmount(point);
        }

        if (Directory.Exists(stateDirectory))
        {
            DeleteFiles(stateDirectory);
        }
    }

    public bool IsWaiting(string stateDirectory, string volume)
    {
        lock (_lock)
        {
            return _waiting.Contains(FileOf(stateDirectory, volume));
        }
    }

    public IDeviceNode Open(IVolumeDevice volume, DeviceNodeOptions options)
    {
        var file = FileOf(options.StateDirectory, volume.Name);
        lock (_lock)
        {
            if (_waiting.Contains(file) && TakeOver(volume, file, options) is { } old)
            {
                return old;
            }
        }

        try
        {
            Directory.CreateDirectory(options.StateDirectory);
            File.WriteAllText(file, "");
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new DeviceNodeException(e.Message);
        }

        var session = new FuseSession(volume, logger);
        var node = new FuseNode(file, session, volume, _watch.Drop);
        try
        {
            node.Make(options);
        }
        catch
        {
            node.Dispose();
            throw;
        }

        if (session.CanResend)
        {
            Keep(node, volume, options);
        }
        else
        {
            Log.FuseNotKept(logger, volume.Name, "this kernel cannot give requests again (6.9 can)");
        }

        return node;
    }

    public void Dispose() => _watch.Dispose();

    private static string FileOf(string stateDirectory, string volume) =>
        Path.Combine(stateDirectory, volume.Replace('/', '-'));

    /// <summary>Nobody answers for the file: what waits for it shall fail, then the loop device can go.</summary>
    private static bool Remove(int number, string file)
    {
        _ = FuseMount.Abort(file);
        return LoopDevice.Detach(number, file, force: true) == 0;
    }

    /// <summary>A file that waits for its server is not touched.</summary>
    private void DeleteFiles(string stateDirectory)
    {
        foreach (var file in Directory.GetFileSystemEntries(stateDirectory))
        {
            if (!_waiting.Contains(file) && file != DeviceWatch.KeeperPath(stateDirectory))
            {
                _watch.Drop(Path.GetFileName(file));
                File.Delete(file);
            }
        }
    }

    /// <summary>Null: the device is dead after all.</summary>
    private FuseNode? TakeOver(IVolumeDevice volume, string file, DeviceNodeOptions options)
    {
        var found = LoopDevice.FindOver(Path.GetDirectoryName(file)!).Where(one => one.File == file).ToArray();
        if (found.Length == 1 && _watch.TryGet(Path.GetFileName(file), out var descriptor))
        {
            var node = new FuseNode(file, new FuseSession(volume, logger), volume, _watch.Drop);
            node.TakeOver(descriptor, found[0].Number);
            Keep(node, volume, options); // it may wait longer or shorter than it did
            _waiting.Remove(file);
            Log.DeviceTakenOver(logger, node.Path, volume.Name);
            return node;
        }

        foreach (var (number, _) in found)
        {
            Remove(number, file);
        }

        _ = FuseMount.Unmount(file);
        _waiting.Remove(file);
        return null;
    }

    private void Keep(FuseNode node, IVolumeDevice volume, DeviceNodeOptions options) => _watch.Keep(
        options.StateDirectory, node.Name, keeper => node.KeepIn(keeper, options.WaitForDaemon),
        reason => Log.FuseNotKept(logger, volume.Name, reason));
}
