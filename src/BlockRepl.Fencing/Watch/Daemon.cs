using System.Runtime.InteropServices;
using BlockRepl.Fencing.CommandLine;
using BlockRepl.Fencing.Logging;
using BlockRepl.Platform.Fencing;
using BlockRepl.Platform.Native;
using BlockRepl.Platform.Storage;
using BlockRepl.Sbd;

namespace BlockRepl.Fencing.Watch;

/// <summary>
/// The daemon: one thread takes what servants, guard and signals report, asks the <see cref="Inquisitor"/>, and
/// publishes to the guard until when the watchdog may be fed. It does no I/O on devices and waits for nothing but its
/// queue.
/// </summary>
internal sealed class Daemon
{
    private readonly SbdOptions _options;
    private readonly Timeouts _timeouts;
    private readonly string _rehearsal;
    private readonly SystemLog _log;
    private readonly EventQueue _events = new();
    private readonly IServant[] _servants;
    private readonly long[] _lastAliveNs;
    private readonly HealthVerdict[] _lastSeen;
    private readonly Inquisitor _inquisitor;
    private readonly TimeSpan _proof;
    private Guard? _guard;
    private bool _isArming;
    private bool _isArmed;
    private bool _isStopping;
    private bool? _result;
    private bool _isSlow;
    private NodeEnd? _end;
    private long _endUntilNs;

    public Daemon(SbdOptions options, DaemonPlan plan, string rehearsal, SystemLog log)
    {
        _options = options;
        _timeouts = plan.Timeouts;
        _rehearsal = rehearsal;
        _log = log;
        InputKind[] inputs = [.. options.Devices.Select(_ => InputKind.Disk), .. plan.ClusterInputs];
        _servants =
        [
            .. inputs.Select((kind, i) => kind == InputKind.Disk
                ? (IServant)new DiskServantThread(i, options.Devices[i], options, _events)
                : new ClusterServant(i, kind, options, _timeouts, _events)),
        ];
        _lastAliveNs = new long[inputs.Length];
        _lastSeen = new HealthVerdict[inputs.Length];
        _proof = TimeSpan.FromSeconds((long)_timeouts.Loop + options.IoSeconds);
        _inquisitor = new Inquisitor(
            new InquisitorOptions(
                inputs,
                Nanoseconds(_proof.TotalSeconds),
                Nanoseconds(_timeouts.Watchdog),
                options.NeedCluster,
                Nanoseconds(options.RestartSeconds),
                options.RestartCount),
            BootClock.NowNs);
    }

    /// <summary>Runs until the node is to be left alone; true after a clean stop.</summary>
    /// <param name="started">Called when the first vote is won and the watchdog is armed.</param>
    public bool Run(Action started)
    {
        using var pidFile = PidFile.Take(_options.PidFile);
        using var signals = new DaemonSignals(_events);
        ProtectProcess();
        StartGuard();
        foreach (var servant in _servants)
        {
            servant.Start(firstStart: true);
        }

        while (_result is null)
        {
            if (_events.TryTake(TimeSpan.FromSeconds(Math.Max(_timeouts.Loop, 1)), out var what))
            {
                Handle(what, started);
            }

            Turn();
        }

        return _result.Value;
    }

    private void ProtectProcess()
    {
        if (!_options.RealTime)
        {
            return;
        }

        if (RootCgroup.Enter(_options.MoveToRootCgroup) is { } moved)
        {
            _log.Notice(moved);
        }

        if ((ProcessProtection.SetRealTime() | ProcessProtection.LockMemory()) != 0)
        {
            _log.Warning("no real-time priority or locked memory: not permitted");
        }
    }

    private static long Nanoseconds(double seconds) => (long)(seconds * 1_000_000_000);

    private void StartGuard()
    {
        try
        {
            _guard = Guard.Start(
                Path.Combine(AppContext.BaseDirectory, "blockrepl-guard"),
                _options.HasWatchdog ? _options.WatchdogPath : "",
                _rehearsal,
                _options.RealTime);
        }
        catch (BlockDeviceException failure)
        {
            throw new SbdException(failure.Message);
        }

        if (!_options.HasWatchdog)
        {
            _log.Warning("there is no watchdog: if this machine hangs, nothing resets it");
        }

        new Thread(ListenToGuard) { IsBackground = true, Name = "guard" }.Start();
    }

    private void ListenToGuard()
    {
        GuardAnswer answer;
        do
        {
            answer = _guard!.Receive();
            _events.Post(new DaemonEvent(DaemonEventKind.GuardAnswered) { Answer = answer });
        }
        while (!answer.IsGone);
    }

