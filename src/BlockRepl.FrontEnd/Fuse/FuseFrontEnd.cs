using BlockRepl.FrontEnd.Devices;
using BlockRepl.Platform.Devices;
using Microsoft.Extensions.Logging;

namespace BlockRepl.FrontEnd.Fuse;

/// <summary>
/// Devices for kernels with neither ublk nor nbd: each volume is a file, served through /dev/fuse and mounted over a
/// file of the same name in the state directory, with a loop device on top.
/// </summary>
public sealed class FuseFrontEnd(ILogger logger) : IDeviceFrontEnd
{
    public string Name => "fuse";

    public bool IsUsable(out string why)
    {
        why = !Environment.IsPrivilegedProcess ? "only root can mount"
            : !File.Exists(FuseMount.DevicePath) ? $"there is no {FuseMount.DevicePath}; modprobe fuse"
            : !File.Exists(LoopDevice.ControlPath) ? $"there is no {LoopDevice.ControlPath}; modprobe loop"
            : "";
        return why.Length == 0;
    }

    public void CleanUp(string stateDirectory)
    {
        foreach (var (number, file) in LoopDevice.FindOver(stateDirectory))
        {
            var device = LoopDevice.PathOf(number);
            if (LoopDevice.Detach(number, file, force: true) == 0)
            {
                Log.FuseLeftOver(logger, device);
            }
            else
            {
                Log.FuseLeftOpen(logger, device, DeviceHolders.Find(device)?.Words ?? "not known by whom");
            }
        }

        foreach (var point in MountTable.PointsIn(stateDirectory).ToArray())
        {
            _ = FuseMount.Unmount(point);
        }

        if (Directory.Exists(stateDirectory))
        {
            Directory.Delete(stateDirectory, recursive: true);
        }
    }

    public IDeviceNode Open(IVolumeDevice volume, DeviceNodeOptions options)
    {
        var file = Path.Combine(options.StateDirectory, volume.Name.Replace('/', '-'));
        try
        {
            Directory.CreateDirectory(options.StateDirectory);
            File.WriteAllText(file, "");
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new DeviceNodeException(e.Message);
        }

        var node = new FuseNode(file, new FuseSession(volume, logger), volume);
        try
        {
            node.Make(options);
            return node;
        }
        catch
        {
            node.Dispose();
            throw;
        }
    }
}
