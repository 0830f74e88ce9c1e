using BlockRepl.FrontEnd.Nbd;
using BlockRepl.Platform.Devices;
using Microsoft.Extensions.Logging;

namespace BlockRepl.FrontEnd.Devices;

/// <summary>
/// A device of the kernel's NBD client. Its one connection is a pair of Unix sockets; the kernel has one end, a session
/// on the volume's loop the other. When this process dies the kernel keeps the device and its requests for the next
/// one, which finds it by its identifier and makes a new connection, or goes on with the old one if it was handed over.
/// </summary>
internal sealed class NbdNode : IDeviceNode
{
    /// <summary>Longer the one that takes over would not wait either.</summary>
    private static readonly TimeSpan EndOfRequests = TimeSpan.FromMilliseconds(300);

    private static readonly TimeSpan EndOfSession = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan EndOfOldConnection = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan OldConnectionPoll = TimeSpan.FromMilliseconds(5);

    private readonly IVolumeDevice _volume;
    private readonly TaskCompletionSource _ended = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly NbdSession _session;
    private readonly KernelNbdOptions _kernel;
    private readonly Action<NbdConnection> _leave;
    private int _index = -1;

    private NbdNode(
        IVolumeDevice volume, DeviceNodeOptions options, string identifier, Action<NbdConnection> leave, ILogger logger)
    {
        _volume = volume;
        _leave = leave;
        _session = new NbdSession(volume, logger, _ => _ended.TrySetResult());
        var (granted, facts, refusal) =
            VolumeLoop.Ask(volume, () => (_session.TryOpen(out var facts, out var refusal), facts, refusal));
        if (!granted)
        {
            throw new DeviceNodeException(refusal);
        }

        // Several connections are not offered: see KernelNbd.
        const NbdTransmissionFlags notHere = NbdTransmissionFlags.CanMultiConn | NbdTransmissionFlags.SendFastZero;
        var flags = NbdTransmissionFlags.Export & ~notHere;
        flags |= options.Rotational ? NbdTransmissionFlags.Rotational : 0;
        _kernel = new KernelNbdOptions(
            facts.SizeBytes, facts.LogicalBlockBytes, (ulong)flags, identifier, options.WaitForDaemon);
    }

    public string Path => KernelNbd.PathOf(_index);

    /// <param name="old">A connection of this volume that another daemon left.</param>
    /// <param name="leave">Where this node's connection goes at a <see cref="HandOver"/>.</param>
    public static NbdNode Open(
        IVolumeDevice volume, DeviceNodeOptions options, string identifier, NbdConnection? old,
        Action<NbdConnection> leave, ILogger logger)
    {
        var node = new NbdNode(volume, options, identifier, leave, logger);
        var connected = false;
        try
        {
            var (own, kernel) = old is null ? KernelNbd.MakeConnection() : (old.Descriptor, -1);
            try
            {
                VolumeLoop.Ask(volume, () =>
                {
                    node._session.Begin(own, old?.Received);
                    return true;
                });
                connected = true;
                node._index = node.Adopt(kernel, logger) ?? node.Make(kernel, options.Minor);
            }
            finally
            {
                KernelNbd.CloseEnd(kernel); // the kernel has its own reference, if it took it
            }

            return node;
        }
        catch (KernelDeviceException error)
        {
            node.EndSession(connected);
            throw new DeviceNodeException(error.Message);
        }
    }

    /// <summary>
    /// The kernel itself ends the device when its last user, which is this call, closes it. Whoever opens it meanwhile
    /// keeps it.
    /// </summary>
    public bool TryRemove()
    {
        if (_index < 0)
        {
            return true;
        }

        try
        {
            using (File.OpenHandle(Path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite))
            {
                if (!KernelNbd.TrySetEndOnClose(_kernel, _index, end: true))
                {
                    return Forget();
                }
            }

            if (!KernelNbd.IsConnected(_index) || !KernelNbd.TrySetEndOnClose(_kernel, _index, end: false))
            {
                return Forget();
            }
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            return !KernelNbd.IsConnected(_index) && Forget();
        }

        return false;
    }

    public void Resize()
    {
        var facts = VolumeLoop.Describe(_volume);
        try
        {
            KernelNbd.Resize(_kernel with { SizeBytes = facts.SizeBytes }, _index);
        }
        catch (KernelDeviceException error)
        {
            throw new DeviceNodeException(error.Message);
        }
    }

    public void HandOver()
    {
        var left = new TaskCompletionSource<NbdConnection>(TaskCreationOptions.RunContinuationsAsynchronously);
        if (_volume.Loop.Post(() => _session.HandOver((end, received) => left.TrySetResult(new(end, received))))
            && left.Task.Wait(EndOfRequests))
        {
            _leave(left.Task.Result);
        }
    }

    public void Dispose()
    {
        if (_index >= 0)
        {
            KernelNbd.Disconnect(_index);
            Forget();
        }
    }

    /// <summary>The index of the device that another process left for this volume, now with our connection.</summary>
    /// <param name="descriptor">The kernel's end of a new connection, or -1: it has the one that it had.</param>
    private int? Adopt(int descriptor, ILogger logger)
    {
        foreach (var (index, identifier) in KernelNbd.Find(_kernel.Identifier))
        {
            if (identifier != _kernel.Identifier)
            {
                continue;
            }

            if (descriptor >= 0)
            {
                Reconnect(index, descriptor);
            }

            KernelNbd.Resize(_kernel, index);
            Log.DeviceTakenOver(logger, KernelNbd.PathOf(index), _volume.Name);
            return index;
        }

        return null;
    }

    /// <summary>The kernel needs a moment to see that the old connection is dead.</summary>
    private void Reconnect(int index, int descriptor)
    {
        var deadline = Environment.TickCount64 + (long)EndOfOldConnection.TotalMilliseconds;
        while (true)
        {
            try
            {
                KernelNbd.Reconnect(_kernel, index, descriptor);
                return;
            }
            catch (KernelDeviceException error) when (error.IsBusy && Environment.TickCount64 < deadline)
            {
                Thread.Sleep(OldConnectionPoll);
            }
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
        _index = -1;
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
            _ = _volume.Loop.Post(_session.Abandon);
        }

        _ = _ended.Task.Wait(EndOfSession);
    }
}
