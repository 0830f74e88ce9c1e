using System.Net;
using BlockRepl.Administration;
using BlockRepl.Configuration;
using BlockRepl.Core;
using BlockRepl.Core.MetaData;
using BlockRepl.Core.State;
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

    public Task<CommandResult> ExecuteAsync(AdminCommand command) =>
        command is AdminCommand.SetRole { Primary: true, Force: false }
            ? PromoteAsync(command)
            : engine.ExecuteAsync(command);

    public Task<IReadOnlyList<VolumeStatus>> GetStatusAsync() => engine.GetStatusAsync();

    public void Dispose() => engine.Dispose();

    /// <summary>
    /// With fencing, a node that does not see its peer becomes Primary only after the fence-peer handler has seen to it
    /// that the peer cannot be.
    /// </summary>
    private async Task<CommandResult> PromoteAsync(AdminCommand command)
    {
        CommandResult result = await engine.ExecuteAsync(command);
        if (result.Code != (int)StateChangeResult.PrimaryNotOutdatedPeer)
        {
            return result;
        }

        IReadOnlyList<VolumeStatus> status = await engine.GetStatusAsync();
        int exitCode = await handlers.RunAsync(HandlerKind.FencePeer, status[0].Volume);
        status = await engine.GetStatusAsync();
        switch (exitCode)
        {
            case 3 or 4 or 5 or 7 when status.All(volume => volume.Disk == DiskState.UpToDate):
                // Force, with good disks, means no more than that the peer is out of the way.
                return await engine.ExecuteAsync(new AdminCommand.SetRole(Primary: true, Force: true));
            case 6:
                foreach (VolumeStatus volume in status)
                {
                    await engine.ExecuteAsync(new AdminCommand.Outdate(volume.Volume));
                }

                return result;
            default:
                return result;
        }
    }
}
