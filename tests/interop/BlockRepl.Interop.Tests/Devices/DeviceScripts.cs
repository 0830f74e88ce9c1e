using System.Globalization;
using BlockRepl.Nodes;
using Xunit;

namespace BlockRepl.Interop.Tests.Devices;

/// <summary>
/// Devices of the kernel that this machine's kernel does not have, in a guest: by our C library alone; and with our
/// daemon in that guest, a file system on the device and daemons that are killed or restarted. The peer, in the same
/// guest, is a second daemon of ours or the guest kernel's DRBD.
/// </summary>
[Trait("Category", "Interop")]
public sealed class DeviceScripts
{
    private const int FewTimes = 3;
    private const double LongStallSeconds = 10;
    private const long DiskBytes = 96 << 20;

    /// <summary>Two resources of node a, which never sees its peer.</summary>
    private const string OrphansConfiguration =
        """
        cat >/etc/drbd.conf <<\END
        resource fails {
          options { on-no-data-accessible io-error; }
          meta-disk internal;
          on a { device /dev/drbd0; disk /dev/vdb; address 127.0.0.1:7788; }
          on b { device /dev/drbd0; disk /dev/vdb; address 127.0.0.1:7789; }
        }
        resource waits {
          options { on-no-data-accessible suspend-io; }
          meta-disk internal;
          on a { device /dev/drbd1; disk /dev/vdc; address 127.0.0.1:7790; }
          on b { device /dev/drbd1; disk /dev/vdc; address 127.0.0.1:7791; }
        }
        END
        br a create-md --force fails && br a create-md --force waits
        """;

    [Theory]
    [InlineData("6.1", "nbd")]
    [InlineData("6.12", "nbd", "ublk")]
    [InlineData("6.12-arm64", "nbd", "ublk")]
    [InlineData("6.17", "nbd", "ublk")]
    public void The_c_library_makes_devices_serves_them_dies_and_takes_them_over(
        string series, params string[] frontEnds)
    {
        using DeviceGuest guest = DeviceGuest.Start(series, "tests");
        foreach (string frontEnd in frontEnds)
        {
            string output = guest.Do($"/usr/bin/{frontEnd}_test kernel");
            Assert.Contains($"{frontEnd}: passed with the kernel", output);
            DevicePair.Note($"{series} {output.Replace('\n', ' ')}");
        }

        guest.Do("cd /tmp && /usr/bin/ring_test && /usr/bin/device_test && /usr/bin/digest_test", 300);
    }

    [Theory]
    [InlineData("6.1", "nbd", "ours")]
    [InlineData("6.1", "nbd", "kernel")]
    [InlineData("6.12", "nbd", "ours")]
    [InlineData("6.12", "nbd", "kernel", Traits = ["Time", "Short"])]
    [InlineData("6.12", "ublk", "ours")]
    [InlineData("6.12", "ublk", "kernel", Traits = ["Time", "Short"])]
    [InlineData("6.12", "fuse", "ours")]
    [InlineData("6.12", "fuse", "kernel")]
    [InlineData("6.17", "nbd", "kernel")]
    [InlineData("6.17", "ublk", "kernel")]
    public void A_mounted_file_system_outlives_its_daemons(string series, string frontEnd, string peer)
    {
        using DeviceGuest guest = DeviceGuest.Start(series, "load", 2, DiskBytes);
        var pair = new DevicePair(guest, frontEnd, peer == "kernel");
        pair.Play(() =>
        {
            pair.Mount();
            guest.Do("mkdir /mnt/d && cp /bin/busybox /usr/bin/*_test /usr/bin/blockrepl /mnt/d");
            guest.Do("cd /mnt && md5sum d/b* >/run/sums && sync && rm /mnt/d/*_test");
            if (frontEnd != "fuse")
            {
                // There a discard is a hole, which must read as zeroes; these disks promise no such thing.
                guest.Do("fstrim /mnt");
            }

            GuestResult refused = guest.Run("br a secondary r0");
            Assert.Equal(11, refused.ExitCode);
            Assert.Contains("is mounted on /mnt", refused.Output);

            var writing = GuestWriting.Begin(guest, withFio: true);
            string what = $"guest {series} {frontEnd}, peer {peer}";
            EndDaemons(guest, writing, what + ", killed", $"kill -9 $(cat /run/a.pid); begin a {frontEnd}");
            EndDaemons(
                guest, writing, what + ", restarted", "told=$(br a restart) && set -- $told && echo $2 >/run/a.pid");
            writing.End();
            pair.TakeOver("md5sum -c /run/sums /run/sum?");
        });
    }

