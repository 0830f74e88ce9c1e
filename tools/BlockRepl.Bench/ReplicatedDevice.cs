using System.Globalization;
using BlockRepl.Nodes;
using BlockRepl.Nodes.Measuring;

namespace BlockRepl.Bench;

/// <summary>How a pair of nodes did.</summary>
/// <param name="ResyncBytesPerSecond">Full sync of the whole device.</param>
/// <param name="ResidentKiB">Resident memory of the Primary's and the Secondary's daemon after all patterns.</param>
internal sealed record DeviceResult(
    string Name, Figure[] Figures, double ResyncBytesPerSecond, long PrimaryKiB, long SecondaryKiB);

/// <summary>Our device, through NBD or as a block device: two daemons on this machine.</summary>
internal sealed class ReplicatedDevice : IDevice, IDisposable
{
    private readonly TwoNodes _nodes;
    private readonly double _resyncBytesPerSecond;
    private readonly long _deviceBytes;

    /// <summary>Starts the pair and has it do its first full sync.</summary>
    public ReplicatedDevice(DeviceCase wanted, long diskBytes)
    {
        Name = wanted.Name;
        var options = new TwoNodesOptions
        {
            Net = wanted.Net,
            DiskBytes = diskBytes,
            FrontEnd = wanted.FrontEnd,

            // A fixed rate beyond what any disk can do: the controller's slow start and c-max-rate are not measured.
            Disk = $"c-plan-ahead 0; resync-rate 4000M; c-min-rate 0; al-extents 1237; {wanted.Disk}",
        };
        _nodes = new TwoNodes(options);
        DiskFile.Fill(_nodes.Left.DiskPath, diskBytes);
        DiskFile.Fill(_nodes.Right.DiskPath, diskBytes);
        _nodes.CreateAndConnect();
        _nodes.Left.Command("primary", "--force", options.Resource);
        _nodes.Left.Command("wait-sync", options.Resource);
        _nodes.WaitInSync();
        _resyncBytesPerSecond = diskBytes / SyncSeconds(_nodes.Right);
        _deviceBytes = (_nodes.Left.Status().SizeSectors * 512) & -(1 << 20);
    }

    public string Name { get; }

    public Figure Measure(Workload workload, double seconds)
    {
        string[] target = _nodes.Options.FrontEnd == "none"
            ? ["--ioengine=nbd", "--uri=" + _nodes.Left.NbdUri]
            : ["--ioengine=libaio", "--direct=1", "--filename=" + _nodes.Left.Device];
        return Fio.Measure(workload, seconds, _deviceBytes, target);
    }

    /// <summary>Sync and memory after the load; both disks must have become equal.</summary>
    public DeviceResult Finish(Figure[] figures)
    {
        var result = new DeviceResult(
            Name, figures, _resyncBytesPerSecond, _nodes.Left.ResidentKiB(), _nodes.Right.ResidentKiB());
        _nodes.Left.WaitFor(v => v.IsInSync && v.OutOfSyncKiB == 0, "both disks equal after the load");
        _nodes.Down(_nodes.Left, _nodes.Right);
        return result;
    }

    public void Dispose() => _nodes.Dispose();

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
