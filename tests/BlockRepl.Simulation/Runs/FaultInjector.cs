using BlockRepl.Simulation.Disk;
using BlockRepl.Simulation.Net;
using BlockRepl.Simulation.Nodes;

namespace BlockRepl.Simulation.Runs;

/// <summary>Breaks links, connections and disks, as the run's settings say, until it is told to stop.</summary>
internal sealed class FaultInjector(SimCluster cluster, Rng rng)
{
    private int _generation;

    /// <summary>Everything works again from now on.</summary>
    public void Heal()
    {
        _generation++;
        cluster.Network.SetLink(true);
        cluster.Network.RefuseConnectPercent = 0;
        cluster.FlipsPerMillion = 0;
        foreach (SimSocket socket in cluster.Network.OpenSockets)
        {
            socket.CutAfterBytes = -1;
        }

        foreach (SimDisk disk in Disks())
        {
            foreach (DiskFault fault in disk.Faults.ToList())
            {
                disk.RetireFault(fault);
            }
        }
    }

    public IEnumerable<(string Kind, int Hits)> DiskFaultHits() =>
        Disks().SelectMany(d => d.Faults.Concat(d.RetiredFaults))
            .Where(f => f.Hits > 0)
            .Select(f => ("disk-" + f.Kind, f.Hits));

    public void BreakNetwork()
    {
        switch (rng.Below(6))
        {
            case 0:
                Silence(rng.Below(2), rng.Between(50, 20_000) * Duration.Millisecond);
                break;
            case 1:
                long time = rng.Between(50, 20_000) * Duration.Millisecond;
                Silence(0, time);
                Silence(1, time + rng.Between(0, 500) * Duration.Millisecond);
                break;
            case 2:
                cluster.Network.RefuseConnectPercent = rng.Pick(30, 80, 100);
                Later(rng.Between(1, 10) * Duration.Second, () => cluster.Network.RefuseConnectPercent = 0);
                break;
            default:
                CutSomewhere();
                break;
        }
    }

    public void BreakDisk()
    {
        SimNode node = cluster.Nodes[rng.Below(2)];
        SimVolume volume = node.Volumes[rng.Below(node.Volumes.Count)];
        DiskFaultKind kind = rng.Pick(
            DiskFaultKind.ReadError, DiskFaultKind.WriteError, DiskFaultKind.Stall, DiskFaultKind.Stall,
            DiskFaultKind.FlushError);
        bool inMeta = rng.Percent(30);
        SimDisk disk = inMeta ? volume.Meta : volume.Data;
        long end = volume.Layout.SuperBlockOffset + SimDisk.PageBytes;
        long first = inMeta
            ? rng.Pick(volume.Layout.BitmapOffset, volume.Layout.ActivityLogOffset, volume.Layout.SuperBlockOffset)
            : rng.Between(0, (long)cluster.Content.Model(0, 0).Sectors) * 512;
        bool wide = kind == DiskFaultKind.Stall || rng.Percent(50);
        DiskFault fault = new(kind)
        {
            FirstByte = wide && !inMeta ? 0 : first,
            EndByte = inMeta ? Math.Max(end, first + SimDisk.PageBytes)
                : wide ? long.MaxValue
                : first + rng.Skewed(512, 4 << 20),
            Times = rng.Pick(1, 1, 3, 20),
            OneIn = wide ? rng.Pick(1, 10, 50) : 1,
            StallNs = rng.Between(100, 3000) * Duration.Millisecond,
        };
        disk.Faults.Add(fault);
        node.Host?.Note(TraceKind.Fault, (ulong)kind, (ulong)first, () => $"disk fault {kind} from byte {first:x} on");
        Later(rng.Between(1, 20) * Duration.Second, () => disk.RetireFault(fault));
    }

    private void Silence(int fromNode, long time)
    {
        cluster.Network.SetLink(fromNode, up: false);
        cluster.Trace.Note(
            fromNode, (int)TraceKind.Fault, 20, (ulong)time, () => $"its sending falls silent for {time / 1e9:F3} s");
        Later(time, () => cluster.Network.SetLink(fromNode, up: true));
    }

    /// <summary>A connection breaks, at once or after some more bytes.</summary>
    private void CutSomewhere()
    {
        List<SimSocket> open = [.. cluster.Network.OpenSockets];
        if (open.Count == 0)
        {
            return;
        }

        SimSocket socket = open[rng.Below(open.Count)];
        socket.CutAfterBytes = rng.Percent(30) ? 0 : rng.Skewed(1, 4 << 20);
        cluster.Trace.Note(
            socket.Node, (int)TraceKind.Fault, 21, (ulong)socket.Id,
            () => $"stream {socket.Id} is to break soon");
    }

    private void Later(long delay, Action action)
    {
        int generation = _generation;
        cluster.Queue.After(delay, () =>
        {
            if (generation == _generation)
            {
                action();
            }
        });
    }

    private IEnumerable<SimDisk> Disks() => cluster.Nodes.SelectMany(n => n.Volumes).SelectMany(v => v.Disks);
}