    /// <summary>
    /// Up to Linux 6.12 the NBD client loses a request, and then its connection, if the process that submits it is
    /// killed while it waits for room in the socket. So it must never wait there, not even when the daemon is silent.
    /// And should the connection die all the same, another takes its place.
    /// </summary>
    [Theory]
    [InlineData("6.1")]
    [InlineData("6.12", Traits = ["Time", "Short"])]
    public void Nbd_outlives_killed_writers_and_a_dead_connection(string series)
    {
        using DeviceGuest guest = DeviceGuest.Start(series, "load", 2, DiskBytes);
        var pair = new DevicePair(guest, "nbd", kernelIsPeer: true);
        pair.Play(() =>
        {
            pair.Mount();
            const string asleep = "for p in $(cat /run/writers); do cat /proc/$p/stat; done | grep -c ' [DS] '; true";
            guest.Do("for i in $(seq 8); do dd if=/dev/zero of=/mnt/k$i bs=1M count=2 conv=fsync 2>&1; done");
            var writing = GuestWriting.Begin(guest, withFio: true);
            for (int round = 0; round < 12; round++)
            {
                writing.WaitForMore();
                guest.Do("kill -STOP $(cat /run/a.pid)");
                guest.Do(
                    "for i in $(seq 8); do dd if=/dev/zero of=/mnt/k$i bs=1M count=2 conv=notrunc oflag=direct "
                        + "2>/dev/null & echo $!; done >/run/writers");
                Poll.Until(() => guest.Do(asleep) == "8", "eight writers to wait", 20);
                guest.Do("kill -9 $(cat /run/writers); kill -CONT $(cat /run/a.pid)");
            }

            writing.WaitForMore();
            Assert.Equal("", guest.Do("dmesg | grep 'block nbd' | grep -v 'Possible stuck request'; true"));
            for (int round = 0; round < 3; round++)
            {
                writing.WaitForMore();
                Assert.Equal("1", guest.Do("sever $(cat /run/a.pid)"));
                writing.WaitForMore();
            }

            writing.End();
            Assert.Contains("has a new connection", guest.Do("cat /run/a.log"), StringComparison.Ordinal);
            pair.TakeOver("md5sum -c /run/sum?");
        });
    }

    /// <summary>
    /// A daemon is killed and none comes: a mounted file system whose resource says io-error fails after two minutes, a
    /// read of one that says suspend-io waits until there is a daemon. That one finds nothing in its way.
    /// </summary>
    [Theory]
    [InlineData("6.12", "nbd")]
    [InlineData("6.12", "ublk")]
    [InlineData("6.12", "fuse")]
    [InlineData("6.17", "ublk")]
    public void Without_a_daemon_requests_fail_in_time_or_wait_for_one(string series, string frontEnd)
    {
        using DeviceGuest guest = DeviceGuest.Start(series, "daemon", 2, DiskBytes);
        new DevicePair(guest, frontEnd, kernelIsPeer: false).Play(() =>
        {
            guest.Do(DevicePair.Commands);
            guest.Do(OrphansConfiguration);
            guest.Do($"begin a {frontEnd} && br a up all && br a primary --force fails && br a primary --force waits");
            guest.Do("/usr/bin/mke2fs -q -t ext4 /dev/drbd0 && mount -t ext4 /dev/drbd0 /mnt", 300);
            guest.Do("touch /mnt/f && sync");

            // The keeper that counts the time is not the one that the devices began with.
            guest.Do("kill -9 $(pidof blockrepl-keeper)");
            const string Replaced = "another has taken its place";
            Poll.Until(
                () => guest.Do("cat /run/a.log").Contains(Replaced, StringComparison.Ordinal), "another keeper", 60);

            // Open before the daemon dies: what nobody uses then is given up.
            guest.Do(
                "(touch /run/open; until test -e /run/dead; do usleep 100000; done; "
                    + "dd of=/dev/null skip=1000 count=8; echo $? >/run/waits.end) </dev/drbd1 2>/dev/null &");
            Poll.Until(() => guest.Run("test -e /run/open").ExitCode == 0, "the reader to have it open", 60);

            // A request is under way when it dies.
            guest.Do("kill -STOP $(cat /run/a.pid)");
            guest.Do("(dd if=/dev/zero of=/mnt/f bs=64k count=1 conv=fsync; echo $? >/run/fails.end) 2>/run/dd.log &");
            const string busy =
                "set -- $(cat /sys/block/$(basename $(readlink /dev/drbd0))/inflight); [ $(($1 + $2)) -gt 0 ]";
            Poll.Until(() => guest.Run(busy).ExitCode == 0, "a request to be under way", 60);
            guest.Do("kill -9 $(cat /run/a.pid); touch /run/dead");
            double began = Uptime(guest);
            Poll.Until(() => guest.Run("test -s /run/fails.end").ExitCode == 0, "the write to fail", 200);
            double waited = Uptime(guest) - began;
            DevicePair.Note($"{series} {frontEnd}: without a daemon a write failed after {waited} s");
            Assert.Equal("1", guest.Do("cat /run/fails.end"));
            Assert.InRange(waited, 115, 160);
            Assert.Contains("I/O error", guest.Do("cat /run/dd.log; dmesg"), StringComparison.OrdinalIgnoreCase);
            guest.Do("umount /mnt; ! test -e /run/waits.end");

            guest.Do($"begin a {frontEnd}");
            Poll.Until(() => guest.Run("test -s /run/waits.end").ExitCode == 0, "the read to go on", 60);
            Assert.Equal("0", guest.Do("cat /run/waits.end"));
            guest.Do("br a up fails && br a primary fails && mount -t ext4 /dev/drbd0 /mnt");
            guest.Do("test -e /mnt/f && umount /mnt");
            guest.Do("br a down all && kill $(cat /run/a.pid)");
            Poll.Until(() => guest.Run("pidof blockrepld blockrepl-keeper").ExitCode != 0, "both processes to end", 60);
            Assert.Equal("", guest.Do("ls /dev | grep ublkb || true"));
        });
    }

