using BlockRepl.Administration;
using BlockRepl.Daemon.Hosting;
using BlockRepl.FrontEnd.Devices;
using Microsoft.Extensions.Logging;
using Mono.Unix;

namespace BlockRepl.Daemon.Devices;

/// <summary>The node's front end for devices, from the daemon's start on.</summary>
internal sealed class DeviceService(
    DaemonOptions options, IReadOnlyList<IDeviceFrontEnd> frontEnds, ILogger<DeviceService> logger)
{
    /// <summary>Null: no devices.</summary>
    public DeviceSetup? Setup { get; private set; }

    /// <summary>Takes away what a dead daemon of this run directory left, then chooses the front end.</summary>
    /// <exception cref="StartupException">The front end that was asked for cannot be used.</exception>
    public void Start()
    {
        NodeLocation location = options.Location;
        var links = new DeviceLinks(options.DeviceDirectory, location.DeviceLinksPath);
        try
        {
            links.CleanUp();
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            throw new StartupException(
                $"the links of an earlier daemon ({location.DeviceLinksPath}) cannot be removed: {error.Message}");
        }

        if (Environment.IsPrivilegedProcess)
        {
            foreach (IDeviceFrontEnd frontEnd in frontEnds)
            {
                frontEnd.CleanUp(StateDirectory(frontEnd));
            }
        }

        IDeviceFrontEnd? chosen =
            FrontEndChoice.Choose(options.FrontEnd, frontEnds, Environment.IsPrivilegedProcess, logger);
        Setup = chosen is null ? null : new DeviceSetup(chosen, links, StateDirectory(chosen));
    }

    /// <summary>Whether a dead daemon's device of this volume is in use and waits for a new one.</summary>
    /// <param name="volume">RESOURCE/VOLUME.</param>
    public bool IsWaiting(string volume) =>
        Setup is { } setup && setup.FrontEnd.IsWaiting(setup.StateDirectory, volume);

    /// <summary>Without symbolic links: the kernel knows paths as they are.</summary>
    private string StateDirectory(IDeviceFrontEnd frontEnd) =>
        Path.Combine(UnixPath.GetCompleteRealPath(options.Location.RunDirectory), frontEnd.Name);
}
