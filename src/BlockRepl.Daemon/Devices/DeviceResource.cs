using BlockRepl.Configuration;
using BlockRepl.Core;
using BlockRepl.Core.Options;
using BlockRepl.Core.State;
using BlockRepl.Daemon.Nodes;
using BlockRepl.FrontEnd;
using BlockRepl.FrontEnd.Devices;
using Microsoft.Extensions.Logging;

namespace BlockRepl.Daemon.Devices;

/// <summary>What all resources of a node need to make devices.</summary>
/// <param name="StateDirectory">The front end's own.</param>
internal sealed record DeviceSetup(IDeviceFrontEnd FrontEnd, DeviceLinks Links, string StateDirectory);

/// <summary>
/// A resource whose volumes have devices while it is Primary. They come with the role (or with the size, if that
/// becomes known later), grow with the volume, and go before the role is given up; as long as one is held open it is
/// not given up, as with DRBD.
/// </summary>
internal sealed class DeviceResource : IRunningResource
{
    private const int DeviceInUse = (int)StateChangeResult.DeviceInUse;

    /// <summary>How long a holder is waited for that probably just looks at the device (udev).</summary>
    private static readonly TimeSpan BriefHold = TimeSpan.FromSeconds(2);

    private static readonly TimeSpan HoldPoll = TimeSpan.FromMilliseconds(50);

    /// <summary>
    /// How long a device waits for the next daemon if I/O without data shall fail: a supervisor has given up by then,
    /// and the kernel begins to complain of tasks that hang.
    /// </summary>
    private static readonly TimeSpan WaitForDaemon = TimeSpan.FromSeconds(120);

    private static readonly DeviceHolder Unseen = new("open in a process that cannot be seen from here", true);

    private readonly IRunningResource _inner;
    private volatile ResourceConfiguration _configuration;
    private readonly DeviceSetup _setup;
    private readonly ILogger _logger;

    /// <summary>Held while roles change and devices come or go.</summary>
    private readonly SemaphoreSlim _gate = new(1);

    private readonly Dictionary<int, ShownDevice> _shown = [];

    /// <summary>Volumes whose device could not be made: told once, not at each change of the status.</summary>
    private readonly HashSet<int> _failed = [];

    private int _reconcileAsked;
    private bool _disposed;

    public DeviceResource(
        IRunningResource inner, ResourceConfiguration configuration, DeviceSetup setup, ILogger logger)
    {
        _inner = inner;
        _configuration = configuration;
        _setup = setup;
        _logger = logger;
        inner.StatusChanged += OnStatusChanged;
        foreach (VolumeConfiguration volume in configuration.Volumes)
        {
            setup.Links.Reserve(volume);
        }
    }

    public IReadOnlyList<IVolumeDevice> Devices => _inner.Devices;

    public event Action<IReadOnlyList<VolumeStatus>>? StatusChanged
    {
        add => _inner.StatusChanged += value;
        remove => _inner.StatusChanged -= value;
    }

    private sealed record ShownDevice(VolumeConfiguration Volume, IDeviceNode Node)
    {
        public ulong SizeSectors { get; set; }
    }

    private sealed record HeldDevice(ShownDevice Shown, DeviceHolder Holder);

    public void Adopt(ResourceConfiguration configuration, GlobalSettings global)
    {
        _configuration = configuration;
        _inner.Adopt(configuration, global);
    }

    public Task<CommandResult> AttachAsync(int volume) => _inner.AttachAsync(volume);

    public Task<CommandResult> ExecuteAsync(AdminCommand command) => command switch
    {
        AdminCommand.SetRole { Primary: true } => PromoteAsync(command),
        AdminCommand.SetRole or AdminCommand.Down => DemoteAsync(command),
        AdminCommand.Quiesce => HandOverAsync(command),
        _ => _inner.ExecuteAsync(command),
    };

    public Task<IReadOnlyList<VolumeStatus>> GetStatusAsync() => _inner.GetStatusAsync();

    public void Dispose()
    {
        _inner.StatusChanged -= OnStatusChanged;
        _gate.Wait();
        try
        {
            _disposed = true;

            // The devices first: their I/O ends with an error instead of waiting for a resource that is gone.
            foreach (ShownDevice shown in _shown.Values)
            {
                _setup.Links.Remove(_configuration.Name, shown.Volume);
                shown.Node.Dispose();
            }

            _shown.Clear();
            foreach (VolumeConfiguration volume in _configuration.Volumes)
            {
                _setup.Links.Release(volume);
            }

            _inner.Dispose();
        }
        finally
        {
            _gate.Release();
        }
    }

    private async Task<CommandResult> PromoteAsync(AdminCommand command)
    {
        await _gate.WaitAsync();
        try
        {
            bool wasPrimary = (await _inner.GetStatusAsync()).Any(volume => volume.Role == Role.Primary);
            CommandResult result = await _inner.ExecuteAsync(command);
            if (!result.Succeeded)
            {
                return result;
            }

            _failed.Clear();
            if (await ReconcileAsync() is not { } problem)
            {
                return result;
            }

            // A Primary without its device is of no use to who asked for it, unless it was one before.
            bool back = !wasPrimary && await Task.Run(TryHideAll) is null
                && (await _inner.ExecuteAsync(new AdminCommand.SetRole(Primary: false, Force: false))).Succeeded;
            return new CommandResult(
                (int)StateChangeResult.UnknownError,
                $"{problem} The resource {(back ? "is Secondary again" : "stays Primary")}.");
        }
        finally
        {
            _gate.Release();
        }
    }

