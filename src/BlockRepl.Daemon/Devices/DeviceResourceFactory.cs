using BlockRepl.Configuration;
using BlockRepl.Daemon.Nodes;
using Microsoft.Extensions.Logging;

namespace BlockRepl.Daemon.Devices;

/// <summary>Starts resources whose volumes have devices, if the node has a front end for that.</summary>
internal sealed class DeviceResourceFactory(IResourceFactory inner, DeviceService devices, ILoggerFactory loggers)
    : IResourceFactory
{
    public IRunningResource Start(ResourceConfiguration configuration, GlobalSettings global)
    {
        IRunningResource running = inner.Start(configuration, global);
        return devices.Setup is { } setup
            ? new DeviceResource(running, configuration, setup, loggers.CreateLogger(configuration.Name))
            : running;
    }
}
