using BlockRepl.Core.Options;
using BlockRepl.Core.Resource;
using BlockRepl.Core.State;

namespace BlockRepl.Core;

/// <summary>The administrator's commands: one at a time, each a script that ends with its answer.</summary>
public sealed partial class ResourceCore
{
    private const long RetryNs = 100_000_000;

    /// <summary>When the running command wants to look again although nothing happened.</summary>
    private long _commandDeadlineNs = long.MaxValue;

    public void OnCommand(long nowNs, CommandToken token, AdminCommand command)
    {
        NowNs = nowNs;
        ArgumentNullException.ThrowIfNull(command);
        _commands.Add(command.GetType().Name, Execute(token, command));
        RunScripts();
    }

    /// <summary>What became of a cluster-wide change.</summary>
    private sealed class Outcome
    {
        public StateChangeResult Result { get; set; } = StateChangeResult.UnknownError;

        /// <summary>Why the peer refused.</summary>
        public StateChangeResult PeerResult { get; set; }

        public CommandResult ToAnswer() => Result == StateChangeResult.FailedByPeer
            ? new CommandResult((int)Result, $"the peer refused: {PeerResult.Describe()}")
            : new CommandResult((int)Result, Result.Succeeded() ? "" : Result.Describe());
    }

    private IEnumerable<Func<bool>> Execute(CommandToken token, AdminCommand command)
    {
        CommandResult answer = new(0, "the command ended without a result");
        IEnumerable<Func<bool>> steps = command switch
        {
            AdminCommand.Attach c => RequireVolume(c.Volume).Attach(c.Disk, c.Survivors, r => answer = r),
            AdminCommand.Detach c => Detach(RequireVolume(c.Volume), c.Force, r => answer = r),
            AdminCommand.Connect c => Connect(c, r => answer = r),
            AdminCommand.Disconnect c => Disconnect(c.Force, r => answer = r),
            AdminCommand.SetRole c => SetRole(c.Primary, c.Force, r => answer = r),
            AdminCommand.Invalidate c => Invalidate(RequireVolume(c.Volume), c.Remote, r => answer = r),
            AdminCommand.Outdate c =>
                Simple(RequireVolume(c.Volume), StateRequest.OwnDisk(DiskState.Outdated), r => answer = r),
            AdminCommand.Verify c => Verify(c, r => answer = r),
            AdminCommand.PauseSync c => PauseSync(RequireVolume(c.Volume), c.Pause, r => answer = r),
            AdminCommand.SuspendIo c => SuspendIo(c.Suspend, r => answer = r),
            AdminCommand.NewCurrentUuid c =>
                RequireVolume(c.Volume).NewCurrentUuidCommand(c.ClearBitmap, r => answer = r),
            AdminCommand.Resize c => RequireVolume(c.Volume).Resize(c, r => answer = r),
            AdminCommand.SetOptions c => SetOptions(c.Options, r => answer = r),
            AdminCommand.Down => Down(r => answer = r),
            AdminCommand.Quiesce => Quiesce(r => answer = r),
            _ => throw new InvariantException("every command has its steps"),
        };
        foreach (Func<bool> wait in steps)
        {
            yield return wait;
        }

        // Follow-up work of the command is part of it: after "primary" the superblock says so, after "down" nothing
        // runs.
        yield return () => Worker.IsIdle || command is not AdminCommand.Down;
        _host.CompleteCommand(token, answer);
    }

    /// <summary>A change for which the peer is asked if the rules want it.</summary>
    private IEnumerable<Func<bool>> ChangeClusterWide(Volume volume, StateRequest request, Outcome outcome)
    {
        while (true)
        {
            outcome.Result = volume.Try(request, hard: false, out VolumeState wanted);
            if (outcome.Result == StateChangeResult.InTransientState)
            {
                yield return AfterNextChange(volume);
                continue;
            }

            if (outcome.Result != StateChangeResult.Success)
            {
                yield break;
            }

            if (!StateRules.NeedsPeer(volume.State, wanted))
            {
                outcome.Result = volume.Change(request);
                yield break;
            }

            foreach (Func<bool> wait in Connection.AskPeer(volume, request))
            {
                yield return wait;
            }

            int? reply = Connection.TakeStateReply();
            if (reply is null)
            {
                continue;
            }

            outcome.PeerResult = (StateChangeResult)reply.Value;
            if (outcome.PeerResult is StateChangeResult.InTransientState or StateChangeResult.ConcurrentStateChange)
            {
                yield return After(RetryNs);
                continue;
            }

            outcome.Result = outcome.PeerResult.Succeeded() ? volume.Change(request) : StateChangeResult.FailedByPeer;
            if (outcome.Result != StateChangeResult.InTransientState)
            {
                yield break;
            }
        }
    }

