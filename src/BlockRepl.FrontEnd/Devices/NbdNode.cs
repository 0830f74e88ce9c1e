using BlockRepl.FrontEnd.Nbd;
using BlockRepl.Platform.Devices;
using Microsoft.Extensions.Logging;

namespace BlockRepl.FrontEnd.Devices;

/// <summary>
/// A device of the kernel's NBD client. Its one connection is a pair of Unix sockets; the kernel has one end, a session
/// on the volume's loop the other. When this process dies the kernel keeps the device and its requests for the next
/// one, which finds it by its identifier and makes a new connection, or goes on with the old one if it was handed over.
/// When the connection dies and this process lives, it makes a new one itself.
/// </summary>
internal sealed class NbdNode : IDeviceNode
{
    /// <summary>Longer the one that takes over would not wait either.</summary>
    private static readonly TimeSpan EndOfRequests = TimeSpan.FromMilliseconds(300);

    private static readonly TimeSpan EndOfSession = TimeSpan.FromSeconds(5);

    private readonly IVolumeDevice _volume;
    private readonly KernelNbdOptions _kernel;
    private readonly Action<NbdConnection> _leave;
    private readonly Action _onRemoved;
    private readonly Action _died;
    private readonly ILogger _logger;
    private NbdSession? _session;
    private TaskCompletionSource _ended = new();
    private bool _leaving;

    private NbdNode(
        IVolumeDevice volume, DeviceNodeOptions options, string identifier, Action<NbdConnection> leave,
        Action onRemoved, ILogger logger)
    {
        _volume = volume;
        _leave = leave;
        _onRemoved = onRemoved;
        _died = options.Died;
        _logger = logger;
        var facts = VolumeLoop.Describe(volume);

        // Several connections are not offered: see KernelNbd.
        const NbdTransmissionFlags notHere = NbdTransmissionFlags.CanMultiConn | NbdTransmissionFlags.SendFastZero;
        var flags = NbdTransmissionFlags.Export & ~notHere;
        flags |= options.Rotational ? NbdTransmissionFlags.Rotational : 0;
        _kernel = new KernelNbdOptions(
            facts.SizeBytes, facts.LogicalBlockBytes, (ulong)flags, identifier, options.WaitForDaemon);
    }

    public int Index { get; private set; } = -1;

    public string Path => KernelNbd.PathOf(Index);

    /// <param name="old">A connection of this volume that another daemon left.</param>
    /// <param name="leave">Where this node's connection goes at a <see cref="HandOver"/>.</param>
    /// <param name="onRemoved">Called when the device has gone.</param>
    public static NbdNode Open(
        IVolumeDevice volume, DeviceNodeOptions options, string identifier, NbdConnection? old,
        Action<NbdConnection> leave, Action onRemoved, ILogger logger)
    {
        var node = new NbdNode(volume, options, identifier, leave, onRemoved, logger);
        node.Index = node.Connect(old, kernel => node.Adopt(kernel) ?? node.Make(kernel, options.Minor));
        return node;
    }

    /// <summary>
    /// The kernel itself ends the device when its last user, which is this call, closes it. Whoever opens it meanwhile
    /// keeps it.
    /// </summary>
    public bool TryRemove()
    {
        if (Index < 0)
        {
            return true;
        }

        try
        {
            using (File.OpenHandle(Path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite))
            {
                if (!KernelNbd.TrySetEndOnClose(_kernel, Index, end: true))
                {
                    return Forget();
                }
            }

            if (!KernelNbd.IsConnected(Index) || !KernelNbd.TrySetEndOnClose(_kernel, Index, end: false))
            {
                return Forget();
            }
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            return !KernelNbd.IsConnected(Index) && Forget();
        }

        return false;
    }

    public void Resize()
    {
        var facts = VolumeLoop.Describe(_volume);
        try
        {
            KernelNbd.Resize(_kernel with { SizeBytes = facts.SizeBytes }, Index);
        }
        catch (KernelDeviceException error)
        {
            throw new DeviceNodeException(error.Message);
        }
    }

