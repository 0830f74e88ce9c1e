namespace BlockRepl.Sbd.Tests.Simulation;

/// <summary>
/// A machine: servants, inquisitor, feeder and a hardware watchdog, on a clock of its own that runs a little fast or
/// slow. One object is one start of the machine to its end.
/// </summary>
internal sealed class SimNode
{
    private const long Tick = World.Second / 4;
    private const long Proof = 4 * World.Second;
    private const long Watchdog = 5 * World.Second;
    private const long TurnLimit = 2 * World.Second;

    private readonly World _world;
    private readonly SimPath[] _paths;
    private readonly Inquisitor _inquisitor;
    private readonly bool[] _started;
    private readonly double _rate;
    private readonly long _rounding;
    private Verdict _published = new(long.MinValue, false, false);
    private long _turnNs = long.MinValue / 2;
    private long _lastFedNs;
    private long _bite;
    private long _stoppedUntil;
    private long _pausedUntil;

    public SimNode(World world, string name, SimPath[] paths)
    {
        _world = world;
        _paths = paths;
        Name = NodeName.FromText(name);
        _rate = 0.99 + (world.Random.NextDouble() * 0.02);
        _rounding = world.Between(0, World.Second / 2);
        _started = new bool[paths.Length];
        var disks = world.Bug == PlantedBug.OneOfThreeIsEnough ? Math.Min(2, paths.Length) : paths.Length;
        _inquisitor = new Inquisitor(
            new InquisitorOptions([.. Enumerable.Repeat(InputKind.Disk, disks)], Proof, Watchdog), Clock);
        for (var i = 0; i < paths.Length; i++)
        {
            StartServant(i);
        }

        world.After(world.Between(0, World.Second), TurnRegularly);
    }

    public NodeName Name { get; }

    public bool IsDead { get; private set; }

    /// <summary>Whether the start is done: from here on the node may use what is shared.</summary>
    public bool IsArmed { get; private set; }

    public bool IsPaused => _world.Now < _pausedUntil;

    /// <summary>Whether somebody or something gave it a reason to die.</summary>
    public bool HadReason { get; set; }

    private long Clock => (long)(_world.Now * _rate);

    /// <summary>SIGSTOP: servants and inquisitor stand still, the feeder and the hardware do not.</summary>
    public void Stop(long time)
    {
        HadReason |= time > 2 * World.Second;
        _stoppedUntil = Math.Max(_stoppedUntil, _world.Now + time);
    }

    /// <summary>The whole machine stands still, but its clock, and the hardware watchdog if it is outside.</summary>
    public void Pause(long time, bool watchdogToo)
    {
        HadReason |= time > 2 * World.Second;
        _pausedUntil = Math.Max(_pausedUntil, _world.Now + time);
        _stoppedUntil = Math.Max(_stoppedUntil, _pausedUntil);
        if (watchdogToo && IsArmed)
        {
            _bite += time;
        }
    }

    /// <summary>Sends a message over all paths; tells whether more than half of them were good.</summary>
    public void Send(NodeName target, Message message, Action<bool> done)
    {
        var (good, ended) = (0, 0);
        foreach (var path in _paths)
        {
            var io = new Exchange(512);
            var table = new SlotTable(io);
            Run(table.Send(target, message, Name).GetEnumerator(), io, path, () =>
            {
                ended++;
                var isGood = table.Outcome == SlotOutcome.Done || _world.Bug == PlantedBug.SendFailureIgnored;
                good += isGood ? 1 : 0;
                if (isGood && good * 2 > _paths.Length && (good - 1) * 2 <= _paths.Length)
                {
                    done(true);
                }
                else if (ended == _paths.Length && good * 2 <= _paths.Length)
                {
                    done(false);
                }
            });
        }
    }

    private void StartServant(int index)
    {
        var io = new Exchange(512);
        var servant = new DiskServant(io, Name, new Reports(this, index));
        var first = !_started[index] && !IsArmed;
        Run(servant.Run(first, clean: false).GetEnumerator(), io, _paths[index], () =>
        {
            _started[index] |= servant.HasStarted;
            if (servant.End == ServantEnd.Fenced && _world.Bug != PlantedBug.ServantIgnoresReset)
            {
                HadReason = true;
                Die("message");
            }
            else if (index < _inquisitor.DiskCount)
            {
                _inquisitor.OnEnded(index);
            }
        });
    }

