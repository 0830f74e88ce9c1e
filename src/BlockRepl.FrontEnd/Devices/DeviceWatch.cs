using BlockRepl.Platform.Devices;
using Microsoft.Extensions.Logging;

namespace BlockRepl.FrontEnd.Devices;

/// <summary>
/// A front end's connection to the keeper process that ends its devices, and has its descriptors, when this daemon has
/// gone. The keeper hears one daemon at a time, the one that came last.
/// </summary>
internal sealed class DeviceWatch(ILogger logger) : IDisposable
{
    private readonly Lock _lock = new();
    private DescriptorKeeper? _keeper;

    /// <summary>The keeper's socket.</summary>
    public static string KeeperPath(string stateDirectory) => Path.Combine(stateDirectory, "keeper.sock");

    /// <summary>Connects with the keeper, if there is one: its patience begins anew when this daemon goes.</summary>
    public void Reach(string stateDirectory)
    {
        lock (_lock)
        {
            _keeper?.Dispose();
            _keeper = DescriptorKeeper.TryConnect(KeeperPath(stateDirectory));
        }
    }

    /// <summary>
    /// The device shall end if no daemon comes for as long as the options say; or not, whatever an earlier daemon said.
    /// </summary>
    /// <param name="name">What <paramref name="put"/> names it.</param>
    public void Watch(
        DeviceNodeOptions options, string volume, string name, Action<DescriptorKeeper, TimeSpan> put)
    {
        if (options.WaitForDaemon is { } patience)
        {
            Put(
                options.StateDirectory, keeper => put(keeper, patience),
                reason => Log.NotWatched(logger, volume, reason));
        }
        else
        {
            Drop(name);
        }
    }

    /// <summary>Puts something into the keeper, which is started if need be.</summary>
    /// <param name="failed">Gets the reason.</param>
    public void Put(string stateDirectory, Action<DescriptorKeeper> put, Action<string> failed)
    {
        lock (_lock)
        {
            try
            {
                Directory.CreateDirectory(stateDirectory);
                _keeper ??= DescriptorKeeper.Start(KeeperPath(stateDirectory));
                put(_keeper);
            }
            catch (Exception error) when (error is IOException or UnauthorizedAccessException)
            {
                failed(error.Message);
                _keeper?.Dispose();
                _keeper = null; // the next one starts another
            }
        }
    }

    /// <summary>A descriptor of the same open file as the one that is kept under this name; it is kept on.</summary>
    public bool TryGet(string name, out int descriptor)
    {
        lock (_lock)
        {
            descriptor = -1;
            return _keeper is not null && _keeper.TryGet(name, out descriptor);
        }
    }

    /// <summary>Whether a descriptor is kept under this name.</summary>
    public bool Has(string name)
    {
        lock (_lock)
        {
            return _keeper is not null && _keeper.Has(name);
        }
    }

    public void Drop(string name)
    {
        lock (_lock)
        {
            _keeper?.Drop(name);
        }
    }

    public void Dispose() => _keeper?.Dispose();
}
