using System.Collections.Concurrent;
using BlockRepl.Configuration;
using BlockRepl.Core;
using BlockRepl.Core.Options;
using BlockRepl.Core.Protocol;
using BlockRepl.Core.State;
using BlockRepl.Daemon.Devices;
using BlockRepl.Daemon.Nodes;
using BlockRepl.FrontEnd;
using Microsoft.Extensions.Logging.Abstractions;

namespace BlockRepl.Administration.Tests;

/// <summary>Resources that only keep states: what the daemon's commands see.</summary>
internal sealed class FakeResources(DeviceSetup? devices = null) : IResourceFactory
{
    public ConcurrentDictionary<string, FakeResource> All { get; } = new();

    public int Starts { get; private set; }

    /// <summary>What disks wait for before they are attached.</summary>
    public Task AttachAfter { get; set; } = Task.CompletedTask;

    public IRunningResource Start(ResourceConfiguration configuration, GlobalSettings global)
    {
        Starts++;
        FakeResource resource = All[configuration.Name] = new FakeResource(configuration, AttachAfter);
        return devices is null ? resource : new DeviceResource(resource, configuration, devices, NullLogger.Instance);
    }
}

internal sealed class FakeResource : IRunningResource
{
    private readonly Lock _lock = new();
    private readonly Task _attachAfter;
    private VolumeStatus[] _volumes;

    public FakeResource(ResourceConfiguration configuration, Task attachAfter)
    {
        _attachAfter = attachAfter;
        Options = configuration.Options;
        _volumes = [.. configuration.Volumes.Select(volume => new VolumeStatus
        {
            Volume = volume.Number,
            Minor = volume.Minor,
            Connection = ConnectionState.StandAlone,
            Role = Role.Secondary,
            PeerRole = Role.Unknown,
            Disk = DiskState.Diskless,
            PeerDisk = DiskState.DUnknown,
            SizeSectors = 1000,
        })];
        Devices = [.. configuration.Volumes.Select(
            volume => new NamedVolume($"{configuration.Name}/{volume.Number}"))];
    }

    /// <summary>Answers instead of success, by command's type.</summary>
    public Dictionary<Type, CommandResult> Refusals { get; } = [];

    public CommandResult? AttachRefusal { get; set; }

    public List<AdminCommand> Commands { get; } = [];

    public bool IsDisposed { get; private set; }

    public int Observers { get; private set; }

    public IReadOnlyList<IVolumeDevice> Devices { get; }

    /// <summary>What the core would run with.</summary>
    public ResourceOptions Options { get; private set; }

    private event Action<IReadOnlyList<VolumeStatus>>? Changed;

    public event Action<IReadOnlyList<VolumeStatus>>? StatusChanged
    {
        add
        {
            Changed += value;
            Observers++;
        }

        remove
        {
            Changed -= value;
            Observers--;
        }
    }

    public void Change(Func<VolumeStatus, VolumeStatus> change)
    {
        lock (_lock)
        {
            _volumes = [.. _volumes.Select(change)];
        }

        Changed?.Invoke(_volumes);
    }

    /// <summary>The configuration that was taken over last.</summary>
    public ResourceConfiguration? Adopted { get; private set; }

    public void Adopt(ResourceConfiguration configuration, GlobalSettings global) => Adopted = configuration;

    public async Task<CommandResult> AttachAsync(int volume)
    {
        await _attachAfter;
        if (AttachRefusal is { } refusal)
        {
            return refusal;
        }

        if (_volumes.Single(status => status.Volume == volume).Disk != DiskState.Diskless)
        {
            return new CommandResult(124, "attached already; detach first.");
        }

        Change(status => status.Volume == volume ? status with { Disk = DiskState.UpToDate } : status);
        return CommandResult.Success;
    }

    private CommandResult Replace(ResourceOptions options)
    {
        bool connecting = _volumes.Any(status => status.Connection != ConnectionState.StandAlone);
        if (connecting && !options.Net.ConnectsLike(Options.Net))
        {
            return new CommandResult(ErrorNumber.NetConfigured, "connected");
        }

        if (Options.Volumes.Zip(options.Volumes).Any(pair => !pair.Second.Disk.AttachesLike(pair.First.Disk)))
        {
            return new CommandResult(ErrorNumber.DiskConfigured, "attached");
        }

        Options = options;
        return CommandResult.Success;
    }

    public Task<CommandResult> ExecuteAsync(AdminCommand command)
    {
        lock (_lock)
        {
            Commands.Add(command);
        }

        if (Refusals.TryGetValue(command.GetType(), out CommandResult refusal))
        {
            return Task.FromResult(refusal);
        }

        switch (command)
        {
            case AdminCommand.SetOptions set:
                return Task.FromResult(Replace(set.Options));
            case AdminCommand.Connect:
                Change(status => status with
                {
                    Connection = ConnectionState.WFConnection,
                    Protocol = ReplicationProtocol.C,
                });
                break;
            case AdminCommand.Disconnect:
                Change(status => status with { Connection = ConnectionState.StandAlone, Protocol = null });
                break;
            case AdminCommand.Detach detach:
                Change(status => status.Volume == detach.Volume ? status with { Disk = DiskState.Diskless } : status);
                break;
            case AdminCommand.SetRole role:
                Change(status => status with { Role = role.Primary ? Role.Primary : Role.Secondary });
                break;
        }

        return Task.FromResult(CommandResult.Success);
    }

    public Task<IReadOnlyList<VolumeStatus>> GetStatusAsync()
    {
        lock (_lock)
        {
            return Task.FromResult<IReadOnlyList<VolumeStatus>>(_volumes);
        }
    }

    public void Dispose() => IsDisposed = true;
}
