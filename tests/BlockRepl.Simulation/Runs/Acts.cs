using BlockRepl.Core;
using BlockRepl.Core.State;
using BlockRepl.Simulation.Checks;
using BlockRepl.Simulation.Nodes;

namespace BlockRepl.Simulation.Runs;

/// <summary>What happens to the pair in a random run: one act after the other, by weights, until stopped.</summary>
internal sealed class Acts(
    SimCluster cluster, RunSettings settings, Rng rng, Operator keeper, FaultInjector faults, Workload workload)
{
    private bool _stopped;
    private bool _splitBrainDone;

    public SortedDictionary<string, int> Counts { get; } = [];

    public void Start() => Next();

    public void Stop() => _stopped = true;

    private void Next() => cluster.Queue.After(rng.Between(1, settings.MeanActNs * 2), () =>
    {
        if (!_stopped)
        {
            ActOnce();
            Next();
        }
    });

    private void ActOnce()
    {
        if (settings.SplitBrain && !_splitBrainDone && rng.Percent(30))
        {
            SplitBrain();
            return;
        }

        int[] weights =
        [
            settings.CrashWeight, settings.NetworkWeight, settings.DiskFaultWeight, settings.AdminWeight,
            settings.RoleWeight,
            settings.VerifyWeight, 2,
        ];
        int roll = rng.Below(weights.Sum());
        int act = 0;
        while (roll >= weights[act])
        {
            roll -= weights[act++];
        }

        switch (act)
        {
            case 0: Crash(); break;
            case 1: Count("network", faults.BreakNetwork); break;
            case 2: Count("disk-fault", faults.BreakDisk); break;
            case 3: Administer(); break;
            case 4: ChangeRole(); break;
            case 5: Verify(); break;
            default: Rest(); break;
        }
    }

    private void Count(string what, Action act)
    {
        Counts[what] = Counts.GetValueOrDefault(what) + 1;
        act();
    }

    private void Crash()
    {
        SimNode? primary = cluster.Nodes.FirstOrDefault(Operator.IsPrimary);
        SimNode node = primary is not null && rng.Percent(60) ? primary : cluster.Nodes[rng.Below(2)];
        if (!node.IsUp)
        {
            return;
        }

        bool power = settings.PowerLoss && rng.Percent(60);
        if (rng.Percent(20) && node.Peer.IsUp)
        {
            Count("crash-both", () => CrashOne(node.Peer, power));
        }

        Count(power ? "crash-power" : "crash-kill", () => CrashOne(node, power));
        if (rng.Percent(50))
        {
            keeper.Preferred = 1 - node.Index;
        }
    }

    /// <summary>The fence-peer handler: mostly it ends the node before it answers, sometimes it can't.</summary>
    public int Fence(SimNode node, Rng luck)
    {
        const int shot = 7;
        const int failed = 1;
        if (luck.Percent(20))
        {
            return failed;
        }

        cluster.Queue.After(0, () =>
        {
            if (node.IsUp)
            {
                Count("fenced", () => CrashOne(node, settings.PowerLoss));
            }
        });
        return shot;
    }

    private void CrashOne(SimNode node, bool power)
    {
        node.Crash(power);
        for (int volume = 0; volume < settings.Options.Volumes; volume++)
        {
            if (settings.Options.Disk.ActivityLogUpdates)
            {
                cluster.Coverage.Check(volume, $"as node {node.Name} crashed");
            }
        }

        keeper.LeaveAlone(
            node, rng.Pick(100, 1000, 8000) * Duration.Millisecond + rng.Between(0, 1000) * Duration.Millisecond);
    }

    private void Administer()
    {
        SimNode node = cluster.Nodes[rng.Below(2)];
        if (!node.IsUp || node.CommandsRunning > 0 || node.Status.Count == 0)
        {
            return;
        }

        int volume = rng.Below(node.Status.Count);
        VolumeStatus status = node.Status[volume];
        keeper.LeaveAlone(node, rng.Between(0, 6000) * Duration.Millisecond);
        switch (rng.Below(8))
        {
            case 0 or 1:
                Count("disconnect", () => Disconnect(node));
                break;
            case 2 or 3:
                Count("detach", () => node.Command(new AdminCommand.Detach(volume, rng.Percent(20))));
                break;
            case 4:
                Count("pause-sync", () => node.Command(new AdminCommand.PauseSync(volume, !status.PausedByUser)));
                break;
            case 5:
                Count("suspend-io", () => node.Command(new AdminCommand.SuspendIo(!status.Suspended)));
                break;
            default:
                Invalidate(node, volume);
                break;
        }
    }

    private static void Disconnect(SimNode node)
    {
        node.ExpectsConnection = false;
        node.Command(new AdminCommand.Disconnect(false));
    }

    /// <summary>Only a Secondary's data are given up, and only while the other node has them.</summary>
    private void Invalidate(SimNode node, int volume)
    {
        bool safe = cluster.Content.IsCurrent(1 - node.Index)
            && CurrencyTracker.IsWhole(node, volume)
            && !Operator.IsPrimary(node)
            && !cluster.Content.IsForked;
        if (safe)
        {
            Count("invalidate", () => node.Command(new AdminCommand.Invalidate(volume, false)));
        }
        else if (Operator.IsPrimary(node) && CurrencyTracker.IsWhole(node, volume)
            && cluster.Content.IsCurrent(node.Index))
        {
            Count("invalidate-remote", () => node.Command(new AdminCommand.Invalidate(volume, true)));
        }
    }

    private void ChangeRole()
    {
        SimNode? primary = cluster.Nodes.FirstOrDefault(Operator.IsPrimary);
        if (primary is null || primary.CommandsRunning > 0)
        {
            return;
        }

        Count("demote", () =>
        {
            keeper.Preferred = rng.Percent(70) ? 1 - primary.Index : primary.Index;
            primary.Command(new AdminCommand.SetRole(false, false));
        });
    }

    private void Verify()
    {
        SimNode node = cluster.Nodes[rng.Below(2)];
        if (node.IsUp && node.CommandsRunning == 0 && node.Status.Count > 0 && CurrencyTracker.IsWhole(node, 0))
        {
            ulong start = rng.Percent(50) ? 0 : (ulong)rng.Between(0, (long)cluster.Content.Model(0, 0).Sectors - 1);
            Count("verify", () => node.Command(new AdminCommand.Verify(0, start, ulong.MaxValue)));
        }
    }

    /// <summary>The applications pause; if the pair comes to rest meanwhile it is looked at.</summary>
    private void Rest()
    {
        if (!workload.IsRunning)
        {
            return;
        }

        Count("rest", () =>
        {
            workload.Stop();
            long pause = rng.Between(3000, 6000) * Duration.Millisecond;
            cluster.Queue.After(
                pause - (2 * Duration.Second), () => CheckAfterRest(cluster.Nodes.Sum(n => n.FrontEnd.Answered)));
            cluster.Queue.After(pause + Duration.Millisecond, () =>
            {
                if (!_stopped)
                {
                    workload.Start();
                }
            });
        });
    }

    private void CheckAfterRest(long answered)
    {
        bool was = cluster.IsAtRest();
        cluster.Queue.After(2 * Duration.Second, () =>
        {
            if (was && cluster.IsAtRest() && cluster.Network.IsQuiet
                && answered == cluster.Nodes.Sum(n => n.FrontEnd.Answered))
            {
                cluster.CheckAtRest();
            }
        });
    }

    /// <summary>A deliberate split brain: the link is silent, and both nodes are promoted and written to.</summary>
    private void SplitBrain()
    {
        if (cluster.Content.IsForked
            || !cluster.Nodes.All(n => n.IsUp && cluster.Content.IsCurrent(n.Index) && n.CommandsRunning == 0)
            || !Enumerable.Range(0, settings.Options.Volumes)
                .All(v => cluster.Nodes.All(n => CurrencyTracker.IsWhole(n, v))))
        {
            return;
        }

        _splitBrainDone = true;
        Count("split-brain", () => cluster.Network.SetLink(up: false));
        cluster.Queue.After(25 * Duration.Second, () =>
        {
            SimNode? secondary = cluster.Nodes.FirstOrDefault(n => n.IsUp && !Operator.IsPrimary(n));
            bool apart = cluster.Nodes.All(n =>
                n.IsUp && n.CommandsRunning == 0 && cluster.Content.IsCurrent(n.Index) && n.Status.Count > 0
                && n.Status.All(s => s.Connection < ConnectionState.Connected && s.Disk == DiskState.UpToDate));
            if (apart && secondary is not null && !_stopped)
            {
                cluster.Content.IsForked = true;
                secondary.Command(new AdminCommand.SetRole(true, false));
            }
        });
        cluster.Queue.After(rng.Between(28, 40) * Duration.Second, () => cluster.Network.SetLink(up: true));
    }
}
