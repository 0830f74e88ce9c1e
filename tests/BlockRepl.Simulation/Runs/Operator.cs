using BlockRepl.Core;
using BlockRepl.Core.State;
using BlockRepl.Simulation.Checks;
using BlockRepl.Simulation.Nodes;

namespace BlockRepl.Simulation.Runs;

/// <summary>
/// Keeps the pair going as a careful administrator or cluster manager does: restarts what is down, attaches, connects,
/// and promotes a node only if it has the present data and the other one does not serve. It never asks twice at once.
/// </summary>
internal sealed class Operator(SimCluster cluster, Rng rng, bool twoPrimaries = false)
{
    /// <summary>ERR_DATA_NOT_CURRENT of an attach.</summary>
    private const int WrongGeneration = 150;

    /// <summary>So often a disk is attached next to the peer's; if it does not stay the histories differ.</summary>
    private const int AttachTries = 10;

    private readonly long[] _notBeforeNs = new long[2];
    private long _lostSinceNs = long.MaxValue;

    /// <summary>The nodes have a history of their own each, and one of them has said so.</summary>
    private bool _refused;
    private bool _recreated;
    private readonly int[] _attachTries = new int[2];
    private readonly long[] _oddSinceNs = [long.MaxValue, long.MaxValue];

    /// <summary>The node that should be Primary; the other takes over if it cannot be.</summary>
    public int Preferred { get; set; }

    /// <summary>Nobody is to be promoted for now.</summary>
    public bool HoldPromotion { get; set; }

    /// <summary>A node stays as it is until then.</summary>
    public void LeaveAlone(SimNode node, long forNs) =>
        _notBeforeNs[node.Index] = Math.Max(_notBeforeNs[node.Index], cluster.Queue.NowNs + forNs);

    public void Start() => Tick();

    /// <summary>No pause is left over.</summary>
    public void Hurry()
    {
        Array.Clear(_notBeforeNs);
        HoldPromotion = false;
        foreach (SimNode node in cluster.Nodes)
        {
            foreach (VolumeStatus status in node.Status)
            {
                if (status.PausedByUser)
                {
                    node.Command(new AdminCommand.PauseSync(status.Volume, false));
                }
            }

            if (node.Status.Count > 0 && node.Status[0].Suspended)
            {
                node.Command(new AdminCommand.SuspendIo(false));
            }
        }
    }

    /// <summary>Whether a node may be promoted without danger.</summary>
    public bool MayPromote(SimNode node) =>
        node.IsUp
        && cluster.Content.IsCurrent(node.Index)
        && node.Status.All(s => s.Disk == DiskState.UpToDate)
        && !IsPrimary(node.Peer)
        && !node.Peer.RunningCommands.OfType<AdminCommand.SetRole>().Any();

    public static bool IsPrimary(SimNode node) => node.Status.Count > 0 && node.Status[0].Role == Role.Primary;

    private void Tick()
    {
        cluster.Queue.After(rng.Between(200, 1200) * Duration.Millisecond, Tick);
        foreach (SimNode node in cluster.Nodes)
        {
            if (cluster.Queue.NowNs >= _notBeforeNs[node.Index])
            {
                LookAfter(node);
            }
        }

        Promote();
    }

    private void LookAfter(SimNode node)
    {
        if (!node.IsUp)
        {
            node.Start();
            return;
        }

        if (node.CommandsRunning > 0)
        {
            return;
        }

        foreach (VolumeStatus status in node.Status)
        {
            if (status.Disk == DiskState.Diskless && !node.Volume(status.Volume).IsOpen)
            {
                AttachOrPart(node, status);
                return;
            }
        }

        _attachTries[node.Index] = 0;
        if (node.Status.Count > 0 && node.Status[0].Connection == ConnectionState.StandAlone)
        {
            Connect(node);
            return;
        }

        RepairOdd(node);
    }

    /// <summary>
    /// A late attach may be refused for ever: while there is a connection nobody is asked whose changes to discard.
    /// </summary>
    private void AttachOrPart(SimNode node, VolumeStatus status)
    {
        _attachTries[node.Index] += status.Connection >= ConnectionState.Connected ? 1 : 0;
        if (_attachTries[node.Index] <= AttachTries)
        {
            Attach(node, status.Volume);
            return;
        }

        _attachTries[node.Index] = 0;
        if (cluster.Options.AgreedVersion < 91)
        {
            // Which data are newer needs version 91.
            cluster.Content.GiveUp(node.Index);
            node.RecreateMetaData();
        }
        else if (IsPrimary(node))
        {
            // It lives on the peer's data and may not leave it.
            node.Command(new AdminCommand.SetRole(false, false));
        }
        else
        {
            node.ExpectsConnection = false;
            node.Command(new AdminCommand.Disconnect(false));
        }
    }

