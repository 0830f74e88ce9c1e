namespace BlockRepl.FrontEnd.Devices;

/// <summary>
/// One way to give a volume a block device of the kernel, to mount as if it were DRBD's. Its members block for as long
/// as the kernel takes, and the kernel reads the new device meanwhile: never call them on a volume's loop.
/// </summary>
public interface IDeviceFrontEnd
{
    /// <summary>As <c>--frontend</c> names it: ublk, nbd, fuse.</summary>
    string Name { get; }

    /// <summary>Whether this kernel and this process's rights suffice; if not, why in words.</summary>
    bool IsUsable(out string why);

    /// <summary>
    /// Takes away what a daemon with this state directory left in the kernel when it died. Called once, before any
    /// <see cref="Open"/>, also when the front end is not the chosen one.
    /// </summary>
    /// <param name="stateDirectory">Of this front end alone; may not exist. In the node's run directory.</param>
    void CleanUp(string stateDirectory);

    /// <summary>
    /// Whether a device of a dead daemon is in use and waits for the next <see cref="Open"/> of this volume.
    /// </summary>
    /// <param name="volume">RESOURCE/VOLUME.</param>
    bool IsWaiting(string stateDirectory, string volume);

    /// <summary>
    /// Opens the volume and makes a device of it. When it returns the device can be used; when it throws nothing is
    /// left and the volume is closed.
    /// </summary>
    /// <exception cref="DeviceNodeException">It cannot be made; the message says why and what to do.</exception>
    IDeviceNode Open(IVolumeDevice volume, DeviceNodeOptions options);
}

/// <summary>A block device that carries a volume. Used by one thread at a time, never by the volume's loop.</summary>
public interface IDeviceNode : IDisposable
{
    /// <summary>The kernel's node, such as /dev/ublkb0.</summary>
    string Path { get; }

    /// <summary>
    /// Takes the device away and closes the volume, unless somebody has it open: then nothing has changed. To be asked
    /// after <see cref="DeviceHolders"/> found none; it is this call that nobody can slip past.
    /// </summary>
    bool TryRemove();

    /// <summary>Tells the kernel, and through it a mounted file system, the volume's size of now.</summary>
    /// <exception cref="DeviceNodeException">The kernel refuses.</exception>
    void Resize();

    /// <summary>
    /// Brings the device back after <see cref="DeviceNodeOptions.Died"/>; else there is nothing to do.
    /// </summary>
    /// <exception cref="DeviceNodeException">It is gone; the message says why and what to do.</exception>
    void Repair()
    {
    }

    /// <summary>
    /// This process is about to end, with the device in use: what was begun is answered, and the next process finds the
    /// device so that it can go on at once. Nothing else may be asked of the node afterwards. Where the kernel gives
    /// requests again by itself there is nothing to do.
    /// </summary>
    void HandOver()
    {
    }

    /// <summary>
    /// Takes the device away from under whoever has it open, if it is still there: his I/O fails. Also after the volume
    /// has ended.
    /// </summary>
    new void Dispose();
}

/// <summary>What a device shall be like, as far as the volume does not say.</summary>
public sealed record DeviceNodeOptions
{
    /// <summary>Where the front end keeps what <see cref="IDeviceFrontEnd.CleanUp"/> needs to know.</summary>
    public required string StateDirectory { get; init; }

    /// <summary>The minor of the configuration, the N of drbdN: to be used as number where there is a choice.</summary>
    public int Minor { get; init; }

    /// <summary>
    /// How long requests wait for the next daemon when this one has died, then they fail; null: for ever.
    /// </summary>
    public TimeSpan? WaitForDaemon { get; init; }

    /// <summary>
    /// Told, on the volume's loop, when the device waits for <see cref="IDeviceNode.Repair"/>. Sometimes in vain.
    /// </summary>
    public Action Died { get; init; } = () => { };

    /// <summary>The backing disk has moving heads.</summary>
    public bool Rotational { get; init; }
}

/// <summary>A device cannot be made or changed; the message says why and what to do.</summary>
public sealed class DeviceNodeException(string message) : Exception(message);
