using BlockRepl.Nodes;

namespace BlockRepl.Interop.Tests;

/// <summary>
/// One of the two nodes, in words that are the same for both, so that a script can be played with the roles exchanged.
/// Commands are drbdadm's; the volume is 0 unless one is given.
/// </summary>
internal abstract class Host(Disks disks, string handlerRecord)
{
    /// <summary>
    /// In a guest that waits for a processor drbdadm gives a step up too soon; a kernel has transient states; and that
    /// the last client has closed the device (-12) is noticed a moment later.
    /// </summary>
    private static readonly string[] PassingReasons = ["did not terminate within", "transient state", "(-12)"];

    /// <summary>Its name in drbd.conf and in messages.</summary>
    public abstract string Name { get; }

    public abstract bool HasPower { get; }

    /// <summary>Its backing disks, as files of this machine.</summary>
    public Disks Disks { get; } = disks;

    public abstract HostStatus Status(int volume = 0);

    public abstract Generations Generations(int volume = 0);

    /// <summary>Runs a command on resource r0 and lets it fail.</summary>
    public abstract ToolResult Try(string command, params string[] options);

    /// <summary>Repeats a command that is refused for a reason that passes by itself.</summary>
    /// <exception cref="InvalidOperationException">The command was refused.</exception>
    public string Do(string command, params string[] options)
    {
        ToolResult result = Try(command, options);
        for (int again = 0; again < 20 && PassingReasons.Any(r => Says(result, r)); again++)
        {
            if (command == "up")
            {
                // Half of it may be done.
                Try("down");
            }

            result = Try(command, options);
        }

        return result.OrThrow().Output;
    }

    /// <summary>Begins to write until it is stopped, the device fails, or the node has no power.</summary>
    public abstract Load StartLoad(LoadShape shape, int seed, int volume = 0);

    /// <summary>Ends it without any warning: the daemon is killed, the guest's power is cut.</summary>
    public abstract void PowerOff();

    /// <summary>Starts it again; the resource is not up yet.</summary>
    public abstract void PowerOn();

    /// <summary>Takes another configuration; the resource must be down.</summary>
    public abstract void Configure(string configuration);

    /// <summary>Has another configuration on its disk; what runs does not know of it.</summary>
    public abstract void WriteConfiguration(string configuration);

    /// <summary>Forgets resource and data: all disks are zero, nothing is configured.</summary>
    public abstract void Clear();

    /// <summary>MD5 of the first bytes of the device, as an application reads them; lower-case hexadecimal.</summary>
    public abstract string HashOfDevice(long byteCount);

    /// <summary>Size of the replicated device, as an application sees it.</summary>
    public abstract long DeviceBytes();

    /// <summary>How its configuration names a backing disk.</summary>
    public abstract string DiskPath(int disk);

    /// <summary>From now on requests that touch one of the sectors of 512 bytes fail below the node.</summary>
    /// <param name="sectors">None: all.</param>
    public void FailDisk(DiskFault fault, params long[] sectors) => DiskControl.Fail(Disks.Small, fault, sectors);

    /// <summary>Its disk is good again.</summary>
    public void MendDisk() => DiskControl.Mend(Disks.Small);

    /// <summary>Another size of a backing disk while it is in use.</summary>
    public abstract void ResizeDisk(int disk, long bytes);

    /// <summary>What stands below its first disk; ours only with <see cref="Configuration.DisksCanFail"/>.</summary>
    protected abstract QemuControl DiskControl { get; }

    /// <summary>Opens the device for writing, as a mount does, until it is disposed of.</summary>
    public abstract IDisposable HoldOpen();

    /// <summary>A file of the node's own, below the same path on both.</summary>
    public string HandlerRecord { get; } = handlerRecord;

    /// <summary>The handlers that wrote to <see cref="HandlerRecord"/>, in their order.</summary>
    public abstract string[] HandlersCalled();

    /// <summary>Reads from the device as an application does.</summary>
    /// <returns>Whether it succeeded.</returns>
    public abstract bool TryRead(long offset, int bytes);

    /// <summary>Writes to the device as an application does, a pattern made of the number.</summary>
    /// <returns>Whether it succeeded.</returns>
    public abstract bool TryWrite(long offset, int bytes, byte pattern);

    /// <summary>Gives up the content of a range of the device.</summary>
    public abstract void Discard(long offset, int bytes);

    /// <summary>Makes a range of the device read as zero.</summary>
    /// <param name="mayUnmap">Whether the space may be given up.</param>
    public abstract void WriteZeroes(long offset, int bytes, bool mayUnmap);

    /// <summary>What this node sends arrives nowhere; it hears the other.</summary>
    public abstract void Silence();

    public abstract void EndSilence();

    public void Up() => Do("up");

    public void Down() => Do("down");

    public void Primary() => Do("primary");

    public void Secondary() => Do("secondary");

    public void Connect() => Do("connect");

    public void Disconnect() => Do("disconnect");

    /// <summary>Writes so many times with each stream and waits for the end.</summary>
    public void Write(LoadShape shape, int seed, int volume = 0)
    {
        using Load load = StartLoad(shape, seed, volume);
        load.WaitForEnd();
    }

    public void WaitForSize(Func<long, bool> condition, int seconds = 30) =>
        Poll.Until(() => condition(DeviceBytes()), $"the size of {Name}", seconds, () => $"{DeviceBytes()} {Status()}");

    public void WaitFor(Func<HostStatus, bool> condition, string what, int seconds = 60, int volume = 0) =>
        Poll.Until(() => condition(Status(volume)), $"{what} on {Name}", seconds, () => $"{Name}: {Status(volume)}");

    private static bool Says(ToolResult result, string reason) =>
        !result.Succeeded && result.Everything.Contains(reason, StringComparison.Ordinal);
}
