using System.Globalization;
using Xunit;

namespace BlockRepl.Interop.Tests.Devices;

/// <summary>
/// File systems on our device under stress, in a guest: other people's tests, which must fail nowhere that they do not
/// on the raw disk; a compiler at work; and more dirty pages than there is memory.
/// </summary>
[Trait("Category", "Interop")]
public sealed class StressScripts
{
    private const long DiskBytes = 512 << 20;
    private const int CompilerMemoryMiB = 1024;
    private const int LittleMemoryMiB = 320;
    private const int LeftKiB = 90000;
    private const int Passed = 0;

    /// <summary>For 3 s of a test, and to remove what it has made: some make thousands of files.</summary>
    private const int StressSeconds = 600;

    /// <summary>PF_MEMALLOC_NOIO and PF_LOCAL_THROTTLE, what PR_SET_IO_FLUSHER sets in a task's flags.</summary>
    private const long IsIoFlusher = 0x0018_0000;

    /// <summary>stress-ng's class "filesystem": each of its tests alone, first on the raw disk.</summary>
    [Theory]
    [InlineData("6.1", "nbd", "ours")]
    [InlineData("6.12", "nbd", "kernel")]
    [InlineData("6.12", "ublk", "kernel")]
    public void Public_stress_tests_of_file_systems_fail_nowhere_that_they_do_not_on_the_raw_disk(
        string series, string frontEnd, string peer)
    {
        using DeviceGuest guest = DeviceGuest.Start(series, "stress", 3, DiskBytes, CompilerMemoryMiB);
        var pair = new DevicePair(guest, frontEnd, peer == "kernel");
        pair.Play(() =>
        {
            pair.Mount();
            pair.WaitForSync();
            guest.Do("mkdir /raw && /usr/bin/mke2fs -q -t ext4 /dev/vdd && mount -t ext4 /dev/vdd /raw");
            string[] names = guest.Do("/usr/bin/stress-ng --class filesystem? | sed 's/.*: //'").Split(' ');
            Dictionary<string, int> onRaw = Stress(guest, names, "/raw");
            Dictionary<string, int> onDevice = Stress(guest, names, "/mnt");
            guest.Do("umount /raw");
            DevicePair.Note(
                $"{series} {frontEnd}, peer {peer}, stress-ng: {onDevice.Values.Count(code => code == Passed)} passed; "
                    + $"else: {Others(onDevice)}; else on the raw disk: {Others(onRaw)}");
            Assert.True(onRaw.Values.Count(code => code == Passed) >= 40, Others(onRaw));
            Assert.Equal(onRaw, onDevice);
            pair.TakeOver("true");
        });
    }

    /// <summary>The C library of this project.</summary>
    [Theory]
    [InlineData("6.1", "nbd", "ours")]
    [InlineData("6.12", "nbd", "kernel")]
    [InlineData("6.12", "ublk", "kernel")]
    public void A_source_tree_is_unpacked_and_compiled_on_the_device(string series, string frontEnd, string peer)
    {
        using DeviceGuest guest = DeviceGuest.Start(series, "compiler", 2, DiskBytes, CompilerMemoryMiB);
        var pair = new DevicePair(guest, frontEnd, peer == "kernel");
        pair.Play(() =>
        {
            pair.Mount();
            guest.Do("cd /mnt && tar xf /usr/src/native.tar && PATH=$PATH:/usr/bin && compile && ls native.a", 900);
            guest.Do("cd /mnt && find . -type f | sort | xargs md5sum >/run/sums && sync");
            pair.TakeOver("md5sum -c /run/sums");
        });
    }

