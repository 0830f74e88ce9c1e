using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;
using BlockRepl.Platform.Devices;
using Microsoft.Extensions.Logging;

namespace BlockRepl.FrontEnd.Devices;

/// <summary>Devices by the kernel's ublk driver: /dev/ublkbN, whose requests come over the volume's ring.</summary>
/// <remarks>
/// The kernel lets requests wait for the next server without limit. Where they shall not, a keeper process ends the
/// device when no daemon was connected to it for long enough.
/// </remarks>
public sealed class UblkFrontEnd(ILogger logger) : IDeviceFrontEnd, IDisposable
{
    private readonly DeviceWatch _watch = new(logger);

    public string Name => "ublk";

    public bool IsUsable(out string why) => KernelUblk.IsUsable(out why);

    /// <summary>A device that is in use stays: the next <see cref="Open"/> of its volume takes it over.</summary>
    public void CleanUp(string stateDirectory)
    {
        _watch.Reach(stateDirectory); // no device ends while this daemon runs
        var node = Identity(stateDirectory, "") >> 32;
        foreach (var device in KernelUblk.List())
        {
            if (device.Identity >> 32 != node)
            {
                continue;
            }

            var path = KernelUblk.PathOf(device.Index);
            if (DeviceHolders.Find(path) is { } holder)
            {
                Log.DeviceWaits(logger, path, holder.Words, stateDirectory);
            }
            else
            {
                KernelUblk.Stop(device.Index);
                KernelUblk.Delete(device.Index, wait: !device.IsDead); // a dead one may still be mounted
            }
        }
    }

    public bool IsWaiting(string stateDirectory, string volume)
    {
        var wanted = Identity(stateDirectory, volume);
        return KernelUblk.List().Any(device => device.Identity == wanted && !device.IsDead);
    }

    public IDeviceNode Open(IVolumeDevice volume, DeviceNodeOptions options)
    {
        var identity = Identity(options.StateDirectory, volume.Name);
        var node = UblkNode.Open(volume, options, identity, _watch.Drop, logger);
        _watch.Watch(
            options, volume.Name, volume.Name,
            (keeper, patience) => keeper.PutUblk(volume.Name, node.Index, identity, patience));
        return node;
    }

    public void Dispose() => _watch.Dispose();

    /// <summary>The node's mark in the upper half, the volume's in the lower.</summary>
    private static ulong Identity(string stateDirectory, string volume) =>
        ((ulong)Mark(stateDirectory) << 32) | Mark(volume);

    private static uint Mark(string text) =>
        BinaryPrimitives.ReadUInt32BigEndian(SHA256.HashData(Encoding.UTF8.GetBytes(text))) | 1;
}
