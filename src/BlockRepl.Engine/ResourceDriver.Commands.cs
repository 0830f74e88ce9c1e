using BlockRepl.Core;
using BlockRepl.Platform.Storage;

namespace BlockRepl.Engine;

/// <summary>The administrator's commands: from any thread to the loop and back.</summary>
internal sealed partial class ResourceDriver
{
    private const int ErrorOpenDisk = 104;
    private const int ErrorOpenMetaDisk = 105;
    private const int ErrorNoDisk = 138;

    /// <summary>
    /// Writes that the record has room for, with its head a mebibyte: many epochs of the usual size. A write is under
    /// way until the peer has flushed its epoch.
    /// </summary>
    private const int RecordSlots = 65532;

    private static readonly CommandResult Ended = new(ErrorNumber.UnknownResource, "the resource was taken down");

    private readonly Lock _commandLock = new();

    /// <summary>
    /// Commands that were not answered yet; guarded by the lock because <see cref="FailCommands"/> may run anywhere.
    /// </summary>
    private readonly Dictionary<ulong, TaskCompletionSource<CommandResult>> _commands = [];

    /// <summary>What else waits for the loop; set when it has ended.</summary>
    private readonly TaskCompletionSource _loopEnded = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private ulong _lastCommand;
    private bool _commandsEnded;

    public Task<CommandResult> ExecuteAsync(AdminCommand command)
    {
        if (command is AdminCommand.Attach)
        {
            return Task.FromResult(new CommandResult(ErrorNumber.InvalidRequest, "attach needs an open disk"));
        }

        return ExecuteOnLoop(command);
    }

    public async Task<CommandResult> AttachAsync(int volume)
    {
        if (!_volumes.TryGetValue(volume, out var device)
            || Options.Disks.FirstOrDefault(d => d.Volume == volume) is not { } place)
        {
            return new CommandResult(ErrorNoDisk, $"volume {volume} has no disk in the configuration");
        }

        if (!await Ask(() => Claim(device)).ConfigureAwait(false))
        {
            return new CommandResult(
                ErrorNumber.DiskConfigured, $"{device.Name} has a disk attached; detach it first");
        }

        VolumeDisks disks;
        try
        {
            disks = await Task.Run(() => VolumeDisks.Open(this, place, Loop, Accounts.Pool)).ConfigureAwait(false);
        }
        catch (Exception e) when (e is BlockDeviceException or VolumeDisks.MetaDeviceException)
        {
            Loop.Post(() => device.IsOpening = false);
            return new CommandResult(e is BlockDeviceException ? ErrorOpenDisk : ErrorOpenMetaDisk, e.Message);
        }

        return await AttachOpened(device, disks).ConfigureAwait(false);
    }

    public Task<IReadOnlyList<VolumeStatus>> GetStatusAsync() =>
        Ask<IReadOnlyList<VolumeStatus>>(() => Core.GetStatus(Loop.NowNs));

    public void CompleteCommand(CommandToken token, in CommandResult result)
    {
        _recorder.Record(Loop.NowNs, Flight.CompleteCommand, result.Code, token.Value);
        _statusDirty = true;
        TaskCompletionSource<CommandResult>? waiting;
        lock (_commandLock)
        {
            _commands.Remove(token.Value, out waiting);
        }

        waiting?.TrySetResult(result);
    }

    private static bool Claim(VolumeDevice device)
    {
        if (device.Disks is not null || device.IsOpening)
        {
            return false;
        }

        device.IsOpening = true;
        return true;
    }

    private async Task<CommandResult> AttachOpened(VolumeDevice device, VolumeDisks disks)
    {
        var (record, survivors) = OpenRecord(device);
        var result = await ExecuteOnLoop(new AdminCommand.Attach(device.Volume, disks.Describe(), survivors), () =>
        {
            device.IsOpening = false;
            device.Disks = disks;
            device.Record = record;
        }).ConfigureAwait(false);
        if (!result.Succeeded)
        {
            Loop.Post(() =>
            {
                if (device.Disks == disks)
                {
                    CloseDisk(device.Volume);
                }
            });
        }

        return result;
    }

    /// <summary>
    /// The record of this volume, and what a process before this one left in it. Without one a crash costs more resync,
    /// nothing else.
    /// </summary>
    private (WriteRecordFile? Record, SurvivingWrites? Survivors) OpenRecord(VolumeDevice device)
    {
        if (Options.RecordFolder is not { } folder)
        {
            return (null, null);
        }

        try
        {
            WriteRecordFile.MakeFolder(folder);
            var path = Path.Combine(folder, $"{Options.Resource.Name}-{device.Volume}");
            var survivors = WriteRecordFile.Read(path);
            return (WriteRecordFile.Open(path, RecordSlots), survivors);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            Log.NoRecord(_logger, Options.Resource.Name, device.Volume, e.Message);
            return (null, null);
        }
    }

    private Task<CommandResult> ExecuteOnLoop(AdminCommand command, Action? before = null)
    {
        var answer = new TaskCompletionSource<CommandResult>(TaskCreationOptions.RunContinuationsAsynchronously);
        ulong token;
        lock (_commandLock)
        {
            if (_commandsEnded)
            {
                return Task.FromResult(Ended);
            }

            token = ++_lastCommand;
            _commands.Add(token, answer);
        }

        var posted = Loop.Post(() =>
        {
            before?.Invoke();
            _recorder.Record(Loop.NowNs, Flight.Command, 0, token);
            _coreTouched = true;
            Core.OnCommand(Loop.NowNs, new CommandToken(token), command);
        });
        if (!posted)
        {
            FailCommands();
        }

        return answer.Task;
    }

    private async Task<T> Ask<T>(Func<T> question)
    {
        var answer = new TaskCompletionSource<T>(TaskCreationOptions.RunContinuationsAsynchronously);
        if (Loop.Post(() => answer.TrySetResult(question())))
        {
            await Task.WhenAny(answer.Task, _loopEnded.Task).ConfigureAwait(false);
        }

        return answer.Task.IsCompleted
            ? await answer.Task.ConfigureAwait(false)
            : throw new ObjectDisposedException(Options.Resource.Name, "the resource was taken down");
    }

    /// <summary>Nobody answers any more: the loop has ended. From any thread.</summary>
    private void FailCommands()
    {
        TaskCompletionSource<CommandResult>[] waiting;
        lock (_commandLock)
        {
            _commandsEnded = true;
            waiting = [.. _commands.Values];
            _commands.Clear();
        }

        _loopEnded.TrySetResult();
        foreach (var answer in waiting)
        {
            answer.TrySetResult(Ended);
        }
    }
}