    private Func<bool> AfterNextChange(Volume volume)
    {
        VolumeState seen = volume.State;
        bool sent = Connection.StateSent;
        return () => volume.State != seen || Connection.StateSent != sent;
    }

    private Func<bool> After(long ns)
    {
        long until = NowNs + ns;
        _commandDeadlineNs = until;
        return () => NowNs >= until;
    }

    private static IEnumerable<Func<bool>> Simple(Volume volume, StateRequest request, Action<CommandResult> answer)
    {
        StateChangeResult result = volume.Change(request);
        answer(new CommandResult((int)result, result.Succeeded() ? "" : result.Describe()));
        yield break;
    }

    private IEnumerable<Func<bool>> SetOptions(ResourceOptions options, Action<CommandResult> answer)
    {
        Invariant.Require(
            options.Volumes.Select(volume => volume.Number).SequenceEqual(_volumes.Select(volume => volume.Number)),
            "options are for the volumes that there are");
        yield return () => Worker.IsIdle;
        if (Connection.IsConfigured && !options.Net.ConnectsLike(Options.Net))
        {
            answer(new CommandResult(
                ErrorNumber.NetConfigured, "nodes agree on this when they connect: disconnect first"));
        }
        else if (_volumes.Zip(options.Volumes).Any(pair =>
            pair.First.State.Disk != DiskState.Diskless && !pair.Second.Disk.AttachesLike(pair.First.Options.Disk)))
        {
            answer(new CommandResult(ErrorNumber.DiskConfigured, "attaching settles this: detach the disk first"));
        }
        else
        {
            ReplaceOptions(options);
            answer(CommandResult.Success);
        }
    }

    private IEnumerable<Func<bool>> Connect(AdminCommand.Connect command, Action<CommandResult> answer)
    {
        yield return () => Worker.IsIdle;
        if (Connection.IsConfigured)
        {
            answer(new CommandResult(ErrorNumber.NetConfigured, "the network is configured already: disconnect first"));
            yield break;
        }

        foreach (Volume volume in _volumes)
        {
            if (command.DiscardMyData && volume.State.Role == Role.Primary)
            {
                answer(new CommandResult(123, "discard-my-data is not possible on a Primary: make it Secondary first"));
                yield break;
            }
        }

        Connection.Connect(command.DiscardMyData, command.Tentative);
        answer(CommandResult.Success);
    }

    private IEnumerable<Func<bool>> Disconnect(bool force, Action<CommandResult> answer)
    {
        if (!Connection.IsConfigured)
        {
            answer(new CommandResult((int)StateChangeResult.NothingToDo, ""));
            yield break;
        }

        Outcome outcome = new() { Result = StateChangeResult.Success };
        if (!force && Connection.IsOperational)
        {
            foreach (Func<bool> wait in AskToDisconnect(outcome))
            {
                yield return wait;
            }
        }

        if (!outcome.Result.Succeeded())
        {
            answer(outcome.ToAnswer());
            yield break;
        }

        Connection.DisconnectByOperator();
        yield return () => !Connection.IsConfigured;
        answer(CommandResult.Success);
    }

    /// <summary>With fencing the peer is outdated with the disconnect, or this node is.</summary>
    private IEnumerable<Func<bool>> AskToDisconnect(Outcome outcome)
    {
        foreach (StateRequest request in (StateRequest[])
            [StateRequest.Disconnect, StateRequest.DisconnectPeerOutdated, StateRequest.DisconnectOwnOutdated])
        {
            outcome.Result = _volumes[0].Try(request, hard: false, out _);
            if (outcome.Result == StateChangeResult.InTransientState)
            {
                // A handshake that hangs must not keep the operator: the connection is ended without asking.
                outcome.Result = StateChangeResult.Success;
                yield break;
            }

            if (outcome.Result == StateChangeResult.PrimaryNotOutdatedPeer)
            {
                continue;
            }

            if (!outcome.Result.Succeeded())
            {
                yield break;
            }

            foreach (Func<bool> wait in Connection.AskPeer(null, request))
            {
                yield return wait;
            }

            int reply = Connection.TakeStateReply() ?? (int)StateChangeResult.Success;
            outcome.PeerResult = (StateChangeResult)reply;
            outcome.Result = outcome.PeerResult.Succeeded()
                ? StateChangeResult.Success
                : StateChangeResult.FailedByPeer;
            if (outcome.Result.Succeeded())
            {
                foreach (Volume volume in _volumes)
                {
                    if (request == StateRequest.DisconnectPeerOutdated)
                    {
                        volume.Change(StateRequest.PeersDisk(DiskState.Outdated), hard: true);
                    }
                }

                yield break;
            }
        }
    }

