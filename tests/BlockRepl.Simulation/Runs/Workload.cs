using BlockRepl.Core;
using BlockRepl.Core.State;
using BlockRepl.Simulation.Nodes;

namespace BlockRepl.Simulation.Runs;

/// <summary>
/// The applications: on every node that is Primary they read, write, flush, discard and zero, by the run's mix.
/// </summary>
internal sealed class Workload(SimCluster cluster, RunSettings settings, Rng rng)
{
    private readonly List<(int Volume, ulong Sector)> _spots = [];

    public bool IsRunning { get; private set; }

    public long Submitted { get; private set; }

    public void Start()
    {
        for (int i = 0; i < settings.HotSpots; i++)
        {
            int volume = rng.Below(settings.Options.Volumes);
            _spots.Add((volume, (ulong)rng.Between(0, (long)Sectors - 1)));
        }

        IsRunning = true;
        foreach (SimNode node in cluster.Nodes)
        {
            Next(node);
        }
    }

    public void Stop() => IsRunning = false;

    private ulong Sectors => cluster.Content.Model(0, 0).Sectors;

    private void Next(SimNode node)
    {
        if (!IsRunning)
        {
            return;
        }

        cluster.Queue.After(rng.Between(1, settings.MeanThinkNs * 2), () =>
        {
            Next(node);
            if (IsRunning && node.IsUp && node.Status.Count > 0 && node.Status[0].Role == Role.Primary)
            {
                int burst = rng.Percent(10) ? settings.MaxRequestsRunning : 1;
                for (int i = 0; i < burst && node.FrontEnd.RunningCount < settings.MaxRequestsRunning; i++)
                {
                    SubmitOne(node);
                }
            }
        });
    }

    private void SubmitOne(SimNode node)
    {
        Submitted++;
        int roll = rng.Below(100);
        if (roll < settings.FlushPercent)
        {
            node.FrontEnd.Submit(RequestKind.Flush, rng.Below(settings.Options.Volumes), 0, 0);
            return;
        }

        if (roll < settings.FlushPercent + settings.ZeroPercent)
        {
            RequestKind kind =
                rng.Pick(RequestKind.Discard, RequestKind.WriteZeroesMayUnmap, RequestKind.WriteZeroesNoUnmap);
            (int v, ulong s, int c) = Place(rng.Pick(4096, 1 << 20, 8 << 20));
            c = Math.Min(c, node.RunningHost.Core.GetDevice(v).MaxZeroBytes);
            node.FrontEnd.Submit(kind, v, s, c);
            return;
        }

        bool read = roll < settings.FlushPercent + settings.ZeroPercent + settings.ReadPercent;
        (int volume, ulong sector, int count) = Place(settings.MaxWriteBytes);
        count = Math.Min(count, node.RunningHost.Core.GetDevice(volume).MaxRequestBytes);
        if (read)
        {
            node.FrontEnd.Submit(RequestKind.Read, volume, sector, count);
        }
        else
        {
            node.FrontEnd.Submit(RequestKind.Write, volume, sector, count, rng.Percent(settings.FuaPercent));
        }
    }

    /// <summary>A volume, a sector and a size in bytes.</summary>
    private (int Volume, ulong Sector, int Count) Place(int maxBytes)
    {
        long count = rng.Skewed(1, maxBytes / 512);
        if (count >= 8 && rng.Percent(80))
        {
            count &= ~7L;
        }

        (int volume, ulong sector) = _spots.Count > 0 && rng.Percent(80)
            ? _spots[rng.Below(_spots.Count)]
            : (rng.Below(settings.Options.Volumes), (ulong)rng.Between(0, (long)Sectors - 1));
        sector += (ulong)rng.Skewed(0, 64);
        if (rng.Percent(80))
        {
            sector &= ~7UL;
        }

        count = Math.Min(count, (long)Sectors);
        return (volume, Math.Min(sector, Sectors - (ulong)count), (int)(count * 512));
    }
}
