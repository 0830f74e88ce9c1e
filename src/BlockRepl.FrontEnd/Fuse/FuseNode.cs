using BlockRepl.FrontEnd.Devices;
using BlockRepl.Platform.Devices;

namespace BlockRepl.FrontEnd.Fuse;

/// <summary>A volume's file and the loop device over it.</summary>
internal sealed class FuseNode(string file, FuseSession session, IVolumeDevice volume) : IDeviceNode
{
    private const int Busy = 16;

    /// <summary>How long the volume's loop may take to answer, and a session to end.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(10);

    private int _number = -1;
    private bool _mounted;
    private bool _serving;

    public string Path => LoopDevice.PathOf(_number);

    /// <summary>Goes through all steps; if it throws, <see cref="Dispose"/> takes back those that were done.</summary>
    /// <exception cref="DeviceNodeException">One failed.</exception>
    public void Make(DeviceNodeOptions options)
    {
        Require(
            FuseMount.TryMount(file, volume.Name, FuseSession.MaxTransferBytes, out var descriptor),
            $"mounting {file} (FUSE)");
        _mounted = true;
        var facts = Serve(new MessageChannel(volume.Loop, volume.Buffers, descriptor, session));
        var loop = new LoopDeviceOptions(facts.LogicalBlockBytes, options.Rotational, facts.CanZeroFast);
        Require(LoopDevice.TryAttach(file, loop, out var number), $"making a loop device of {file}");
        _number = number;

        // Without waiting: while I/O is suspended nothing can be read, and the role shall not wait for that.
        _ = LoopDevice.StartPartitionScan(number);
    }

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
    private VolumeFacts Serve(MessageChannel channel)
    {
        var answer = new TaskCompletionSource<(string Refusal, VolumeFacts Facts)>(
            TaskCreationOptions.RunContinuationsAsynchronously);
        var posted = volume.Loop.Post(() =>
        {
            if (session.TryOpen(out var facts, out var refusal))
            {
                session.Begin(channel);
            }

            answer.TrySetResult((refusal, facts));
        });
        if (!posted)
        {
            channel.Close();
            throw new DeviceNodeException("the resource has ended.");
        }

        // Should it come later after all, the end of the session is posted behind it.
        _serving = true;
        if (!answer.Task.Wait(Patience))
        {
            throw new DeviceNodeException($"{volume.Name}: the resource does not answer.");
        }

        if (answer.Task.Result.Refusal.Length > 0)
        {
            channel.Close();
            throw new DeviceNodeException(answer.Task.Result.Refusal + ".");
        }

        return answer.Task.Result.Facts;
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