    private static void Attach(SimNode node, int volume) => node.Command(
        new AdminCommand.Attach(volume, node.Volume(volume).Facts),
        result =>
        {
            if (result.Code == WrongGeneration && IsPrimary(node))
            {
                // The peer went on with other data: what this Primary's applications saw cannot be continued.
                node.Command(new AdminCommand.SetRole(false, false));
            }
        });

    private void Connect(SimNode node)
    {
        // Before version 96 a lost P_SYNC_UUID cannot be told from a split brain.
        bool explained = cluster.Content.IsForked || cluster.Currency.PrimaryLostItsDisk
            || cluster.Options.AgreedVersion < 96;
        if (node.WasRefused && !explained)
        {
            throw new SimulationException(
                $"node {node.Name} gave up its connection although the nodes never served apart; {cluster.Describe()}");
        }

        if (node.WasRefused && !cluster.Content.IsForked)
        {
            // The present data win; where no node has them all, no promise is left to be kept.
            cluster.Content.IsForked = true;
            Preferred = cluster.Content.IsCurrent(node.Index) ? node.Index : 1 - node.Index;
        }

        _refused = cluster.Content.IsForked && (_refused || node.WasRefused);
        if (_refused)
        {
            SolveSplitBrain();
        }
        else
        {
            _recreated = false;
            node.Command(new AdminCommand.Connect(false, false), _ => node.ExpectsConnection = true);
        }
    }

    /// <summary>The manual solution: the node that is not preferred gives up its changes.</summary>
    private void SolveSplitBrain()
    {
        SimNode victim = cluster.Nodes[1 - Preferred];
        SimNode winner = cluster.Nodes[Preferred];
        if (!victim.IsUp || !winner.IsUp || victim.CommandsRunning + winner.CommandsRunning > 0)
        {
            return;
        }

        if (IsPrimary(victim))
        {
            victim.Command(new AdminCommand.SetRole(false, false));
            return;
        }

        if (victim.Status[0].Connection != ConnectionState.StandAlone)
        {
            victim.ExpectsConnection = false;
            victim.Command(new AdminCommand.Disconnect(false));
            return;
        }

        cluster.Content.GiveUp(victim.Index);
        if (cluster.Options.AgreedVersion < 91 && !_recreated)
        {
            // After a lost P_SYNC_UUID so old a protocol never agrees on a direction again.
            _recreated = true;
            victim.RecreateMetaData();
            return;
        }

        // It may have met another lost P_SYNC_UUID since.
        _recreated &= winner.Status[0].Disk != DiskState.UpToDate;
        victim.Command(new AdminCommand.Connect(true, false), _ => victim.ExpectsConnection = true);
        if (winner.Status[0].Connection == ConnectionState.StandAlone)
        {
            winner.Command(new AdminCommand.Connect(false, false), _ => winner.ExpectsConnection = true);
        }
    }

    /// <summary>Connected, yet not in sync, and nothing goes on: only a new connection starts a resync.</summary>
    private void RepairOdd(SimNode node)
    {
        bool odd = node.Status.Any(s =>
            s.Connection == ConnectionState.Connected
            && (s.OutOfSyncKiB > 0 || s.Disk is DiskState.Inconsistent or DiskState.Outdated
                || s.PeerDisk is DiskState.Inconsistent or DiskState.Outdated));
        if (!odd)
        {
            _oddSinceNs[node.Index] = long.MaxValue;
            return;
        }

        _oddSinceNs[node.Index] = Math.Min(_oddSinceNs[node.Index], cluster.Queue.NowNs);
        if (cluster.Queue.NowNs - _oddSinceNs[node.Index] > 6 * Duration.Second)
        {
            _oddSinceNs[node.Index] = long.MaxValue;
            if (IsPrimary(node) && node.Status.Any(s => s.Disk != DiskState.UpToDate))
            {
                // It lives on the peer's data and may not leave it.
                node.Command(new AdminCommand.SetRole(false, false));
                return;
            }

            VolumeStatus? marked =
                node.Status.FirstOrDefault(s => CurrencyTracker.IsWhole(node, s.Volume) && s.OutOfSyncKiB > 0);
            if (marked is not null && !cluster.Nodes.Any(IsPrimary))
            {
                // A verify could not read: with no Primary to begin a generation, a new connection finds both to be the
                // same.
                SimNode victim = cluster.Nodes[1 - Preferred];
                if (victim.IsUp && victim.CommandsRunning == 0)
                {
                    cluster.Content.GiveUp(victim.Index);
                    victim.Command(new AdminCommand.Invalidate(marked.Volume, false));
                }

                return;
            }

            node.ExpectsConnection = false;
            node.Command(new AdminCommand.Disconnect(false));
        }
    }