    private void Turn()
    {
        var now = BootClock.NowNs;
        for (var input = _inquisitor.TakeRestart(now); input >= 0; input = _inquisitor.TakeRestart(now))
        {
            // Once the node is up, a message that nobody has read yet must not be cleared.
            _servants[input].Start(firstStart: !_isArmed && !_servants[input].HasStarted);
        }

        if (_end is not null)
        {
            _guard!.Publish(0, now);
            if (now > _endUntilNs)
            {
                EndNodeWithoutGuard();
            }

            return;
        }

        var verdict = _inquisitor.Judge(now);
        _guard!.Publish(verdict.FeedUntilNs, now);
        if (verdict.StartFailed && !_isArming && _result is null)
        {
            _log.Error($"the vote was not won within {_timeouts.Watchdog} s: {CountDevices(now)}");
            Finish(false);
        }
        else if (verdict.MayArm && !_isArming && !_isStopping)
        {
            _isArming = true;
            _guard.Arm(new GuardOrders(
                (int)Math.Min(_timeouts.Watchdog, int.MaxValue),
                _options.SetWatchdogTimeout,
                TimeSpan.FromSeconds(2L * Math.Max(_timeouts.Loop, 1)),
                _options.Trace switch
                {
                    0 => _options.TimeoutAction.End,
                    1 => NodeEnd.CrashDump,
                    _ => NodeEnd.Trace,
                },
                _options.TimeoutAction.Flush,
                (int)_options.CrashDumpWatchdog));
        }

        WarnIfSlow(now);
    }

    private void WarnIfSlow(long now)
    {
        var limit = _options.LatencyWarningFor(_timeouts.Watchdog);
        var age = (now - _guard!.LastFedNs) / 1_000_000_000;
        var slow = _isArmed && limit > 0 && age >= limit;
        if (slow && !_isSlow)
        {
            _log.Warning($"the watchdog was not fed for {age} s: {CountDevices(now)}");
        }

        _isSlow = slow;
    }

    private string CountDevices(long now) => _inquisitor.DiskCount == 0
        ? "there is no device, the cluster decides"
        : $"{_inquisitor.CountHealthy(InputKind.Disk, now)} of {_inquisitor.DiskCount} devices are healthy";

    private void Handle(DaemonEvent what, Action started)
    {
        switch (what.Kind)
        {
            case DaemonEventKind.Alive:
                OnAlive(what);
                break;
            case DaemonEventKind.ClusterSeen:
                OnClusterSeen(what);
                break;
            case DaemonEventKind.MessageSeen:
                OnMessage(what);
                break;
            case DaemonEventKind.ServantEnded:
                OnServantEnded(what);
                break;
            case DaemonEventKind.GuardAnswered:
                OnGuardAnswered(what.Answer, started);
                break;
            case DaemonEventKind.ForgetRestarts:
                _inquisitor.ForgetRestarts();
                break;
            default:
                _log.Notice("told to stop");
                Stop();
                break;
        }
    }

    private void OnAlive(DaemonEvent what)
    {
        var (last, now) = (_lastAliveNs[what.Input], BootClock.NowNs);
        var limit = _options.LatencyWarningFor(_timeouts.Watchdog);
        if (last != 0 && limit > 0 && now - last > Nanoseconds((long)limit + _timeouts.Loop))
        {
            _log.Warning($"{_servants[what.Input].Name}: a round took {(now - last) / 1_000_000_000} s");
        }

        _lastAliveNs[what.Input] = now;
        _inquisitor.OnAlive(what.Input, what.EvidenceNs);
    }

    private void OnClusterSeen(DaemonEvent what)
    {
        var verdict = what.Cluster;
        if (verdict != _lastSeen[what.Input])
        {
            _lastSeen[what.Input] = verdict;
            _log.Notice($"{_servants[what.Input].Name}: {verdict.Health}: {verdict.Reason}");
        }

        if (verdict.Health != Health.Healthy)
        {
            // The time without health is no slow round.
            _lastAliveNs[what.Input] = 0;
        }

        switch (verdict.Health)
        {
            case Health.Healthy:
                OnAlive(what);
                break;
            case Health.Unhealthy:
                _inquisitor.OnUnhealthy(what.Input);
                break;
            case Health.Left:
                _inquisitor.OnLeft(what.Input);
                break;
        }
    }

    private void OnMessage(DaemonEvent what)
    {
        var (device, mailbox) = (_servants[what.Input].Name, what.Mailbox);
        _log.Notice($"{device}: message {mailbox.Message.Word()} from {mailbox.Sender}");
        if (mailbox.Message == Message.Exit)
        {
            Stop();
        }
    }

