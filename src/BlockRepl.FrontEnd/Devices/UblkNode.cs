using BlockRepl.Core;
using BlockRepl.Platform.Devices;
using BlockRepl.Platform.Loop;
using Microsoft.Extensions.Logging;
using Mono.Unix.Native;

namespace BlockRepl.FrontEnd.Devices;

/// <summary>
/// A ublk device. All its queues end on the volume's loop; there is more than one because the kernel divides its
/// processors among them. When this process dies the kernel keeps the device and its requests for the next one, which
/// finds it by its identity and gets again what was not answered.
/// </summary>
internal sealed class UblkNode : IDeviceNode
{
    private const int MaxQueues = 2;
    private const int Depth = 64;

    private static readonly TimeSpan EndOfRequests = TimeSpan.FromSeconds(5);

    private readonly IVolumeDevice _volume;
    private readonly Action<string> _onRemoved;
    private UblkQueue[] _queues = [];
    private UblkChannel? _channel;
    private bool _isOld;

    private UblkNode(IVolumeDevice volume, Action<string> onRemoved)
    {
        _volume = volume;
        _onRemoved = onRemoved;
    }

    public int Index { get; private set; } = -1;

    public string Path => KernelUblk.PathOf(Index);

    /// <param name="onRemoved">With the volume's name, when the device has gone.</param>
    public static UblkNode Open(
        IVolumeDevice volume, DeviceNodeOptions options, ulong identity, Action<string> onRemoved, ILogger logger)
    {
        if (volume.Loop.Backend != RingBackend.IoUring)
        {
            throw new DeviceNodeException("ublk needs io_uring, and BLOCKREPL_RING says epoll");
        }

        var node = new UblkNode(volume, onRemoved);
        try
        {
            var old = KernelUblk.List().Where(device => device.Identity == identity && !device.IsDead).ToArray();
            if (old is [var device, ..])
            {
                node.TakeOver(device);
                Log.DeviceTakenOver(logger, node.Path, volume.Name);
            }
            else
            {
                node.Make(options, identity);
            }

            return node;
        }
        catch (Exception error) when (error is KernelDeviceException or DeviceNodeException)
        {
            node.Undo();
            throw error as DeviceNodeException ?? new DeviceNodeException(error.Message);
        }
    }

    /// <summary>
    /// The exclusive claim keeps mounts away, so that only somebody who opens it without one between the look and the
    /// end would see errors.
    /// </summary>
    public bool TryRemove()
    {
        if (Index < 0)
        {
            return true;
        }

        var claim = Syscall.open(Path, OpenFlags.O_RDONLY | OpenFlags.O_EXCL | OpenFlags.O_CLOEXEC);
        if (claim < 0)
        {
            return false;
        }

        try
        {
            if (DeviceHolders.Find(Path, Environment.ProcessId) is not null)
            {
                return false;
            }

            KernelUblk.Stop(Index);
        }
        finally
        {
            _ = Syscall.close(claim);
        }

        Release(isUnused: true);
        return true;
    }

    public void Resize()
    {
        var facts = VolumeLoop.Describe(_volume);
        try
        {
            KernelUblk.Resize(Index, facts.SizeBytes);
        }
        catch (KernelDeviceException error)
        {
            throw new DeviceNodeException(error.IsNotSupported
                ? $"this kernel cannot change the size of {Path} while it is there (6.16 can): make the node Secondary "
                    + "and Primary again when nobody uses it"
                : error.Message);
        }
    }

    public void Dispose()
    {
        if (Index >= 0)
        {
            var isUnused = DeviceHolders.Find(Path) is null;
            FailAll();
            KernelUblk.Stop(Index);
            Release(isUnused);
        }
    }

    private void Make(DeviceNodeOptions options, ulong identity)
    {
        var queues = Math.Min(MaxQueues, Environment.ProcessorCount);
        var facts = OpenQueues(queues, Depth);
        var kernel = new KernelUblkOptions(
            facts.SizeBytes, facts.LogicalBlockBytes, identity, CoreLimits.MaxPayloadBytes, CoreLimits.MaxZeroBytes,
            options.Rotational, queues, Depth);
        Index = Add(kernel, options.Minor);
        Serve(queues, Depth);
        KernelUblk.Start(Index);
    }

    private void TakeOver(KernelUblkDevice device)
    {
        OpenQueues(device.Queues, device.Depth);
        OldServer.Outlast(() =>
        {
            KernelUblk.BeginRecovery(device.Index);
            return true;
        });
        (Index, _isOld) = (device.Index, true);
        Serve(device.Queues, device.Depth);
        KernelUblk.EndRecovery(Index);
    }

    private static int Add(KernelUblkOptions kernel, int minor)
    {
        try
        {
            return KernelUblk.Add(kernel, minor);
        }
        catch (KernelDeviceException error) when (error.IsBusy || error.IsTaken)
        {
            return KernelUblk.Add(kernel, -1);
        }
    }

    private VolumeFacts OpenQueues(int count, int depth)
    {
        VolumeFacts facts = default;
        for (var i = 0; i < count; i++)
        {
            var queue = new UblkQueue(_volume, depth, CoreLimits.MaxPayloadBytes, CoreLimits.MaxZeroBytes);
            (var granted, facts, var refusal) =
                VolumeLoop.Ask(_volume, () => (queue.TryOpen(out var f, out var r), f, r));
            if (!granted)
            {
                throw new DeviceNodeException(refusal);
            }

            _queues = [.. _queues, queue];
        }

        return facts;
    }

    private void Serve(int queues, int depth)
    {
        var channel = OldServer.Outlast(() => UblkChannel.Open(_volume.Loop, _volume.Buffers, Index, queues, depth));
        _channel = channel;
        VolumeLoop.Ask(_volume, () =>
        {
            for (var i = 0; i < _queues.Length; i++)
            {
                var number = i;
                _queues[i].Begin(handler => channel.Fetch(number, handler));
            }

            return true;
        });

        // What the kernel refuses it refuses in the turn that asks; a start would wait for it for ever.
        if (VolumeLoop.Ask(_volume, () => _queues.Any(queue => queue.HasEndedTags)))
        {
            throw new DeviceNodeException($"the kernel gives no requests of {Path}");
        }
    }

    private void FailAll()
    {
        foreach (var queue in _queues)
        {
            _ = _volume.Loop.Post(queue.Fail);
        }
    }

    /// <summary>After a failure on the way: nothing is left, but a device that was there before stays.</summary>
    private void Undo()
    {
        if (_channel is null)
        {
            foreach (var queue in _queues)
            {
                _ = _volume.Loop.Post(queue.Abandon);
            }

            if (Index >= 0 && !_isOld)
            {
                KernelUblk.Delete(Index, wait: true);
            }
        }
        else
        {
            Dispose();
        }
    }

    /// <summary>
    /// The channel is the kernel's until every tag has ended. The volume is closed when what runs was completed, so the
    /// wait for that has a limit: a resource whose I/O is suspended completes it only when it ends itself.
    /// </summary>
    private void Release(bool isUnused)
    {
        if (Task.WhenAll(_queues.Select(queue => queue.TagsEnded)).Wait(EndOfRequests))
        {
            _channel?.Dispose();
            KernelUblk.Delete(Index, wait: isUnused);
        }

        _ = Task.WhenAll(_queues.Select(queue => queue.Closed)).Wait(EndOfRequests);
        Index = -1;
        _onRemoved(_volume.Name);
    }
}