    /// <summary>Both disks grow under a mounted file system, which then uses what was added.</summary>
    [Theory]
    [InlineData("6.12", "nbd")]
    [InlineData("6.17", "ublk")]
    public void A_mounted_file_system_grows_with_its_disks(string series, string frontEnd)
    {
        using DeviceGuest guest = DeviceGuest.Start(series, "daemon", 2, DiskBytes);
        var pair = new DevicePair(guest, frontEnd, kernelIsPeer: true);
        pair.Play(() =>
        {
            pair.Mount();
            var writing = GuestWriting.Begin(guest, withFio: false);
            writing.WaitForMore();
            Grow(guest);
            guest.Do("br a resize r0");
            Poll.Until(() => Bytes(guest, "/dev/drbd0") > DiskBytes, "the device to grow", 60);
            writing.WaitForMore();
            guest.Do("/usr/bin/resize2fs /dev/drbd0", 300);
            guest.Do($"dd if=/dev/urandom of=/mnt/big bs=1M count={DiskBytes >> 20} conv=fsync", 300);
            guest.Do("cd /mnt && md5sum big >/run/sums");
            writing.End();
            pair.TakeOver("md5sum -c /run/sums /run/sum?");
        });
    }

    /// <summary>Before 6.16 a ublk device keeps its size; who resizes it is told what to do, and that helps.</summary>
    [Fact]
    public void A_device_that_cannot_grow_in_use_does_with_the_next_promotion()
    {
        using DeviceGuest guest = DeviceGuest.Start("6.12", "daemon", 2, DiskBytes);
        var pair = new DevicePair(guest, "ublk", kernelIsPeer: true);
        pair.Play(() =>
        {
            pair.Mount();
            guest.Do("cp /bin/busybox /mnt && cd /mnt && md5sum busybox >/run/sums");
            Grow(guest);
            guest.Do("br a resize r0");
            const string Advice = "make the node Secondary and Primary again when nobody uses it";
            Poll.Until(() => guest.Do("cat /run/a.log").Contains(Advice, StringComparison.Ordinal), "the advice", 60);
            Assert.InRange(Bytes(guest, "/dev/drbd0"), 1, DiskBytes);
            guest.Do("umount /mnt && br a secondary r0 && br a primary r0");
            Assert.InRange(Bytes(guest, "/dev/drbd0"), DiskBytes + 1, 2 * DiskBytes);
            guest.Do("/usr/bin/resize2fs -f /dev/drbd0 && mount -t ext4 /dev/drbd0 /mnt", 300);
            pair.TakeOver("md5sum -c /run/sums");
        });
    }

    private static void Grow(DeviceGuest guest)
    {
        using QemuControl machine = guest.Control();
        machine.Resize(0, 2 * DiskBytes);
        machine.Resize(1, 2 * DiskBytes);
        foreach (string disk in new[] { "/dev/vdb", "/dev/vdc" })
        {
            Poll.Until(() => Bytes(guest, disk) == 2 * DiskBytes, "the new size of " + disk, 60);
        }
    }

    private static long Bytes(DeviceGuest guest, string device) =>
        long.Parse(guest.Do("blockdev --getsize64 " + device), CultureInfo.InvariantCulture);

    private static double Uptime(DeviceGuest guest) =>
        double.Parse(guest.Do("cut -d' ' -f1 /proc/uptime"), CultureInfo.InvariantCulture);

    /// <summary>The daemon of node a ends by the command, again and again, while the writer writes.</summary>
    private static void EndDaemons(DeviceGuest guest, GuestWriting writing, string what, string command)
    {
        var stalls = new List<double>();
        for (int i = StallTable.Times(FewTimes); i > 0; i--)
        {
            writing.WaitForMore();
            int before = writing.Lines;
            guest.Do(command);
            guest.Do("br a wait-connect r0");
            Assert.StartsWith("Primary/", guest.Do("br a role r0"));
            writing.WaitForMore();
            stalls.Add(writing.Longest(after: before));
            if (stalls[^1] > LongStallSeconds)
            {
                DevicePair.Note($"{what}, {stalls[^1]} s: {guest.Do("tail -n 60 /run/a.log")}");
            }
        }

        StallTable.Add(what, stalls);
    }
}