    private void Run(IEnumerator<DeviceStep> procedure, Exchange io, SimPath path, Action ended)
    {
        if (IsDead)
        {
            return;
        }

        if (_world.Now < _stoppedUntil)
        {
            _world.After(_stoppedUntil - _world.Now, () => Run(procedure, io, path, ended));
            return;
        }

        if (!procedure.MoveNext())
        {
            ended();
            return;
        }

        var step = procedure.Current;
        var (started, bug) = (Clock, _world.Bug);
        void Done()
        {
            io.EndedNs = Clock;
            io.StartedNs = bug == PlantedBug.ProofDatedAtItsEnd ? io.EndedNs : started;
            Run(procedure, io, path, ended);
        }

        if (step.Kind != StepKind.Wait)
        {
            path.Submit(step, io, Done);
            return;
        }

        io.Error = SectorError.None;
        var wait = bug == PlantedBug.SenderDoesNotWait && step.Time > TimeSpan.FromSeconds(2)
            ? 0
            : (long)(step.Time.TotalSeconds * World.Second / _rate);
        _world.After(wait, Done);
    }

    private void TurnRegularly()
    {
        if (!IsDead)
        {
            if (_world.Now >= _stoppedUntil)
            {
                Turn();
            }

            _world.After((long)(World.Second / _rate), TurnRegularly);
        }
    }

    private void Turn()
    {
        for (var again = _inquisitor.TakeRestart(Clock); again >= 0; again = _inquisitor.TakeRestart(Clock))
        {
            StartServant(again);
        }

        _published = _inquisitor.Judge(Clock);
        _turnNs = Clock;
        if (_published.StartFailed)
        {
            HadReason = true;
            Die("start");
        }
        else if (_published.MayArm && !IsArmed)
        {
            _world.Note($"{Name} arms");
            IsArmed = true;
            _inquisitor.OnArmed();
            Feed();
            _world.After(Tick, FeedRegularly);
            _world.After(Tick, WatchHardware);
        }
    }

    private void FeedRegularly()
    {
        if (IsDead)
        {
            return;
        }

        if (!IsPaused)
        {
            var step = FeedingRule.Decide(Clock, _lastFedNs, Watchdog, _published.FeedUntilNs, _turnNs, TurnLimit);
            step = _world.Bug switch
            {
                PlantedBug.FeederIgnoresProofs => FeedingStep.Feed,
                PlantedBug.FeedsTooOldProofs when step == FeedingStep.Hold && Clock < _turnNs + (2 * Proof) =>
                    FeedingStep.Feed,
                _ => step,
            };
            if (step == FeedingStep.EndNode)
            {
                Die("vote lost");
                return;
            }

            if (step == FeedingStep.Feed)
            {
                Feed();
            }
        }

        _world.After(Tick, FeedRegularly);
    }

    private void Feed()
    {
        _lastFedNs = Clock;
        _bite = _world.Now + (long)(Watchdog / _rate) + _rounding;
    }

    private void WatchHardware()
    {
        if (IsDead)
        {
            return;
        }

        if (_world.Now >= _bite)
        {
            Die("watchdog");
            return;
        }

        _world.After(_bite - _world.Now, WatchHardware);
    }

    private void Die(string how)
    {
        if (!HadReason)
        {
            _world.Violations.Add($"{_world.Now / 1e9:0.000}: {Name} died ({how}) with its inputs in time");
        }

        _world.Note($"{Name} dies: {how}");
        IsDead = true;
    }

    private sealed class Reports(SimNode node, int index) : IServantReports
    {
        public void Alive(long evidenceNs)
        {
            node._inquisitor.OnAlive(Math.Min(index, node._inquisitor.DiskCount - 1), evidenceNs);
            node.Turn();
        }

        public void MessageSeen(Message message, NodeName sender)
        {
        }
    }
}