    /// <summary>
    /// The session has ended, so whatever it had begun is done. Were it not, a write that the kernel sends again could
    /// be overtaken: done anew, answered, followed by another to the same place, and only then done the first time.
    /// </summary>
    public void Repair()
    {
        if (Index < 0 || _leaving || !_ended.Task.IsCompleted)
        {
            return;
        }

        Connect(null, kernel => TryReconnect(Index, kernel) ? Index : throw new DeviceNodeException(
            $"somebody else has ended {Path}: make the node Secondary and Primary again when nobody uses it"));
        Log.ConnectionRepaired(_logger, Path, _volume.Name);
    }

    public void HandOver()
    {
        _leaving = true;
        var left = new TaskCompletionSource<NbdConnection>(TaskCreationOptions.RunContinuationsAsynchronously);
        if (_volume.Loop.Post(() => _session!.HandOver((end, received) => left.TrySetResult(new(end, received))))
            && left.Task.Wait(EndOfRequests))
        {
            _leave(left.Task.Result);
        }
    }

    public void Dispose()
    {
        if (Index >= 0)
        {
            KernelNbd.Disconnect(Index);
            Forget();
        }
    }

    /// <summary>Opens the volume, and gives the kernel the other end of a connection.</summary>
    /// <param name="old">What another daemon left, or null: a new one is made.</param>
    /// <param name="give">Gets the kernel's end, or -1: it has it already. Returns the device's index.</param>
    private int Connect(NbdConnection? old, Func<int, int> give)
    {
        var session = OpenSession();
        var begun = false;
        try
        {
            var (own, kernel) = old is null ? KernelNbd.MakeConnection() : (old.Descriptor, -1);
            try
            {
                VolumeLoop.Ask(_volume, () =>
                {
                    session.Begin(own, old?.Received);
                    return true;
                });
                begun = true;
                return give(kernel);
            }
            finally
            {
                KernelNbd.CloseEnd(kernel); // the kernel has its own reference, if it took it
            }
        }
        catch (KernelDeviceException error)
        {
            EndSession(begun);
            throw new DeviceNodeException(error.Message);
        }
    }

    private NbdSession OpenSession()
    {
        var ended = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var session = new NbdSession(_volume, _logger, _ =>
        {
            ended.TrySetResult();
            _died();
        });
        var (granted, refusal) = VolumeLoop.Ask(_volume, () => (session.TryOpen(out _, out var refusal), refusal));
        if (!granted)
        {
            throw new DeviceNodeException(refusal);
        }

        (_session, _ended) = (session, ended);
        return session;
    }

    /// <summary>The index of the device that another process left for this volume, now with our connection.</summary>
    /// <param name="descriptor">The kernel's end of a new connection, or -1: it has the one that it had.</param>
    private int? Adopt(int descriptor)
    {
        foreach (var (index, identifier) in KernelNbd.Find(_kernel.Identifier))
        {
            if (identifier != _kernel.Identifier || (descriptor >= 0 && !TryReconnect(index, descriptor)))
            {
                continue;
            }

            KernelNbd.Resize(_kernel, index);
            Log.DeviceTakenOver(_logger, KernelNbd.PathOf(index), _volume.Name);
            return index;
        }

        return null;
    }

    /// <returns>False: the device was ended, and whoever still has it open sees errors.</returns>
    private bool TryReconnect(int index, int descriptor)
    {
        try
        {
            return OldServer.Outlast(() =>
            {
                KernelNbd.Reconnect(_kernel, index, descriptor);
                return true;
            });
        }
        catch (KernelDeviceException error) when (error.IsNotSupported)
        {
            return false;
        }
    }

    private int Make(int descriptor, int minor)
    {
        try
        {
            return KernelNbd.Connect(_kernel, minor, descriptor);
        }
        catch (KernelDeviceException error) when (error.IsBusy)
        {
            return KernelNbd.Connect(_kernel, -1, descriptor);
        }
    }

    private bool Forget()
    {
        Index = -1;
        _onRemoved();
        EndSession(connected: true);
        return true;
    }

    /// <summary>
    /// The session ends with its connection. It waits for requests under way, so the wait for it has a limit: a
    /// resource whose I/O is suspended answers them only when it ends itself.
    /// </summary>
    private void EndSession(bool connected)
    {
        if (!connected)
        {
            _ = _volume.Loop.Post(_session!.Abandon);
        }

        _ = _ended.Task.Wait(EndOfSession);
    }
}
