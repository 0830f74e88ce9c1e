namespace BlockRepl.Sbd.Tests.Simulation;

/// <summary>
/// A node without devices in a cluster that is cut off, left in order, asked slowly or not at all. What must hold: the
/// others may take it for dead some time after it was cut off, and then it is; and it does not die without a reason.
/// </summary>
internal sealed class ClusterSchedule
{
    private const long Tick = World.Second / 4;
    private const long Proof = 4 * World.Second;
    private const long Watchdog = 5 * World.Second;

    // As Pacemaker's stonith-watchdog-timeout must be: more than the proof and the watchdog, which may round.
    private const long TakenForDead = 10 * World.Second;

    private readonly World _world;
    private readonly Inquisitor _inquisitor;
    private readonly PacemakerJudge _pacemaker = new(hasDisks: false, 5);
    private readonly CorosyncJudge _corosync = new(5);
    private readonly bool _isTwoNode;
    private readonly bool _keepsRunning;
    private readonly long _rounding;
    private readonly long[] _noLookBefore = new long[2];
    private Verdict _verdict;
    private long _lastFedNs;
    private long _latency = World.Second / 20;
    private bool _isCut;
    private bool _isShutDown;
    private bool _hasReason;
    private bool _isArmed;

    private ClusterSchedule(int seed, PlantedBug bug)
    {
        _world = new World(seed, bug);
        _isTwoNode = _world.Chance(0.5);
        _keepsRunning = _world.Chance(0.5);
        _rounding = _world.Between(0, World.Second / 2);
        _inquisitor = new Inquisitor(
            new InquisitorOptions([InputKind.Pacemaker, InputKind.Cluster], Proof, Watchdog), 0);
        Look(0);
        Look(1);
        _world.After(World.Second, Turn);
        _world.After(_world.Between(10 * World.Second, 20 * World.Second), Fault);
    }

    public bool IsDead { get; private set; }

    public bool WasCutWhileUp { get; private set; }

    public IReadOnlyList<string> Violations => _world.Violations;

    public IReadOnlyList<string> Trace => _world.Trace;

    public static ClusterSchedule Run(int seed, PlantedBug bug = PlantedBug.None)
    {
        var schedule = new ClusterSchedule(seed, bug);
        schedule._world.RunUntil(100 * World.Second);
        return schedule;
    }

    private void Look(int input)
    {
        var began = Math.Max(_world.Now, _noLookBefore[input]);
        if (began > _world.Now)
        {
            _world.After(began - _world.Now, () => Look(input));
            return;
        }

        var takes = _world.Between(1000, _latency);
        var seen = default(HealthVerdict);
        _world.After(_world.Between(0, takes), () => seen = See(input));
        _world.After(takes, () =>
        {
            Report(input, seen.Health, _world.Bug == PlantedBug.ProofDatedAtItsEnd ? _world.Now : began);
            _world.After(World.Second, () => Look(input));
        });
    }

    private HealthVerdict See(int input) => input == 1
        ? _corosync.Judge(new CorosyncView(_isCut && _isTwoNode ? 1 : 2, _isTwoNode, 0))
        : _pacemaker.Judge(
            _isShutDown ? PacemakerdState.ShutDown : PacemakerdState.Running,
            0,
            new PacemakerNode(true, !_isCut, _keepsRunning, true, false, false));

    private void Report(int input, Health health, long evidence)
    {
        switch (health)
        {
            case Health.Healthy:
                _inquisitor.OnAlive(input, evidence);
                break;
            case Health.Unhealthy when _world.Bug == PlantedBug.UnhealthyIgnored:
                _inquisitor.OnAlive(input, evidence);
                break;
            case Health.Unhealthy:
                _inquisitor.OnUnhealthy(input);
                break;
            case Health.Left when _world.Bug == PlantedBug.LeftIsMissed:
                _inquisitor.OnUnhealthy(input);
                break;
            case Health.Left:
                _inquisitor.OnLeft(input);
                break;
        }
    }

    private void Fault()
    {
        var time = _world.Between(World.Second / 10, 20 * World.Second);
        var kind = _world.Random.Next(4);
        _world.Note($"fault {kind} for {time / 1e9:0.000}");
        switch (kind)
        {
            case 0:
                CutOff();
                break;
            case 1:
                var input = _world.Random.Next(2);
                _noLookBefore[input] = _world.Now + time;
                _hasReason |= time > World.Second;
                break;
            case 2:
                _latency = _world.Between(World.Second / 20, 3 * World.Second);
                _hasReason |= _latency > World.Second;
                break;
            default:
                _isShutDown = !_isCut;
                break;
        }

        _world.After(_world.Between(World.Second, 15 * World.Second), Fault);
    }

    private void CutOff()
    {
        if (_isCut || !_isArmed || _isShutDown)
        {
            return;
        }

        (_isCut, _hasReason, WasCutWhileUp) = (true, true, true);
        _world.After(TakenForDead, () =>
        {
            if (!IsDead)
            {
                _world.Violations.Add($"{_world.Now / 1e9:0.000}: is taken for dead and lives");
            }
        });
    }

    private void Turn()
    {
        if (IsDead)
        {
            return;
        }

        _verdict = _inquisitor.Judge(_world.Now);
        if (_verdict.StartFailed)
        {
            _world.Violations.Add("a start without devices does not wait for the cluster");
        }

        if (_verdict.MayArm && !_isArmed)
        {
            _isArmed = true;
            _inquisitor.OnArmed();
            _lastFedNs = _world.Now;
        }

        if (_isArmed)
        {
            Feed();
        }

        _world.After(Tick, Turn);
    }

    private void Feed()
    {
        var step = FeedingRule.Decide(
            _world.Now, _lastFedNs, Watchdog + _rounding, _verdict.FeedUntilNs, _world.Now, Proof);
        if (step == FeedingStep.Feed)
        {
            _lastFedNs = _world.Now;
        }
        else if (step == FeedingStep.EndNode)
        {
            IsDead = true;
            _world.Note("dies");
            if (!_hasReason)
            {
                _world.Violations.Add($"{_world.Now / 1e9:0.000}: died with its inputs in time");
            }
        }
    }
}
