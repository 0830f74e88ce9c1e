using System.Diagnostics;
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
    public static DeviceResult Measure(string protocol, string digest, long diskBytes, double seconds)
    {
        string integrity = digest == "none" ? "" : $" data-integrity-alg {digest};";
        var options = new TwoNodesOptions
        {
            Net = $"protocol {protocol};{integrity}",
            DiskBytes = diskBytes,
            Disk = "c-max-rate 4000M; c-fill-target 16M; c-min-rate 0; al-extents 1237;",
        };
        using var nodes = new TwoNodes(options);
        DiskFile.Fill(nodes.Left.DiskPath, diskBytes);
        DiskFile.Fill(nodes.Right.DiskPath, diskBytes);
        nodes.CreateAndConnect();
        var clock = Stopwatch.StartNew();
        nodes.FirstSync();
        double resync = diskBytes / clock.Elapsed.TotalSeconds;

        long deviceBytes = nodes.Left.Status().SizeSectors * 512;
        Figure[] figures = Workload.All
            .Select(
                w => Fio.Measure(w, seconds, deviceBytes & -(1 << 20), "--ioengine=nbd", "--uri=" + nodes.Left.NbdUri))
            .ToArray();
        var result = new DeviceResult(
            $"protocol {protocol}, digest {digest}",
            figures, resync, nodes.Left.ResidentKiB(), nodes.Right.ResidentKiB());
        nodes.Left.WaitFor(v => v.IsInSync && v.OutOfSyncKiB == 0, "both disks equal after the load");
        nodes.Down(nodes.Left, nodes.Right);
        return result;
    }
}