    private IEnumerable<Func<bool>> Detach(Volume volume, bool force, Action<CommandResult> answer)
    {
        if (volume.State.Disk == DiskState.Diskless)
        {
            answer(new CommandResult((int)StateChangeResult.NothingToDo, ""));
            yield break;
        }

        Outcome outcome = new();
        if (force)
        {
            outcome.Result = volume.DetachByForce();
        }
        else
        {
            foreach (Func<bool> wait in ChangeClusterWide(volume, StateRequest.DetachFailed, outcome))
            {
                yield return wait;
            }
        }

        if (outcome.Result.Succeeded())
        {
            yield return () => volume.State.Disk == DiskState.Diskless && volume.Layout is null;
        }

        answer(outcome.ToAnswer());
    }

    private IEnumerable<Func<bool>> SetRole(bool primary, bool force, Action<CommandResult> answer)
    {
        CommandResult result = CommandResult.Success;
        foreach (Volume volume in _volumes)
        {
            IEnumerable<Func<bool>> steps = primary
                ? Promote(volume, force, r => result = r)
                : Demote(volume, r => result = r);
            foreach (Func<bool> wait in steps)
            {
                yield return wait;
            }

            if (!result.Succeeded)
            {
                break;
            }
        }

        answer(result);
    }

    private IEnumerable<Func<bool>> Promote(Volume volume, bool force, Action<CommandResult> answer)
    {
        Connection.PingSoon();
        Outcome outcome = new();
        StateRequest request = StateRequest.BecomePrimary;
        bool forced = false;
        bool fenced = false;
        bool retriedTwoPrimaries = false;
        volume.IoHeld = true;
        for (int round = 0; round < 4; round++)
        {
            foreach (Func<bool> wait in ChangeClusterWide(volume, request, outcome))
            {
                yield return wait;
            }

            StateChangeResult reason = outcome.Result == StateChangeResult.FailedByPeer
                ? outcome.PeerResult
                : outcome.Result;
            bool canForce = volume.State.Disk is >= DiskState.Inconsistent and < DiskState.UpToDate;
            if (outcome.Result == StateChangeResult.NoUpToDateDisk && force && canForce && !forced)
            {
                request = StateRequest.ForcePrimary;
                forced = true;
            }
            else if (!fenced && Fencing.IsWantedToPromote(volume, outcome.Result))
            {
                fenced = true;
                if (Fencing.IsConcerned(volume))
                {
                    bool ended = false;
                    FencePeer(volume, _ => ended = true);
                    yield return () => ended;
                }

                if (volume.State.Disk == DiskState.Consistent && Fencing.IsPeerOut(volume))
                {
                    request = request.With(StateRequest.OwnDisk(DiskState.UpToDate));
                }
            }
            else if (outcome.Result == StateChangeResult.PrimaryNotOutdatedPeer && force)
            {
                request = request.With(StateRequest.PeersDisk(DiskState.Outdated));
            }
            else if (reason == StateChangeResult.TwoPrimaries && !retriedTwoPrimaries)
            {
                retriedTwoPrimaries = true;
                yield return After((Options.Net.PingTimeoutDeciseconds + 1) * RetryNs);
            }
            else
            {
                break;
            }
        }

        if (outcome.Result == StateChangeResult.Success)
        {
            foreach (Func<bool> wait in volume.AfterRoleChange(forced))
            {
                yield return wait;
            }
        }

        volume.IoHeld = false;
        WakeBlocked();
        _host.DeviceChanged(volume.Number);
        answer(outcome.ToAnswer());
    }