    /// <summary>secondary and down: the devices go first, so that nobody can open one that has no Primary.</summary>
    private async Task<CommandResult> DemoteAsync(AdminCommand command)
    {
        await _gate.WaitAsync();
        try
        {
            if (await HideAllAsync() is { } refusal)
            {
                await ReconcileAsync();
                return new CommandResult(DeviceInUse, $"({DeviceInUse}) {refusal}");
            }

            CommandResult result = await _inner.ExecuteAsync(command);
            if (!result.Succeeded)
            {
                await ReconcileAsync();
            }

            return result;
        }
        finally
        {
            _gate.Release();
        }
    }

    /// <summary>The process ends: first the devices take no request any more, then the resource.</summary>
    private async Task<CommandResult> HandOverAsync(AdminCommand command)
    {
        await _gate.WaitAsync();
        try
        {
            await Task.WhenAll(_shown.Values.Select(shown => Task.Run(shown.Node.HandOver)));
            return await _inner.ExecuteAsync(command);
        }
        finally
        {
            _gate.Release();
        }
    }

    /// <summary>Takes every device away. Not null: who has one open, in DRBD's words.</summary>
    private async Task<string?> HideAllAsync()
    {
        long deadline = Environment.TickCount64 + (long)BriefHold.TotalMilliseconds;
        while (await Task.Run(TryHideAll) is { } held)
        {
            if (!held.Holder.MayBeBrief || Environment.TickCount64 >= deadline)
            {
                return $"Device is held open by someone: {_setup.Links.MainPath(held.Shown.Volume)} "
                    + $"({held.Shown.Node.Path}) is {held.Holder.Words}. Unmount it, or end what uses it.";
            }

            await Task.Delay(HoldPoll);
        }

        return null;
    }

    private HeldDevice? TryHideAll()
    {
        foreach (ShownDevice shown in _shown.Values)
        {
            if (DeviceHolders.Find(shown.Node.Path) is { } holder)
            {
                return new HeldDevice(shown, holder);
            }
        }

        foreach (ShownDevice shown in _shown.Values.ToArray())
        {
            if (!shown.Node.TryRemove())
            {
                return new HeldDevice(shown, DeviceHolders.Find(shown.Node.Path) ?? Unseen);
            }

            _setup.Links.Remove(_configuration.Name, shown.Volume);
            _shown.Remove(shown.Volume.Number);
            Log.DeviceGone(_logger, _setup.Links.MainPath(shown.Volume));
        }

        return null;
    }

    private void OnStatusChanged(IReadOnlyList<VolumeStatus> status) => AskReconcile();

    private void AskReconcile()
    {
        if (Interlocked.Exchange(ref _reconcileAsked, 1) == 0)
        {
            _ = Task.Run(ReconcileSoonAsync);
        }
    }

    private async Task ReconcileSoonAsync()
    {
        await _gate.WaitAsync();
        try
        {
            Volatile.Write(ref _reconcileAsked, 0);
            await ReconcileAsync();
        }
        catch (ObjectDisposedException)
        {
            // The resource was taken down meanwhile.
        }
        finally
        {
            _gate.Release();
        }
    }

    /// <summary>
    /// Makes the devices that are missing, repairs those that died, corrects sizes. Not null: what went wrong first.
    /// </summary>
    private async Task<string?> ReconcileAsync()
    {
        if (_disposed)
        {
            return null;
        }

        IReadOnlyList<VolumeStatus> status = await _inner.GetStatusAsync();
        return await Task.Run(() =>
        {
            string? problem = null;
            foreach (VolumeStatus volume in status)
            {
                problem = problem ?? Reconcile(volume);
            }

            return problem;
        });
    }

    private string? Reconcile(VolumeStatus status)
    {
        VolumeConfiguration volume = _configuration.Volumes.First(known => known.Number == status.Volume);
        if (status.Role != Role.Primary)
        {
            _failed.Remove(status.Volume);
            return null;
        }

        if (status.SizeSectors == 0 || _failed.Contains(status.Volume))
        {
            return null;
        }

        try
        {
            if (!_shown.TryGetValue(status.Volume, out ShownDevice? shown))
            {
                Show(volume, status.SizeSectors);
                return null;
            }

            shown.Node.Repair();
            if (shown.SizeSectors != status.SizeSectors)
            {
                shown.SizeSectors = status.SizeSectors;
                shown.Node.Resize();
            }

            return null;
        }
        catch (DeviceNodeException error)
        {
            _failed.Add(status.Volume);
            string path = _setup.Links.MainPath(volume);
            Log.DeviceFailed(_logger, path, error.Message);
            return $"{path} cannot be made or changed: {error.Message}";
        }
    }

    private void Show(VolumeConfiguration volume, ulong sizeSectors)
    {
        string name = $"{_configuration.Name}/{volume.Number}";
        IVolumeDevice device = _inner.Devices.First(known => known.Name == name);
        IDeviceNode node = _setup.FrontEnd.Open(device, new DeviceNodeOptions
        {
            StateDirectory = _setup.StateDirectory,
            Minor = volume.Minor,
            Died = AskReconcile,
            Rotational = BackingDisk.IsRotational(volume.DiskPath),
            WaitForDaemon =
                _configuration.Options.OnNoDataAccessible == OnNoData.SuspendIo ? null : WaitForDaemon,
        });
        try
        {
            _setup.Links.Add(_configuration.Name, volume, node.Path);
        }
        catch
        {
            node.Dispose();
            throw;
        }

        _shown.Add(volume.Number, new ShownDevice(volume, node) { SizeSectors = sizeSectors });
        Log.DeviceShown(_logger, _setup.Links.MainPath(volume), node.Path, name);
    }
}
