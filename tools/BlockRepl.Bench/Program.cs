using System.Globalization;
using BlockRepl.Bench;
using BlockRepl.Nodes.Measuring;
using BlockRepl.Platform.Digests;

if (args.Any(a => a != "--quick"))
{
    Console.Error.WriteLine("usage: tools/bench [--quick]");
    return 2;
}

bool quick = args.Contains("--quick");
double seconds = quick ? 0.9 : 5;
int rounds = quick ? 1 : 3;
long diskBytes = quick ? 192L << 20 : 1L << 30;
string folder = Directory.CreateTempSubdirectory("blockrepl-bench-").FullName;
try
{
    Console.WriteLine(
        $"BlockRepl benchmark, {Environment.ProcessorCount} processors, "
        + $"{DateTime.UtcNow.ToString("u", CultureInfo.InvariantCulture)}, "
        + $"{seconds} s for each figure, disks of {diskBytes >> 20} MiB in {Path.GetDirectoryName(folder)}");
    Figure[] raw = MeasureMachine(folder, diskBytes, seconds);
    List<DeviceResult> results = [];
    double[][] againstMirror = MeasureAims(folder, results);
    MeasureOthers(results);
    ReportSyncAndMemory(results);
    ReportRatios(results, raw, againstMirror);
    return 0;
}
finally
{
    Directory.Delete(folder, recursive: true);
}

static Figure[] MeasureMachine(string folder, long diskBytes, double seconds)
{
    Report.Heading("the machine");
    Report.Columns();
    Figure[] raw = Machine.RawDisk(folder, diskBytes, seconds);
    Report.Figures("raw disk (O_DIRECT)", raw);
    Report.Line("TCP over loopback, one stream", Report.Rate(Machine.TcpThroughput(seconds / 2)));
    Report.Line(
        "TCP round trip, 4 KiB",
        Machine.TcpRoundTrip(seconds / 2).ToString("N0", CultureInfo.InvariantCulture) + " us");
    Report.Line("MD5, one core, 4 KiB, one by one", Report.Rate(Machine.Md5Single(seconds / 2)));
    Report.Line(
        "MD5, one core, 4 KiB, batches", Report.Rate(Machine.Md5Batch(seconds / 2)) + "  (" + Digest.Describe() + ")");
    return raw;
}

// Those that the aims compare take turns; each figure is the one in the middle of the rounds.
double[][] MeasureAims(string folder, List<DeviceResult> results)
{
    Report.Heading("BlockRepl through NBD, both nodes on this machine" + (MirrorPeer.IsInstalled
        ? "; and in turns with it qemu-storage-daemon, blockdev-mirror, write-blocking, no digest"
        : ""));
    Report.Columns();
    ReplicatedDevice[] ours = DeviceCase.Aims.Select(c => new ReplicatedDevice(c, diskBytes)).ToArray();
    using MirrorPeer? mirror = MirrorPeer.IsInstalled ? new MirrorPeer(folder, diskBytes) : null;
    try
    {
        Figure[][][] figures = Contest.Run(mirror is null ? ours : [.. ours, mirror], rounds, seconds);
        for (int i = 0; i < ours.Length; i++)
        {
            results.Add(ours[i].Finish(Contest.Medians(figures[i])));
            Report.Figures(ours[i].Name, results[i].Figures);
        }

        if (mirror is null)
        {
            return [];
        }

        Report.Figures(mirror.Name, Contest.Medians(figures[^1]));
        return ours.Select((_, i) => Contest.Quotients(figures[i], figures[^1])).ToArray();
    }
    finally
    {
        Array.ForEach(ours, d => d.Dispose());
    }
}

void MeasureOthers(List<DeviceResult> results)
{
    foreach (DeviceCase other in DeviceCase.Others(quick))
    {
        using var device = new ReplicatedDevice(other, diskBytes);
        results.Add(device.Finish(Workload.All.Select(w => device.Measure(w, seconds)).ToArray()));
        Report.Figures(device.Name, results[^1].Figures);
    }
}

static void ReportSyncAndMemory(List<DeviceResult> results)
{
    Report.Heading("full sync and memory");
    foreach (DeviceResult result in results)
    {
        Report.Line(
            result.Name,
            $"full sync {Report.Rate(result.ResyncBytesPerSecond),10}   resident: "
            + $"Primary {result.PrimaryKiB >> 10} MiB, Secondary {result.SecondaryKiB >> 10} MiB");
    }
}

void ReportRatios(List<DeviceResult> results, Figure[] raw, double[][] againstMirror)
{
    Report.Heading("ratios (above 1: BlockRepl is faster)");
    Report.Columns();
    foreach (DeviceResult result in results)
    {
        Report.Ratio(
            result.Name + " / raw disk", Workload.All.Select((w, i) => result.Figures[i].Of(w) / raw[i].Of(w)));
    }

    if (againstMirror.Length == 0)
    {
        Report.Line("mirror", "not measured: needs qemu-storage-daemon (Debian package qemu-system-common)");
    }

    for (int i = 0; i < againstMirror.Length; i++)
    {
        Report.Heading($"aims: {results[i].Name}, against the mirror, which has no digest and flushes nothing");
        Report.Aims(againstMirror[i], judge: !quick);
    }
}