    /// <summary>
    /// Whoever writes pages to our device to free memory must not wait for a daemon that waits for memory. The kernel
    /// is the peer, because there is no room for a second daemon.
    /// </summary>
    [Theory]
    [InlineData("6.1", "nbd")]
    [InlineData("6.12", "nbd")]
    [InlineData("6.12", "ublk")]
    public void Dirty_pages_of_the_device_that_fill_the_memory_are_written(string series, string frontEnd)
    {
        using DeviceGuest guest = DeviceGuest.Start(series, "daemon", 2, DiskBytes, LittleMemoryMiB);
        var pair = new DevicePair(guest, frontEnd, kernelIsPeer: true);
        pair.Play(() =>
        {
            pair.Mount();
            string daemon = guest.Do("cat /run/a.pid");
            AssertProtected(guest, daemon);
            guest.Do("cd /proc/sys/vm && echo 60 >dirty_ratio && echo 50 >dirty_background_ratio");
            for (int round = 0; round < 3; round++)
            {
                // Another program takes what is left, so that nothing but the device's pages can be freed.
                guest.Do("mkdir -p /tmp/hog && mount -t tmpfs -o size=80% none /tmp/hog");
                string count = $"$((({Memory("MemAvailable")} - {LeftKiB}) / 64))";
                guest.Do($"dd if=/dev/zero of=/tmp/hog/f bs=64k count={count} 2>/dev/null; rm -f /run/low");
                string seen = $"echo {Memory("MemFree")} {Memory("Dirty")}";
                guest.Do($"while [ ! -e /run/low ]; do {seen}; usleep 100000; done >/run/memory 2>&1 &");
                guest.Do($"cd /mnt && dd if=/dev/urandom of=f{round} bs=1M count=120 && sync && touch /run/low", 600);
                guest.Do($"cd /mnt && md5sum f{round} >>/run/sums && umount /tmp/hog");
                string free = guest.Do("sort -n /run/memory | head -n 1");
                string dirty = guest.Do("sort -n -k 2 /run/memory | tail -n 1");
                DevicePair.Note($"{series} {frontEnd}, little memory, kB free and dirty: {free}; {dirty}");
            }

            Assert.Equal(daemon, guest.Do("pidof blockrepld"));
            Assert.DoesNotMatch("Out of memory|oom-kill|blocked for more than", guest.Do("dmesg"));
            pair.TakeOver("echo 3 >/proc/sys/vm/drop_caches && md5sum -c /run/sums");
        });
    }

    private static string Memory(string what) => $"$(sed -n 's/^{what}: *\\([0-9]*\\) kB/\\1/p' /proc/meminfo)";

    /// <summary>The kernel says of the process what it has asked for.</summary>
    private static void AssertProtected(DeviceGuest guest, string process)
    {
        Assert.Equal("-1000", guest.Do($"cat /proc/{process}/oom_score_adj"));
        string locked = guest.Do($"sed -n 's/^VmLck:[^0-9]*\\([0-9]*\\) kB/\\1/p' /proc/{process}/status");
        Assert.NotEqual("0", locked);
        string loop = guest.Do($"for t in /proc/{process}/task/*; do grep -q res- $t/comm && cat $t/stat; done; true");
        long flags = long.Parse(loop[(loop.LastIndexOf(')') + 1)..].Split(' ')[7], CultureInfo.InvariantCulture);
        Assert.Equal(IsIoFlusher, flags & IsIoFlusher);
    }

    /// <returns>
    /// stress-ng's exit code for each test; 0: passed, 2: failed, 3 and 4: this system has not what it needs.
    /// </returns>
    private static Dictionary<string, int> Stress(DeviceGuest guest, string[] names, string folder) =>
        names.ToDictionary(
            name => name,
            name => guest.Run(
                $"mkdir {folder}/s && /usr/bin/stress-ng --{name} 1 --timeout 3s --verify --temp-path {folder}/s; "
                    + $"code=$?; rm -r {folder}/s; exit $code",
                StressSeconds).ExitCode);

    private static string Others(Dictionary<string, int> codes) =>
        string.Join(' ', codes.Where(pair => pair.Value != Passed).Select(pair => $"{pair.Key}={pair.Value}"));
}
