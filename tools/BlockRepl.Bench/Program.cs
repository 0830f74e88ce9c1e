using System.Globalization;
using BlockRepl.Bench;
using BlockRepl.Platform.Digests;

if (args.Any(a => a != "--quick"))
{
    Console.Error.WriteLine("usage: tools/bench [--quick]");
    return 2;
}

bool quick = args.Contains("--quick");
double seconds = quick ? 0.9 : 5;
long diskBytes = quick ? 192L << 20 : 1L << 30;
string folder = Directory.CreateTempSubdirectory("blockrepl-bench-").FullName;
try
{
    Console.WriteLine(
        $"BlockRepl benchmark, {Environment.ProcessorCount} processors, "
        + $"{DateTime.UtcNow.ToString("u", CultureInfo.InvariantCulture)}, "
        + $"{seconds} s for each figure, disks of {diskBytes >> 20} MiB in {Path.GetDirectoryName(folder)}");
    Figure[] raw = MeasureMachine(folder, diskBytes, seconds);
    Figure[]? mirror = MirrorPeer.IsInstalled ? MeasureMirror(folder, diskBytes, seconds) : null;
    List<DeviceResult> results = MeasureBlockRepl(quick, diskBytes, seconds);
    ReportSyncAndMemory(results);
    ReportRatios(results, raw, mirror);
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

static Figure[] MeasureMirror(string folder, long diskBytes, double seconds)
{
    Report.Heading("another replicator in user space: qemu-storage-daemon, blockdev-mirror, write-blocking, no digest");
    Report.Columns();
    Figure[] mirror = MirrorPeer.Measure(folder, diskBytes, seconds);
    Report.Figures("mirror through NBD", mirror);
    return mirror;
}

static List<DeviceResult> MeasureBlockRepl(bool quick, long diskBytes, double seconds)
{
    Report.Heading("BlockRepl through NBD, both nodes on this machine");
    Report.Columns();
    var results = new List<DeviceResult>();
    foreach ((string name, string net, string disk) in DeviceCases.All(quick))
    {
        DeviceResult result = ReplicatedDevice.Measure(name, net, disk, diskBytes, seconds);
        results.Add(result);
        Report.Figures(result.Name, result.Figures);
    }

    return results;
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

static void ReportRatios(List<DeviceResult> results, Figure[] raw, Figure[]? mirror)
{
    Report.Heading("ratios (above 1: BlockRepl is faster)");
    Report.Columns();
    foreach (DeviceResult result in results)
    {
        Report.Ratio(result.Name + " / raw disk", result.Figures, raw);
    }

    if (mirror is null)
    {
        Report.Line("mirror", "not measured: needs qemu-storage-daemon (Debian package qemu-system-common)");
        return;
    }

    foreach (DeviceResult result in results)
    {
        Report.Ratio(result.Name + " / mirror", result.Figures, mirror);
    }

    foreach (DeviceResult result in results.Take(2))
    {
        Report.Heading($"aims: {result.Name}, against the mirror, which has no digest and flushes nothing");
        Report.Aims(result.Figures, mirror);
    }
}
