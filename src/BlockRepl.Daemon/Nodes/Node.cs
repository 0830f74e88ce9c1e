using System.Collections.Concurrent;
using BlockRepl.Administration;
using BlockRepl.Configuration;
using BlockRepl.Core;
using BlockRepl.Core.State;
using BlockRepl.FrontEnd;
using Microsoft.Extensions.Logging;

namespace BlockRepl.Daemon.Nodes;

/// <summary>A resource that is up, with the configuration it was brought up with.</summary>
internal sealed record UpResource(ResourceConfiguration Configuration, IRunningResource Running)
{
    public string Name => Configuration.Name;
}

/// <summary>
/// The resources that are up on this node, and the volumes that front ends find. Used from any thread.
/// </summary>
internal sealed class Node(
    NodeLocation location, IResourceFactory factory, NodeEvents events, ILogger<Node> logger) : IVolumeDirectory
{
    /// <summary>How long a client that was told to go may take before its resource is stopped without it.</summary>
    private static readonly TimeSpan OpenDeviceTime = TimeSpan.FromSeconds(10);

    /// <summary>How long a resource that is left may take for what is under way.</summary>
    private static readonly TimeSpan QuiesceTime = TimeSpan.FromSeconds(1);

    private static readonly TimeSpan OpenDevicePoll = TimeSpan.FromMilliseconds(50);

    private readonly ConcurrentDictionary<string, UpResource> _up = new(StringComparer.Ordinal);

    /// <summary>
    /// Held while a resource comes up or goes down; one for each name ever used, which configuration bounds.
    /// </summary>
    private readonly ConcurrentDictionary<string, SemaphoreSlim> _gates = new(StringComparer.Ordinal);

    /// <summary>Resources that are down only until they are up with another configuration.</summary>
    private readonly ConcurrentDictionary<string, TaskCompletionSource> _anew = new(StringComparer.Ordinal);

    private volatile bool _stopping;

    public NodeLocation Location => location;

    public NodeEvents Events => events;

    /// <summary>What is up, by name.</summary>
    public IReadOnlyList<UpResource> Up => [.. _up.Values.OrderBy(resource => resource.Name, StringComparer.Ordinal)];

    public UpResource? Find(string resource) => _up.GetValueOrDefault(resource);

    /// <summary>Reads the configuration again; remarks go to the log.</summary>
    /// <param name="path">Null: the node's own.</param>
    /// <exception cref="ConfigurationException">It cannot be used.</exception>
    public NodeConfiguration ReadConfiguration(string? path)
    {
        NodeConfiguration configuration = SystemConfigurationFiles.Read(
            path is null ? location : location with { ConfigPath = path });
        foreach (string remark in configuration.Warnings)
        {
            Log.ConfigurationRemark(logger, remark);
        }

        return configuration;
    }

    /// <summary>Begins to change whether a resource is up; ends with the returned object's disposal.</summary>
    public async Task<IDisposable> EnterAsync(string resource)
    {
        SemaphoreSlim gate = _gates.GetOrAdd(resource, _ => new SemaphoreSlim(1));
        await gate.WaitAsync();
        return new Finally(() => gate.Release());
    }

    /// <summary>
    /// The resource is down for a moment, until the returned object's disposal, and nobody shall find it so: a cluster
    /// manager would take it for a failure. Only between <see cref="EnterAsync"/> and its end.
    /// </summary>
    public IDisposable StartAnew(string resource)
    {
        TaskCompletionSource up = _anew[resource] = new(TaskCreationOptions.RunContinuationsAsynchronously);
        return new Finally(() =>
        {
            _anew.TryRemove(resource, out _);
            up.SetResult();
        });
    }

    /// <summary>Ends when no resource that is meant (null: any) is on its way from one configuration to another.
    /// </summary>
    public Task WhenUpAnewAsync(string? resource) =>
        Task.WhenAll(_anew.Where(known => resource is null || known.Key == resource).Select(known => known.Value.Task));

    /// <summary>
    /// The resource, started now unless it runs. One that runs without disk, connection and role is started anew, so
    /// that a corrected configuration counts. Only between <see cref="EnterAsync"/> and its end.
    /// </summary>
    public async Task<UpResource> StartAsync(ResourceConfiguration configuration, GlobalSettings global)
    {
        if (_up.TryGetValue(configuration.Name, out UpResource? known))
        {
            if (!(await known.Running.GetStatusAsync()).All(IsUnused))
            {
                return known;
            }

            Remove(known);
        }

        if (_stopping)
        {
            throw new IOException("the daemon is stopping.");
        }

        var resource = new UpResource(configuration, factory.Start(configuration, global));
        _up[configuration.Name] = resource;
        resource.Running.StatusChanged += OnStatusChanged;
        Events.StatusChanged();
        return resource;
    }

    /// <summary>
    /// A running resource has this configuration from now on; what is new in it for the core the core has been told.
    /// </summary>
    public void Adopt(UpResource resource, ResourceConfiguration configuration, GlobalSettings global)
    {
        resource.Running.Adopt(configuration, global);
        _up[resource.Name] = resource with { Configuration = configuration };
    }

    /// <summary>Forgets a resource and ends its loop.</summary>
    public void Remove(UpResource resource)
    {
        _up.TryRemove(resource.Name, out _);
        resource.Running.StatusChanged -= OnStatusChanged;
        resource.Running.Dispose();
        Events.StatusChanged();
    }

    /// <summary>Takes everything down but what is in use; nothing comes up any more.</summary>
    public async Task StopAllAsync(CancellationToken cancellation)
    {
        _stopping = true;
        await Task.WhenAll(Up.Select(resource => StopAsync(resource, cancellation)));
    }

    IVolumeDevice? IVolumeDirectory.Find(string name)
    {
        int slash = name.LastIndexOf('/');
        return slash > 0 ? Find(name[..slash])?.Running.Devices.FirstOrDefault(device => device.Name == name) : null;
    }

    public IReadOnlyList<string> ListNames() =>
        [.. Up.SelectMany(resource => resource.Running.Devices).Select(device => device.Name)];

    private void OnStatusChanged(IReadOnlyList<VolumeStatus> status) => Events.StatusChanged();

    /// <summary>As a resource is before anything was done with it.</summary>
    public static bool IsUnused(VolumeStatus status) =>
        status is { Connection: ConnectionState.StandAlone, Disk: DiskState.Diskless, Role: Role.Secondary };

    private async Task StopAsync(UpResource resource, CancellationToken cancellation)
    {
        const int deviceInUse = -12;
        using IDisposable gate = await EnterAsync(resource.Name);
        CommandResult result = default;
        try
        {
            long deadline = Environment.TickCount64 + (long)OpenDeviceTime.TotalMilliseconds;
            do
            {
                result = await resource.Running.ExecuteAsync(new AdminCommand.Down()).WaitAsync(cancellation);
                if (result.Code != deviceInUse)
                {
                    break;
                }

                await Task.Delay(OpenDevicePoll, cancellation);
            }
            while (Environment.TickCount64 < deadline);
        }
        catch (OperationCanceledException)
        {
            result = new CommandResult(0, "it takes too long");
        }
        catch (ObjectDisposedException)
        {
            return;
        }

        if (result.Code == deviceInUse)
        {
            // Who has it open would get errors. The kernel keeps the device for the next daemon, as after a kill.
            Log.DeviceLeft(logger, resource.Name, result.Message);
            _ = await Task.WhenAny(
                resource.Running.ExecuteAsync(new AdminCommand.Quiesce()), Task.Delay(QuiesceTime, cancellation));
            return;
        }

        if (!result.Succeeded)
        {
            Log.DownRefused(logger, resource.Name, result.Code, result.Message);
        }

        Remove(resource);
    }

    private sealed class Finally(Action action) : IDisposable
    {
        public void Dispose() => action();
    }
}