    private void OnServantEnded(DaemonEvent what)
    {
        var device = _servants[what.Input].Name;
        switch (what.End)
        {
            case ServantEnd.Fenced:
                Fence(device, what.Mailbox);
                break;
            case ServantEnd.MessageWaits:
                _log.Error($"{device}: message {what.Mailbox.Message.Word()} from {what.Mailbox.Sender} waits, and the "
                    + $"start is to be clean; clear it with: sbd -d {device} message {_options.NodeName} clear");
                Finish(false);
                break;
            default:
                _log.Warning($"{device}: is not watched any more: {what.Reason ?? "it has failed"}");
                _inquisitor.OnEnded(what.Input);
                break;
        }
    }

    private void OnGuardAnswered(GuardAnswer answer, Action started)
    {
        if (answer.IsGone)
        {
            OnGuardGone();
        }
        else if (answer.HasStopped)
        {
            _result ??= _end is null ? true : null;
        }
        else if (answer.Errno != 0)
        {
            _log.Error(WatchdogAdvice.Describe(_options.WatchdogPath, (int)_timeouts.Watchdog, answer));
            Finish(false);
        }
        else
        {
            _isArmed = true;
            _inquisitor.OnArmed();
            _log.Notice($"started: {CountDevices(BootClock.NowNs)}, the watchdog is set to {answer.TimeoutSeconds} s");
            if (_options.HasWatchdog && WatchdogAdvice.CannotBeDisarmed(_options.WatchdogPath))
            {
                _log.Warning($"{_options.WatchdogPath} cannot be disarmed any more (nowayout): when sbd is stopped, it "
                    + $"resets this node within {answer.TimeoutSeconds} s");
            }

            started();
        }
    }

    private void OnGuardGone()
    {
        if (_isStopping || (!_isArmed && _end is null))
        {
            // In trace mode the node ends after a while without watchdog.
            _result ??= _end is null ? _isStopping : null;
            return;
        }

        // Its descriptor is closed and the watchdog armed; this is only faster.
        _log.Emergency("the process that feeds the watchdog has gone: this node ends itself");
        EndNodeWithoutGuard();
    }

    /// <summary>A message has told this node to end.</summary>
    private void Fence(string device, Mailbox mailbox)
    {
        _log.Emergency($"{device}: {mailbox.Sender} has sent {mailbox.Message.Word()}: this node ends");
        var end = mailbox.Message switch
        {
            Message.Off => NodeEnd.Off,
            Message.CrashDump => NodeEnd.CrashDump,
            _ => NodeEnd.Reset,
        };
        if (_options.Trace >= 2)
        {
            Stop();
        }

        if (_options.Trace == 2)
        {
            return;
        }

        _end = _options.Trace == 1 ? NodeEnd.CrashDump : end;
        _endUntilNs = BootClock.NowNs + Nanoseconds(_options.Trace > 2 ? 10 : 5);
        if (_options.Trace < 2)
        {
            _guard!.EndNode(_end.Value, flush: true, (int)_options.CrashDumpWatchdog);
        }
    }

    /// <summary>The guard should have done it by now.</summary>
    private void EndNodeWithoutGuard()
    {
        var action = _end is { } end ? new TimeoutAction(end, Flush: true) : _options.TimeoutAction;
        Guard.EndNodeWithoutGuard(action.End, action.Flush, _rehearsal);
        Finish(false);
    }

    /// <summary>Disarms the watchdog, then ends.</summary>
    private void Stop()
    {
        if (!_isStopping)
        {
            _isStopping = true;
            _guard!.Stop();
        }
    }

    private void Finish(bool result) => _result ??= result;

    /// <summary>Signals become events, as long as this lives.</summary>
    private sealed class DaemonSignals : IDisposable
    {
        private const PosixSignal ForgetRestarts = (PosixSignal)10;
        private const PosixSignal Unused = (PosixSignal)12;
        private const int FirstServantSignal = 35;
        private const int ExitRequest = 36;
        private const int LastServantSignal = 39;

        private readonly List<PosixSignalRegistration> _registrations = [];

        public DaemonSignals(EventQueue events)
        {
            void On(PosixSignal signal, DaemonEventKind? kind) =>
                _registrations.Add(PosixSignalRegistration.Create(signal, context =>
                {
                    context.Cancel = true;
                    if (kind is { } known)
                    {
                        events.Post(new DaemonEvent(known));
                    }
                }));

            On(PosixSignal.SIGTERM, DaemonEventKind.Stop);
            On(ForgetRestarts, DaemonEventKind.ForgetRestarts);
            On(PosixSignal.SIGHUP, null);
            On(PosixSignal.SIGINT, null);
            On(PosixSignal.SIGQUIT, null);
            On(Unused, null);
            for (var signal = FirstServantSignal; signal <= LastServantSignal; signal++)
            {
                On((PosixSignal)signal, signal == ExitRequest ? DaemonEventKind.Stop : null);
            }
        }

        public void Dispose() => _registrations.ForEach(registration => registration.Dispose());
    }
}
