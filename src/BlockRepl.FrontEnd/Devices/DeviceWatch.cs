using BlockRepl.Platform.Devices;
using Microsoft.Extensions.Logging;

namespace BlockRepl.FrontEnd.Devices;

/// <summary>
/// A front end's connection to the keeper process that ends its devices, and has its descriptors, when this daemon has
/// gone. The keeper hears one daemon at a time, the one that came last. One that was killed is replaced within seconds.
/// </summary>
internal sealed class DeviceWatch : IDisposable
{
    private static readonly TimeSpan LookInterval = TimeSpan.FromSeconds(5);

    private readonly ILogger _logger;
    private readonly Lock _lock = new();
    private readonly Dictionary<string, Kept> _kept = new(StringComparer.Ordinal);
    private readonly Timer _timer;
    private DescriptorKeeper? _keeper;
    private bool _disposed;

    public DeviceWatch(ILogger logger)
    {
        _logger = logger;
        _timer = new Timer(_ => ReplaceKilled());
    }

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
            Keep(
                options.StateDirectory, name, keeper => put(keeper, patience),
                reason => Log.NotWatched(_logger, volume, reason));
        }
        else
        {
            Drop(name);
        }
    }

    /// <summary>Puts something into the keeper, and into any that has to take its place, until it is dropped.</summary>
    /// <param name="name">What <paramref name="put"/> names it.</param>
    /// <param name="failed">Gets the reason, each time.</param>
    public void Keep(string stateDirectory, string name, Action<DescriptorKeeper> put, Action<string> failed)
    {
        lock (_lock)
        {
            Put(stateDirectory, put, failed);
            _kept[name] = new Kept(stateDirectory, put, failed);
            LookIfAnythingIsKept();
        }
    }

    /// <summary>Puts something into the keeper, which is started if need be.</summary>
    /// <param name="failed">Gets the reason.</param>
    public void Put(string stateDirectory, Action<DescriptorKeeper> put, Action<string> failed)
    {
        lock (_lock)
        {
            if (_keeper is null or { HasGone: true })
            {
                Begin(stateDirectory, failed);
            }

            Try(put, failed);
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
            _kept.Remove(name);
            _keeper?.Drop(name);
            LookIfAnythingIsKept();
        }
    }

    public void Dispose()
    {
        lock (_lock)
        {
            _disposed = true;
            _timer.Dispose();
            _keeper?.Dispose();
        }
    }

    private void LookIfAnythingIsKept()
    {
        if (!_disposed)
        {
            _timer.Change(_kept.Count > 0 ? LookInterval : Timeout.InfiniteTimeSpan, LookInterval);
        }
    }

    /// <summary>
    /// The keeper also ends a connection when another daemon comes. That one waits for the end of this process first,
    /// so what is seen here is the keeper's end.
    /// </summary>
    private void ReplaceKilled()
    {
        lock (_lock)
        {
            if (!_disposed && _kept.Count > 0 && _keeper is { HasGone: true })
            {
                var stateDirectory = _kept.Values.First().StateDirectory;
                Begin(stateDirectory, reason => Log.KeeperNotStarted(_logger, reason));
                if (_keeper is not null)
                {
                    Log.KeeperReplaced(_logger, stateDirectory);
                }
            }
        }
    }

    /// <summary>A new keeper gets all that the old one had of this daemon.</summary>
    private void Begin(string stateDirectory, Action<string> failed)
    {
        _keeper?.Dispose();
        _keeper = null;
        try
        {
            Directory.CreateDirectory(stateDirectory);
            _keeper = DescriptorKeeper.Start(KeeperPath(stateDirectory));
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            failed(error.Message);
            return;
        }

        foreach (var kept in _kept.Values)
        {
            Try(kept.Put, kept.Failed);
        }
    }

    /// <summary>What a keeper refuses does not end the connection: without one it would end what it has.</summary>
    private void Try(Action<DescriptorKeeper> put, Action<string> failed)
    {
        if (_keeper is null)
        {
            return; // that it could not be started has been told
        }

        try
        {
            put(_keeper);
        }
        catch (KernelDeviceException error)
        {
            failed(error.Message);
        }
    }

    private sealed record Kept(string StateDirectory, Action<DescriptorKeeper> Put, Action<string> Failed);
}
