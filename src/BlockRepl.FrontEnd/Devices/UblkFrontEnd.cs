using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;
using BlockRepl.Platform.Devices;
using Microsoft.Extensions.Logging;

namespace BlockRepl.FrontEnd.Devices;

/// <summary>Devices by the kernel's ublk driver: /dev/ublkbN, whose requests come over the volume's ring.</summary>
public sealed class UblkFrontEnd(ILogger logger) : IDeviceFrontEnd
{
    public string Name => "ublk";

    public bool IsUsable(out string why) => KernelUblk.IsUsable(out why);

    /// <summary>A device that is in use stays: the next <see cref="Open"/> of its volume takes it over.</summary>
    public void CleanUp(string stateDirectory)
    {
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
                KernelUblk.Delete(device.Index);
            }
        }
    }

    public bool IsWaiting(string stateDirectory, string volume)
    {
        var wanted = Identity(stateDirectory, volume);
        return KernelUblk.List().Any(device => device.Identity == wanted);
    }

    public IDeviceNode Open(IVolumeDevice volume, DeviceNodeOptions options) =>
        UblkNode.Open(volume, options, Identity(options.StateDirectory, volume.Name), logger);

    /// <summary>The node's mark in the upper half, the volume's in the lower.</summary>
    private static ulong Identity(string stateDirectory, string volume) =>
        ((ulong)Mark(stateDirectory) << 32) | Mark(volume);

    private static uint Mark(string text) =>
        BinaryPrimitives.ReadUInt32BigEndian(SHA256.HashData(Encoding.UTF8.GetBytes(text))) | 1;
}
