namespace BlockRepl.Sbd.Tests.Simulation;

/// <summary>
/// Two nodes that share one to three disks, two minutes of faults, shots in both directions. What must hold: who is
/// told that a message is done finds the other one dead, if it was up when the message was sent; and nobody dies
/// without a reason.
/// </summary>
internal sealed class Schedule
{
    private const long Length = 100 * World.Second;

    private readonly World _world;
    private readonly SimDisk[] _disks;
    private readonly SimNode[] _nodes = new SimNode[2];
    private readonly SimPath[][] _paths;

    private Schedule(int seed, PlantedBug bug)
    {
        _world = new World(seed, bug);
        var header = new DeviceHeader(Guid.Empty, 512, new Timeouts(5, 0, 1, 10)) { SlotCount = SimDisk.Slots };
        _disks = [.. Enumerable.Range(0, 1 + _world.Random.Next(3)).Select(_ => new SimDisk(header))];
        _paths =
        [
            .. _nodes.Select((_, node) => _disks
                .Select((disk, i) => new SimPath(_world, disk, $"node{node}'s disk {i}")).ToArray()),
        ];
        foreach (var path in _paths.SelectMany(paths => paths).Where(_ => _world.Chance(0.1)))
        {
            path.Latency = _world.Between(World.Second / 50, World.Second);
        }
    }

    public int Deaths { get; private set; }

    public int Shots { get; private set; }

    public IReadOnlyList<string> Violations => _world.Violations;

    public IReadOnlyList<string> Trace => _world.Trace;

    public static Schedule Run(int seed, PlantedBug bug = PlantedBug.None)
    {
        var schedule = new Schedule(seed, bug);
        for (var i = 0; i < 2; i++)
        {
            schedule.StartNode(i);
            schedule._world.After(schedule._world.Between(0, 20 * World.Second), schedule.Fault);
            schedule._world.After(schedule._world.Between(10 * World.Second, Length / 2), schedule.Shoot);
        }

        schedule._world.RunUntil(Length);
        return schedule;
    }

    private void StartNode(int index)
    {
        foreach (var path in _paths[index])
        {
            path.FailsUntil = 0;
        }

        _nodes[index] = new SimNode(_world, $"node{index}", _paths[index])
        {
            HadReason = _paths[index].Any(path => path.StalledUntil > _world.Now || path.Latency > World.Second),
        };
        _world.After(World.Second, () => Revive(index));
    }

    /// <summary>A dead machine is up again some time later.</summary>
    private void Revive(int index)
    {
        if (_nodes[index].IsDead)
        {
            Deaths++;
            _world.After(_world.Between(8 * World.Second, 40 * World.Second), () => StartNode(index));
        }
        else
        {
            _world.After(World.Second, () => Revive(index));
        }
    }

    private void Fault()
    {
        var index = _world.Random.Next(2);
        var node = _nodes[index];
        var path = _paths[index][_world.Random.Next(_disks.Length)];
        var time = _world.Between(World.Second / 10, _world.Chance(0.5) ? 5 * World.Second : 30 * World.Second);
        var kind = _world.Random.Next(7);
        _world.Note($"fault {kind} on node{index} for {time / 1e9:0.000}");
        switch (kind)
        {
            case 0:
                path.StalledUntil = _world.Now + time;
                node.HadReason = true;
                break;
            case 1:
                path.FailsUntil = _world.Now + time;
                node.HadReason = true;
                break;
            case 2:
                StallAll(index, time);
                break;
            case 3:
                node.Stop(time);
                break;
            case 4:
                node.Pause(time, watchdogToo: false);
                break;
            case 5:
                path.Latency = _world.Between(World.Second / 50, 3 * World.Second);
                node.HadReason = true;
                break;
            default:
                SendHarmless(index);
                break;
        }

        _world.After(_world.Between(World.Second, 15 * World.Second), Fault);
    }

    private void StallAll(int index, long time)
    {
        foreach (var path in _paths[index])
        {
            path.StalledUntil = _world.Now + time;
        }

        _nodes[index].HadReason = true;
    }

    private void SendHarmless(int index)
    {
        if (!_nodes[index].IsDead)
        {
            _nodes[index].Send(_nodes[1 - index].Name, Message.Test, _ => { });
        }
    }

    private void Shoot()
    {
        var index = _world.Random.Next(2);
        if (_world.Chance(0.4))
        {
            // Its reads are slow, one of them is under way when the shot comes, and then there are none.
            Array.ForEach(_paths[index], path => path.Latency = 3 * World.Second);
            _nodes[index].HadReason = true;
            _world.After(_world.Between(World.Second, 5 * World.Second), () =>
            {
                ShootAt(index);
                _world.After(_world.Between(0, World.Second), () => StallAll(index, 30 * World.Second));
            });
        }
        else
        {
            ShootAt(index);
        }

        _world.After(_world.Between(5 * World.Second, 40 * World.Second), Shoot);
    }

    private void ShootAt(int index)
    {
        var (shooter, target) = (_nodes[1 - index], _nodes[index]);
        if (!shooter.IsDead)
        {
            // A node that is still starting is not yet a member, and may clear what came before.
            var wasUp = target.IsArmed && !target.IsDead;
            target.HadReason = true;
            _world.Note($"{shooter.Name} shoots at {target.Name}");
            shooter.Send(target.Name, Message.Reset, done =>
            {
                Shots += done ? 1 : 0;
                if (done && wasUp && !target.IsDead)
                {
                    _world.Violations.Add(
                        $"{_world.Now / 1e9:0.000}: {shooter.Name} takes {target.Name} for dead, which lives");
                }
            });
        }
    }
}
