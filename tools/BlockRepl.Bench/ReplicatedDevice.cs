using System.Globalization;
using BlockRepl.Nodes;

namespace BlockRepl.Bench;

/// <summary>How a pair of nodes did.</summary>
/// <param name="ResyncBytesPerSecond">Full sync of the whole device.</param>
/// <param name="ResidentKiB">Resident memory of the Primary's and the Secondary's daemon after all patterns.</param>
internal sealed record DeviceResult(
    string Name, Figure[] Figures, double ResyncBytesPerSecond, long PrimaryKiB, long SecondaryKiB);

/// <summary>Measures our device through NBD: two daemons on this machine.</summary>
internal static class ReplicatedDevice
{
    /// <param name="disk">Options of the disk section besides those that let a resync run as fast as it can.</param>
    public static DeviceResult Measure(string name, string net, string disk, long diskBytes, double seconds)
    {
        var options = new TwoNodesOptions
        {
            Net = net,
            DiskBytes = diskBytes,

            // A fixed rate beyond what any disk can do: the controller's slow start and c-max-rate are not measured.
            Disk = $"c-plan-ahead 0; resync-rate 4000M; c-min-rate 0; al-extents 1237; {disk}",
        };
        using var nodes = new TwoNodes(options);
        DiskFile.Fill(nodes.Left.DiskPath, diskBytes);
        DiskFile.Fill(nodes.Right.DiskPath, diskBytes);
        nodes.CreateAndConnect();
        nodes.Left.Command("primary", "--force", options.Resource);
        nodes.Left.Command("wait-sync", options.Resource);
        nodes.WaitInSync();
        double resync = diskBytes / SyncSeconds(nodes.Right);

        long deviceBytes = nodes.Left.Status().SizeSectors * 512;
        Figure[] figures = Workload.All
            .Select(
                w => Fio.Measure(w, seconds, deviceBytes & -(1 << 20), "--ioengine=nbd", "--uri=" + nodes.Left.NbdUri))
            .ToArray();
        var result = new DeviceResult(
            name, figures, resync, nodes.Left.ResidentKiB(), nodes.Right.ResidentKiB());
        nodes.Left.WaitFor(v => v.IsInSync && v.OutOfSyncKiB == 0, "both disks equal after the load");
        nodes.Down(nodes.Left, nodes.Right);
        return result;
    }

    /// <summary>
    /// How long the sync took by the target's own log: asking for the state again and again would take the processor
    /// away.
    /// </summary>
    private static double SyncSeconds(Node target)
    {
        DateTime start = default;
        foreach (string line in File.ReadLines(target.LogPath))
        {
            if (line.Contains("-> Secondary/Primary SyncTarget", StringComparison.Ordinal))
            {
                start = TimeOf(line);
            }
            else if (line.Contains("resync done (target)", StringComparison.Ordinal))
            {
                return (TimeOf(line) - start).TotalSeconds;
            }
        }

        throw new InvalidOperationException("the log does not show the sync:\n" + target.LogTail());
    }

    private static DateTime TimeOf(string line) =>
        DateTime.ParseExact(line[..23], "yyyy-MM-dd HH:mm:ss.fff", CultureInfo.InvariantCulture);
}