    private IEnumerable<Func<bool>> Demote(Volume volume, Action<CommandResult> answer)
    {
        StateChangeResult result = volume.Try(StateRequest.BecomeSecondary, hard: false, out _);
        while (result == StateChangeResult.InTransientState)
        {
            yield return AfterNextChange(volume);
            result = volume.Try(StateRequest.BecomeSecondary, hard: false, out _);
        }

        if (result == StateChangeResult.Success)
        {
            volume.IoHeld = true;
            Connection.CloseSendEpoch();
            Connection.FlushBarrier();
            yield return () => !volume.HasUnfinishedWrites;
            result = volume.Change(StateRequest.BecomeSecondary);
            if (result == StateChangeResult.Success)
            {
                volume.RefuseHeldRequests();
                foreach (Func<bool> wait in volume.AfterRoleChange(forced: false))
                {
                    yield return wait;
                }
            }

            volume.IoHeld = false;
            WakeBlocked();
        }

        answer(new CommandResult((int)result, result.Succeeded() ? "" : result.Describe()));
    }

    private IEnumerable<Func<bool>> Quiesce(Action<CommandResult> answer)
    {
        foreach (Volume volume in _volumes)
        {
            volume.IoHeld = true;
        }

        Connection.CloseSendEpoch();
        Connection.FlushBarrier();
        yield return () => !_volumes.Any(volume => volume.HasUnfinishedWrites);
        foreach (Volume volume in _volumes)
        {
            volume.ForgetHeldRequests();
            foreach (Func<bool> wait in volume.SaveAll())
            {
                yield return wait;
            }
        }

        answer(CommandResult.Success);
    }

    private IEnumerable<Func<bool>> Invalidate(Volume volume, bool remote, Action<CommandResult> answer)
    {
        bool alone = volume.State.Connection < ConnectionState.WFReportParams
            && volume.State.Role == (remote ? Role.Primary : Role.Secondary);
        if (alone && volume.HasDisk)
        {
            foreach (Func<bool> wait in volume.InvalidateAlone(remote))
            {
                yield return wait;
            }

            answer(CommandResult.Success);
            yield break;
        }

        Outcome outcome = new();
        StateRequest request = remote ? StateRequest.StartingSyncS : StateRequest.StartingSyncT;
        foreach (Func<bool> wait in ChangeClusterWide(volume, request, outcome))
        {
            yield return wait;
        }

        answer(outcome.ToAnswer());
    }

    private IEnumerable<Func<bool>> Verify(AdminCommand.Verify command, Action<CommandResult> answer)
    {
        Volume volume = RequireVolume(command.Volume);
        Outcome outcome = new();
        volume.PlanVerify(command.StartSector, command.StopSector);
        foreach (Func<bool> wait in ChangeClusterWide(volume, StateRequest.VerifyS, outcome))
        {
            yield return wait;
        }

        answer(outcome.ToAnswer());
    }

    private static IEnumerable<Func<bool>> PauseSync(Volume volume, bool pause, Action<CommandResult> answer)
    {
        if (volume.State.PausedByUser == pause)
        {
            answer(pause
                ? new CommandResult(134, "the resync is paused already")
                : new CommandResult(135, "the resync is not paused by this node's administrator"));
            yield break;
        }

        volume.SetPausedByUser(pause);
        answer(CommandResult.Success);
    }

    private IEnumerable<Func<bool>> SuspendIo(bool suspend, Action<CommandResult> answer)
    {
        foreach (Volume volume in _volumes)
        {
            if (!suspend)
            {
                foreach (Func<bool> wait in volume.RotateIfWanted())
                {
                    yield return wait;
                }
            }

            if (suspend)
            {
                volume.SetSuspended(user: true);
            }
            else
            {
                volume.SetSuspended(user: false, noData: false, fencing: false);
                volume.Thaw();
            }
        }

        answer(CommandResult.Success);
    }

    private IEnumerable<Func<bool>> Down(Action<CommandResult> answer)
    {
        CommandResult result = CommandResult.Success;
        foreach (Func<bool> wait in SetRole(primary: false, force: false, r => result = r))
        {
            yield return wait;
        }

        if (result.Succeeded)
        {
            foreach (Func<bool> wait in Disconnect(force: false, r => result = r))
            {
                yield return wait;
            }
        }

        for (int i = 0; i < _volumes.Length && result.Succeeded; i++)
        {
            foreach (Func<bool> wait in Detach(_volumes[i], force: false, r => result = r))
            {
                yield return wait;
            }
        }

        answer(result);
    }
}
