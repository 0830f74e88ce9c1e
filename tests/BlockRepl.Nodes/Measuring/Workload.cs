using System.Globalization;
using System.Text.Json;

namespace BlockRepl.Nodes.Measuring;

/// <summary>One of the write patterns that every device is measured with.</summary>
/// <param name="IsThroughput">Whether MB/s is the figure of interest, or operations per second.</param>
/// <param name="Aim">How many times as fast as the other replicator it should be.</param>
/// <param name="FlushEvery">After so many writes a flush; 0 = never.</param>
public sealed record Workload(
    string Name, string BlockSize, int QueueDepth, string Pattern, bool IsThroughput, double Aim, int FlushEvery = 0)
{
    public static readonly Workload[] All =
    [
        new("1 MiB QD4", "1m", 4, "write", true, 1.5),
        new("128 KiB QD16", "128k", 16, "write", true, 1.5),
        new("with flushes", "128k", 16, "write", true, 1.5, FlushEvery: 128),
        new("4 KiB QD1", "4k", 1, "randwrite", false, 1.5),
        new("4 KiB QD32", "4k", 32, "randwrite", false, 10),
    ];
}

/// <summary>
/// What fio saw: bytes and operations per second, mean and 99th percentile of the latency in microseconds.
/// </summary>
public readonly record struct Figure(
    double BytesPerSecond, double OperationsPerSecond, double MeanMicroseconds, double P99Microseconds)
{
    public double Of(Workload workload) => workload.IsThroughput ? BytesPerSecond : OperationsPerSecond;

    public string Show(Workload workload) =>
        workload.IsThroughput
            ? (BytesPerSecond / 1e6).ToString("N0", CultureInfo.InvariantCulture) + " MB/s"
            : $"{OperationsPerSecond.ToString("N0", CultureInfo.InvariantCulture)}/s "
                + $"{MeanMicroseconds.ToString("N0", CultureInfo.InvariantCulture)} us";
}

/// <summary>Runs fio and reads its figures.</summary>
public static class Fio
{
    /// <summary>Writes for some seconds; <paramref name="target"/> are the options that name the device.</summary>
    public static Figure Measure(Workload workload, double seconds, long sizeBytes, params string[] target) =>
        Parse(Tool.Run("fio", 120, Options(workload, seconds, sizeBytes, target)).OrThrow().Output);

    /// <summary>What fio is told, wherever it runs.</summary>
    public static string[] Options(Workload workload, double seconds, long sizeBytes, params string[] target) =>
    [
        "--name=bench",
        "--bs=" + workload.BlockSize, "--iodepth=" + workload.QueueDepth, "--rw=" + workload.Pattern,
        "--size=" + sizeBytes, "--time_based",
        "--runtime=" + Milliseconds(seconds), "--ramp_time=" + Milliseconds(seconds / 4),
        "--fsync=" + workload.FlushEvery, "--randseed=1", "--output-format=json", .. target,
    ];

    /// <summary>The figures in fio's answer to <see cref="Options"/>.</summary>
    public static Figure Parse(string output)
    {
        using JsonDocument document = JsonDocument.Parse(output[output.IndexOf('{', StringComparison.Ordinal)..]);
        JsonElement write = document.RootElement.GetProperty("jobs")[0].GetProperty("write");
        JsonElement latency = write.GetProperty("clat_ns");
        return new Figure(
            write.GetProperty("bw_bytes").GetDouble(),
            write.GetProperty("iops").GetDouble(),
            latency.GetProperty("mean").GetDouble() / 1000,
            latency.GetProperty("percentile").GetProperty("99.000000").GetDouble() / 1000);
    }

    private static string Milliseconds(double seconds) =>
        ((int)(seconds * 1000)).ToString(CultureInfo.InvariantCulture) + "ms";
}
