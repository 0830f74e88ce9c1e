using BlockRepl.Administration;
using BlockRepl.Daemon.Devices;
using BlockRepl.Daemon.Nodes;
using BlockRepl.FrontEnd.Nbd;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace BlockRepl.Daemon.Hosting;

/// <summary>
/// Begins and ends the node's life: NBD server first, at the end NBD clients off, then every resource down.
/// </summary>
internal sealed class NodeService(
    DaemonOptions options,
    Node node,
    DeviceService devices,
    Resumption resumption,
    SystemdNotifier notifier,
    ILogger<NodeService> logger,
    ILogger<NbdServer> nbdLogger) : IHostedLifecycleService
{
    private NbdServer? _nbd;

    public async Task StartAsync(CancellationToken cancellationToken)
    {
        NodeLocation location = options.Location;
        Log.Starting(logger, DaemonHost.Version, location.Node, location.ConfigPath, location.RunDirectory);
        ProcessSetup.Protect(logger);
        devices.Start();
        try
        {
            _nbd = NbdServer.Start(
                new NbdServerOptions { UnixSocketPath = location.NbdSocketPath, TcpAddress = options.NbdTcp }, node,
                nbdLogger);
        }
        catch (IOException error)
        {
            throw new StartupException(error.Message);
        }

        await resumption.RunAsync();
    }

    /// <summary>The control socket listens too now.</summary>
    public Task StartedAsync(CancellationToken cancellationToken)
    {
        string up = string.Join(' ', node.Up.Select(resource => resource.Name));
        Log.Ready(logger, up.Length > 0 ? up : "nothing yet");
        notifier.Ready($"Node {options.Location.Node}; 'blockrepl status' shows its resources");
        return Task.CompletedTask;
    }

    public Task StoppingAsync(CancellationToken cancellationToken)
    {
        Log.Stopping(logger);
        notifier.Stopping();
        return Task.CompletedTask;
    }

    /// <summary>
    /// 1. No client may be left that believes in a device. 2. Each resource is demoted, says goodbye to its peer and
    /// closes its disk clean, so that the next start needs neither replay nor resync.
    /// </summary>
    public async Task StopAsync(CancellationToken cancellationToken)
    {
        _nbd?.Dispose();
        await node.StopAllAsync(cancellationToken);
    }

    public Task StartingAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StoppedAsync(CancellationToken cancellationToken)
    {
        Log.Stopped(logger);
        return Task.CompletedTask;
    }
}
