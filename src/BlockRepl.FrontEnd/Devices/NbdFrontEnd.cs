using BlockRepl.Platform.Devices;
using Microsoft.Extensions.Logging;

namespace BlockRepl.FrontEnd.Devices;

/// <summary>Devices by the kernel's NBD client: /dev/nbdN, connected to an <see cref="Nbd.NbdSession"/>.</summary>
public sealed class NbdFrontEnd(ILogger logger) : IDeviceFrontEnd
{
    /// <summary>Requests of a dead daemon wait so long for the next one; then they fail.</summary>
    internal static readonly TimeSpan WaitForDaemon = TimeSpan.FromSeconds(120);

    public string Name => "nbd";

    public bool IsUsable(out string why) => KernelNbd.IsUsable(out why);

    /// <summary>A device that is in use stays: the next <see cref="Open"/> of its volume takes it over.</summary>
    public void CleanUp(string stateDirectory)
    {
        foreach (var (index, identifier) in KernelNbd.Find(Identifier(stateDirectory, "")))
        {
            if (DeviceHolders.Find(KernelNbd.PathOf(index)) is { } holder)
            {
                Log.DeviceWaits(logger, KernelNbd.PathOf(index), holder.Words, identifier);
            }
            else
            {
                KernelNbd.Disconnect(index);
            }
        }
    }

    public bool IsWaiting(string stateDirectory, string volume)
    {
        var wanted = Identifier(stateDirectory, volume);
        return KernelNbd.Find(wanted).Any(device => device.Value == wanted);
    }

    public IDeviceNode Open(IVolumeDevice volume, DeviceNodeOptions options) =>
        NbdNode.Open(volume, options, Identifier(options.StateDirectory, volume.Name), logger);

    /// <summary>Names the node by its run directory, so that no other node on the machine takes the device.</summary>
    private static string Identifier(string stateDirectory, string volume) => $"blockrepl:{stateDirectory}:{volume}";
}