    /// <summary>
    /// No node has data that it trusts, for a while: what is left is to declare one copy good. No promise covers that.
    /// </summary>
    private bool ForceOne()
    {
        SimNode node = cluster.Nodes[Preferred];
        if (!cluster.Nodes.All(n => n.IsUp && n.Status.Count > 0) || !node.Status.Any(s => IsLost(s.Volume)))
        {
            _lostSinceNs = long.MaxValue;
            return false;
        }

        _lostSinceNs = Math.Min(_lostSinceNs, cluster.Queue.NowNs);
        if (cluster.Options.AgreedVersion < 91 && cluster.Queue.NowNs - _lostSinceNs > 30 * Duration.Second)
        {
            // Neither can attach next to the other: which is the newer needs version 91.
            _lostSinceNs = long.MaxValue;
            cluster.Content.GiveUp(1 - Preferred);
            node.Peer.RecreateMetaData();
            return true;
        }

        if (node.Status.Any(s => s.Disk < DiskState.Inconsistent))
        {
            return false;
        }

        if (cluster.Queue.NowNs - _lostSinceNs < 10 * Duration.Second || cluster.Nodes.Any(n => n.CommandsRunning > 0))
        {
            return false;
        }

        SimNode? primary = cluster.Nodes.FirstOrDefault(IsPrimary);
        if (primary is not null)
        {
            primary.Command(new AdminCommand.SetRole(false, false));
            return true;
        }

        cluster.Network.CountFault("forced-copy");
        int[] lostVolumes = [.. node.Status.Select(s => s.Volume).Where(IsLost)];
        node.Command(new AdminCommand.SetRole(true, true), _ =>
        {
            // A history of its own begins; what the other node may still have is given up.
            cluster.Content.IsForked = true;
            foreach (int volume in lostVolumes)
            {
                cluster.Content.Model(1 - node.Index, volume).IsCurrent = false;
                cluster.Content.Adopt(node.Index, volume);
            }
        });
        return true;
    }

    private bool IsLost(int volume) => !cluster.Nodes.Any(n => n.Status.Any(
        s => s.Volume == volume && (s.Disk == DiskState.UpToDate || s.Connection > ConnectionState.Connected)));

    private void Promote()
    {
        if (ForceOne())
        {
            return;
        }

        if (twoPrimaries && !HoldPromotion && cluster.Nodes.Count(IsPrimary) == 1)
        {
            PromoteSecond(cluster.Nodes.First(n => !IsPrimary(n)));
            return;
        }

        if (HoldPromotion || cluster.Nodes.Any(IsPrimary)
            || cluster.Nodes.Any(n => n.RunningCommands.OfType<AdminCommand.SetRole>().Any()))
        {
            return;
        }

        SimNode preferred = cluster.Nodes[Preferred];
        SimNode node = MayPromote(preferred) ? preferred : preferred.Peer;
        if (MayPromote(node) && cluster.Queue.NowNs >= _notBeforeNs[node.Index])
        {
            node.Command(new AdminCommand.SetRole(true, false));
        }
    }

    private void PromoteSecond(SimNode node)
    {
        bool whole = cluster.Nodes.All(n => n.IsUp && n.CommandsRunning == 0
            && cluster.Content.IsCurrent(n.Index)
            && n.Status.All(s => CurrencyTracker.IsWhole(n, s.Volume)));
        if (whole && cluster.Queue.NowNs >= _notBeforeNs[node.Index])
        {
            node.Command(new AdminCommand.SetRole(true, false));
        }
    }
}
