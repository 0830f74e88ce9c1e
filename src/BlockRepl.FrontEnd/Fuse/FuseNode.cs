using BlockRepl.FrontEnd.Devices;
using BlockRepl.Platform.Devices;

namespace BlockRepl.FrontEnd.Fuse;

/// <summary>A volume's file and the loop device over it.</summary>
/// <param name="removed">Is told the file's name when the device has gone for good.</param>
internal sealed class FuseNode(string file, FuseSession session, IVolumeDevice volume, Action<string> removed)
    : IDeviceNode
{
    private const int Busy = 16;

    /// <summary>How long a session may take to end.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(10);

    private MessageChannel? _channel;
    private int _number = -1;
    private bool _mounted;
    private bool _serving;

    public string Path => LoopDevice.PathOf(_number);

    /// <summary>Under which the keeper has it.</summary>
    public string Name => System.IO.Path.GetFileName(file);

    /// <summary>Goes through all steps; if it throws, <see cref="Dispose"/> takes back those that were done.</summary>
    /// <exception cref="DeviceNodeException">One failed.</exception>
    public void Make(DeviceNodeOptions options)
    {
        Require(
            FuseMount.TryMount(file, volume.Name, FuseSession.MaxTransferBytes, out var descriptor),
            $"mounting {file} (FUSE)");
        _mounted = true;
        var facts = Serve(descriptor, again: false);
        var loop = new LoopDeviceOptions(facts.LogicalBlockBytes, options.Rotational, facts.CanZeroFast);
        Require(LoopDevice.TryAttach(file, loop, out var number), $"making a loop device of {file}");
        _number = number;

        // Without waiting: while I/O is suspended nothing can be read, and the role shall not wait for that.
        _ = LoopDevice.StartPartitionScan(number);
    }

    /// <summary>Goes on with the device of a dead daemon; if it throws, the device waits on.</summary>
    /// <param name="descriptor">Of the mount's messages; this node's from now on.</param>
    /// <exception cref="DeviceNodeException">The volume cannot be served.</exception>
    public void TakeOver(int descriptor, int number)
    {
        Serve(descriptor, again: true);
        (_mounted, _number) = (true, number);
        Resize();
    }

    /// <summary>Lets the keeper hold what the device hangs on, so that a successor finds it.</summary>
    /// <exception cref="KernelDeviceException">It cannot.</exception>
    public void KeepIn(DescriptorKeeper keeper, TimeSpan? patience) =>
        _channel!.KeepIn(keeper, Name, patience);

    public bool TryRemove()
    {
        var errno = _number >= 0 ? LoopDevice.Detach(_number, file, force: false) : 0;
        if (errno == Busy)
        {
            return false;
        }

        _number = -1;
        TakeDown();
        return true;
    }

    public void Resize()
    {
        if (_number >= 0)
        {
            Require(LoopDevice.Resize(_number, file), $"resizing {Path}");
        }
    }

    public void Dispose()
    {
        if (_mounted)
        {
            _ = FuseMount.Abort(file);
        }

        if (_number >= 0)
        {
            _ = LoopDevice.Detach(_number, file, force: true);
            _number = -1;
        }

        TakeDown();
    }

    private static void Require(int errno, string what)
    {
        if (errno != 0)
        {
            throw new DeviceNodeException($"{what} failed: {FuseMount.Describe(errno)} (error {errno}).");
        }
    }

    /// <summary>Opens the volume and lets its loop answer the kernel.</summary>
    private VolumeFacts Serve(int descriptor, bool again)
    {
        var channel = _channel = new MessageChannel(volume.Loop, volume.Buffers, descriptor, session);
        try
        {
            var (refusal, facts) = VolumeLoop.Ask(volume, () =>
            {
                if (session.TryOpen(out var open, out var why))
                {
                    session.Begin(channel, again);
                }

                return (why, open);
            });
            _serving = refusal.Length == 0;
            if (_serving)
            {
                return facts;
            }

            channel.Close();
            throw new DeviceNodeException(refusal + ".");
        }
        catch (DeviceNodeException) when (!_serving)
        {
            // Should the loop open it later after all, the end is posted behind that.
            if (!volume.Loop.Post(session.Stop))
            {
                channel.Close();
            }

            throw;
        }
    }

    /// <summary>Ends the session, then the mount, then the file.</summary>
    private void TakeDown()
    {
        if (_serving && volume.Loop.Post(session.Stop))
        {
            session.Ended.Wait(Patience);
        }

        if (_mounted)
        {
            _ = FuseMount.Unmount(file);
            _mounted = false;
        }

        removed(Name);
        try
        {
            File.Delete(file);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // An empty file in the run directory; the next device of this volume takes it over.
        }
    }
}
