using BlockRepl.Nodes.Measuring;
using Xunit;

namespace BlockRepl.Interop.Tests.Devices;

/// <summary>
/// The benchmark's patterns in a guest, for the front ends that this machine's kernel lacks. Its processor is emulated:
/// how the front ends compare with each other and with the raw disk is of interest, not how fast they are.
/// </summary>
[Trait("Category", "Interop")]
public sealed class BenchScripts
{
    private const long DiskBytes = 128 << 20;
    private const long MeasuredBytes = 120 << 20;
    private const int UsualRounds = 3;
    private const double Seconds = 1;

    /// <summary>How long fio may take for it on a busy machine.</summary>
    private const int FioSeconds = 600;

    [Theory]
    [InlineData("6.1", "none", "nbd", "fuse")]
    [InlineData("6.12", "none", "nbd", "ublk", "fuse")]
    public void Each_front_end_is_measured_beside_the_raw_disk(string series, params string[] frontEnds)
    {
        Assert.SkipUnless(
            Environment.GetEnvironmentVariable("BLOCKREPL_BENCH") == series,
            $"measures for minutes; run: tools/bench --guest {series}");
        using DeviceGuest guest = DeviceGuest.Start(series, "load", 3, DiskBytes);
        guest.Do("for disk in vdb vdc vdd; do dd if=/dev/zero of=/dev/$disk bs=1M oflag=direct count=128; done", 300);
        var raw = new FioInGuest(guest, "raw disk", Block("/dev/vdd"));
        Report.Heading($"guest with Linux {series}, emulated processors; protocol C, both nodes of ours in it");
        Report.Columns();
        foreach (string frontEnd in frontEnds)
        {
            var pair = new DevicePair(guest, frontEnd, kernelIsPeer: false);
            pair.Play(() => Measure(pair, raw, frontEnd == "none"
                ? new FioInGuest(guest, "NBD socket", "--ioengine=nbd", "--uri=nbd+unix:///r0/0?socket=/run/a/nbd.sock")
                : new FioInGuest(guest, frontEnd + " device", Block("/dev/drbd0"))));
        }
    }

    private static int Rounds =>
        int.TryParse(Environment.GetEnvironmentVariable("BLOCKREPL_BENCH_ROUNDS"), out int wanted)
            ? wanted
            : UsualRounds;

    private static void Measure(DevicePair pair, FioInGuest raw, FioInGuest device)
    {
        pair.Begin();
        pair.WaitForSync();
        Figure[][][] figures = Contest.Run([raw, device], Rounds, Seconds);
        Report.Figures(raw.Name, Contest.Medians(figures[0]));
        Report.Figures(device.Name, Contest.Medians(figures[1]));
        Report.Ratio($"{device.Name} / raw disk", Contest.Quotients(figures[1], figures[0]));
        pair.WaitForSync();
        pair.End(MeasuredBytes);
        pair.EndDaemons();
    }

    private static string[] Block(string path) => ["--ioengine=libaio", "--direct=1", "--filename=" + path];

    private sealed class FioInGuest(DeviceGuest guest, string name, params string[] target) : IDevice
    {
        public string Name => name;

        public Figure Measure(Workload workload, double seconds) => Fio.Parse(
            guest.Do(
                "/usr/bin/fio " + string.Join(' ', Fio.Options(workload, seconds, MeasuredBytes, target)), FioSeconds));
    }
}
