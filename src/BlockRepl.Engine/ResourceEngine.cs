using BlockRepl.Core;
using BlockRepl.FrontEnd;
using Microsoft.Extensions.Logging;

namespace BlockRepl.Engine;

/// <summary>
/// One resource, running: its loop, its core, its disks and streams. All members may be used from any thread; they post
/// to the loop and answer when it did. Starts diskless and StandAlone: attach and connect are commands, as for a kernel
/// resource.
/// </summary>
public sealed class ResourceEngine : IDisposable
{
    private readonly ResourceDriver _driver;

    private ResourceEngine(ResourceDriver driver) => _driver = driver;

    public string Name => _driver.Options.Resource.Name;

    /// <summary>The volumes as front ends see them, in ascending order of their numbers.</summary>
    public IReadOnlyList<IVolumeDevice> Devices => _driver.Devices;

    /// <summary>
    /// After something of <see cref="GetStatusAsync"/> other than a counter changed: the new status. Raised on a pool
    /// thread, one call after the other, in order; quick changes may be told in one.
    /// </summary>
    public event Action<IReadOnlyList<VolumeStatus>>? StatusChanged
    {
        add => _driver.Observers.StatusChanged += value;
        remove => _driver.Observers.StatusChanged -= value;
    }

    /// <summary>Starts the resource's loop.</summary>
    public static ResourceEngine Start(ResourceEngineOptions options, ILogger logger)
    {
        var driver = new ResourceDriver(options, logger);
        driver.Start();
        return new ResourceEngine(driver);
    }

    /// <summary>
    /// Opens the volume's disk (and meta-data device) exclusively, off the loop, and attaches it. A disk that cannot be
    /// opened answers 104 (ERR_OPEN_DISK) or 105 (ERR_OPEN_MD_DISK) with the reason.
    /// </summary>
    public Task<CommandResult> AttachAsync(int volume) => _driver.AttachAsync(volume);

    /// <summary>Hands a command to the core. Attach has a method of its own, because it opens the disk.</summary>
    public Task<CommandResult> ExecuteAsync(AdminCommand command) => _driver.ExecuteAsync(command);

    /// <summary>The status of every volume, in ascending order of their numbers.</summary>
    public Task<IReadOnlyList<VolumeStatus>> GetStatusAsync() => _driver.GetStatusAsync();

    /// <summary>
    /// Ends the loop at once: streams are cut, disks are closed when their I/O has ended. For an orderly end execute
    /// <see cref="AdminCommand.Down"/> before; without it a Primary leaves what a crash would leave, which attach
    /// repairs.
    /// </summary>
    public void Dispose() => _driver.Dispose();
}
