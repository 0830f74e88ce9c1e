using BlockRepl.Platform.Devices;
using Microsoft.Extensions.Logging;

namespace BlockRepl.FrontEnd.Devices;

/// <summary>Devices by the kernel's NBD client: /dev/nbdN, connected to an <see cref="Nbd.NbdSession"/>.</summary>
/// <remarks>
/// A daemon that ends in favour of another leaves its connections, with what it had received of them, to a keeper
/// process. Of one that dies without a word nobody knows what it had received: its connections die too. The kernel
/// counts how long what comes then has waited, but not what was in flight: for that the keeper ends the device.
/// </remarks>
public sealed class NbdFrontEnd(ILogger logger) : IDeviceFrontEnd, IDisposable
{
    /// <summary>How long a connection waits for the next daemon; then the device waits for another.</summary>
    private static readonly TimeSpan WaitWithConnection = TimeSpan.FromSeconds(20);

    private readonly DeviceWatch _watch = new(logger);

    public string Name => "nbd";

    public bool IsUsable(out string why) => KernelNbd.IsUsable(out why);

    /// <summary>A device that is in use stays: the next <see cref="Open"/> of its volume takes it over.</summary>
    public void CleanUp(string stateDirectory)
    {
        _watch.Reach(stateDirectory); // no device ends while this daemon runs
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

    public IDeviceNode Open(IVolumeDevice volume, DeviceNodeOptions options)
    {
        var identifier = Identifier(options.StateDirectory, volume.Name);
        var node = NbdNode.Open(
            volume, options, identifier, Take(options.StateDirectory, volume.Name),
            connection => Leave(options.StateDirectory, volume.Name, connection), () => _watch.Drop(identifier),
            logger);
        _watch.Watch(
            options, volume.Name, identifier,
            (keeper, patience) => keeper.PutNbd(identifier, node.Index, patience));
        return node;
    }

    public void Dispose() => _watch.Dispose();

    private static string ReceivedPath(string stateDirectory, string volume) =>
        Path.Combine(stateDirectory, volume.Replace('/', '-') + ".received");

    /// <summary>What another daemon left for a device that is still there, or null.</summary>
    private NbdConnection? Take(string stateDirectory, string volume)
    {
        if (!_watch.TryGet(volume, out var descriptor))
        {
            return null;
        }

        _watch.Drop(volume);

        var path = ReceivedPath(stateDirectory, volume);
        try
        {
            var received = File.ReadAllBytes(path);
            File.Delete(path);
            if (IsWaiting(stateDirectory, volume))
            {
                return new NbdConnection(descriptor, received);
            }
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            Log.ConnectionNotLeft(logger, volume, error.Message);
        }

        KernelNbd.CloseEnd(descriptor);
        return null;
    }

    private void Leave(string stateDirectory, string volume, NbdConnection connection)
    {
        try
        {
            File.WriteAllBytes(ReceivedPath(stateDirectory, volume), connection.Received);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            Log.ConnectionNotLeft(logger, volume, error.Message);
            return;
        }

        _watch.Put(
            stateDirectory, keeper => keeper.Put(volume, connection.Descriptor, WaitWithConnection),
            reason => Log.ConnectionNotLeft(logger, volume, reason));
    }

    /// <summary>Names the node by its run directory, so that no other node on the machine takes the device.</summary>
    private static string Identifier(string stateDirectory, string volume) => $"blockrepl:{stateDirectory}:{volume}";
}

/// <summary>A connection that goes from one daemon to another.</summary>
/// <param name="Received">Bytes that were received from it and belong to no request that was begun.</param>
internal sealed record NbdConnection(int Descriptor, byte[] Received);
