using System.Net;
using BlockRepl.Administration;
using BlockRepl.Configuration;
using BlockRepl.Core;
using BlockRepl.Core.MetaData;
using BlockRepl.Engine;
using BlockRepl.FrontEnd;
using Microsoft.Extensions.Logging;

namespace BlockRepl.Daemon.Nodes;

/// <summary>Starts resources in the engine.</summary>
internal sealed class EngineResourceFactory(NodeLocation location, NodeEvents events, ILoggerFactory loggers)
    : IResourceFactory
{
    public IRunningResource Start(ResourceConfiguration configuration, GlobalSettings global)
    {
        ILogger logger = loggers.CreateLogger(configuration.Name);
        var handlers = new HandlerProcess(location, configuration, global, events, logger);
        var options = new ResourceEngineOptions
        {
            Resource = configuration.Options,
            Disks = [.. configuration.Volumes.Select(DiskOf)],
            LocalAddress = EndPointOf(configuration.Own),
            PeerAddress = EndPointOf(configuration.Peer),
            Handlers = handlers.RunAsync,
            RecordFolder = location.RecordFolder,
        };
        return new EngineResource(ResourceEngine.Start(options, logger), handlers);
    }

    private static VolumeDisk DiskOf(VolumeConfiguration volume) => new(
        volume.Number,
        volume.DiskPath,
        volume.MetaDataKind,
        volume.MetaDataKind == MetaDataKind.Internal ? null : volume.MetaDiskPath,
        volume.MetaDiskIndex);

    private static IPEndPoint EndPointOf(HostEndpoint host) => new(IPAddress.Parse(host.Address), host.Port);
}

/// <summary>A resource in the engine.</summary>
internal sealed class EngineResource(ResourceEngine engine, HandlerProcess handlers) : IRunningResource
{
    public IReadOnlyList<IVolumeDevice> Devices => engine.Devices;

    public event Action<IReadOnlyList<VolumeStatus>>? StatusChanged
    {
        add => engine.StatusChanged += value;
        remove => engine.StatusChanged -= value;
    }

    public void Adopt(ResourceConfiguration configuration, GlobalSettings global) =>
        handlers.Adopt(configuration, global);

    public Task<CommandResult> AttachAsync(int volume) => engine.AttachAsync(volume);

    public Task<CommandResult> ExecuteAsync(AdminCommand command) => engine.ExecuteAsync(command);

    public Task<IReadOnlyList<VolumeStatus>> GetStatusAsync() => engine.GetStatusAsync();

    public void Dispose() => engine.Dispose();
}
