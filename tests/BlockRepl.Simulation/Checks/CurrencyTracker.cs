using BlockRepl.Core;
using BlockRepl.Core.Generations;
using BlockRepl.Core.State;
using BlockRepl.Simulation.Nodes;

namespace BlockRepl.Simulation.Checks;

/// <summary>
/// Follows which nodes have the present data, as a careful administrator would: a node falls behind when a write is
/// acknowledged that it did not get, and catches up when a resync ends.
/// </summary>
public sealed class CurrencyTracker(SimCluster cluster)
{
    private readonly Dictionary<(int Node, int Volume), ulong> _generations = [];

    /// <summary>
    /// A Primary lost its disk: from then on the nodes may find that their data no longer fit together, and give up.
    /// </summary>
    public bool PrimaryLostItsDisk { get; private set; }

    /// <summary>A write was answered; judged by the state before and after the core's call.</summary>
    public void OnWriteAnswered(SimNode node, int volume, bool ok)
    {
        if (!ok)
        {
            return;
        }

        bool own = HasUpToDateDisk(node, volume);
        bool peer = Replicates(node, volume);
        node.Refresh();
        own &= HasUpToDateDisk(node, volume);
        peer &= Replicates(node, volume);
        NoteFork(node);
        ContentChecker content = cluster.Content;
        if (content.IsForked)
        {
            return;
        }

        if (!own)
        {
            content.Model(node.Index, volume).IsCurrent = false;
        }

        if (!peer)
        {
            content.Model(1 - node.Index, volume).IsCurrent = false;
        }
    }

    /// <summary>A batch of a node ended, and with it perhaps a resync.</summary>
    public void AfterBatch(SimNode node)
    {
        NoteFork(node);
        foreach (VolumeStatus status in node.Status)
        {
            if (status.Connection < ConnectionState.Connected)
            {
                cluster.Content.Model(node.Index, status.Volume).Apart = cluster.Content.NextMoment();
            }

            if (status.Disk is DiskState.Inconsistent or DiskState.Outdated)
            {
                cluster.Content.Model(node.Index, status.Volume).IsCurrent = false;
            }

            if (status.Disk == DiskState.Failed)
            {
                cluster.Content.DiskFailed(node.Index, status.Volume);
            }

            // Or was to lose it: the peer agreed to a detach and went on alone, but its answer never arrived.
            PrimaryLostItsDisk |= status is { Role: Role.Primary, Disk: < DiskState.UpToDate }
                or { PeerRole: Role.Primary, PeerDisk: DiskState.Failed };

            // A Primary that lost sight of its peer starts a data generation of its own, whether it writes or not.
            if (status is { Role: Role.Primary, Connection: < ConnectionState.Connected, Disk: DiskState.UpToDate }
                && !cluster.Content.IsForked)
            {
                cluster.Content.Model(1 - node.Index, status.Volume).IsCurrent = false;
            }

            NoteGeneration(node, status);
            if (IsWhole(node, status.Volume) && node.Peer.IsUp && IsWhole(node.Peer, status.Volume))
            {
                CatchUp(status.Volume);
            }
        }
    }

    /// <summary>
    /// Two Primaries that lose sight of each other go on with a history of their own each; also one that waits to
    /// become Primary or Secondary as the connection ends, for which it then needs nobody's consent.
    /// </summary>
    private void NoteFork(SimNode node)
    {
        bool apart = node.Status.Any(s => s.Connection < ConnectionState.Connected);
        cluster.Content.IsForked |= apart && cluster.Nodes.All(n => Serves(n) && cluster.Content.IsCurrent(n.Index));
    }

    private static bool Serves(SimNode node) => node.Status.Any(s => s.Role == Role.Primary)
        || node.RunningCommands.OfType<AdminCommand.SetRole>().Any();

    /// <summary>A new data generation that the peer does not share puts the peer behind.</summary>
    private void NoteGeneration(SimNode node, VolumeStatus status)
    {
        ulong current = UuidSet.Masked(status.Uuids.Current);
        if (current is 0 or UuidSet.JustCreated)
        {
            return;
        }

        bool known = _generations.TryGetValue((node.Index, status.Volume), out ulong before);
        _generations[(node.Index, status.Volume)] = current;
        bool shared = status is { Connection: >= ConnectionState.Connected, PeerDisk: DiskState.UpToDate };
        if (known && before != current && !shared && !cluster.Content.IsForked)
        {
            cluster.Content.Model(1 - node.Index, status.Volume).IsCurrent = false;
        }
    }

    /// <summary>Connected, and both disks UpToDate, as this node sees it.</summary>
    public static bool IsWhole(SimNode node, int volume) =>
        volume < node.Status.Count
        && node.Status[volume] is
        {
            Connection: ConnectionState.Connected,
            Disk: DiskState.UpToDate,
            PeerDisk: DiskState.UpToDate,
        };

    private void CatchUp(int volume)
    {
        ContentChecker content = cluster.Content;
        bool a = content.Model(0, volume).IsCurrent;
        bool b = content.Model(1, volume).IsCurrent;
        if (a == b)
        {
            return;
        }

        content.IsForked = false;
        content.Copied(a ? 0 : 1, a ? 1 : 0, volume);
    }

    private static bool HasUpToDateDisk(SimNode node, int volume) =>
        volume < node.Status.Count && node.Status[volume].Disk == DiskState.UpToDate;

    private static bool Replicates(SimNode node, int volume) =>
        volume < node.Status.Count
        && node.Status[volume].PeerDisk == DiskState.UpToDate
        && node.Status[volume].Connection is >= ConnectionState.Connected and < ConnectionState.Ahead
        && node.Peer.IsUp
        && HasUpToDateDisk(node.Peer, volume);
}
