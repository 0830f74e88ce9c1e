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
    private const long DiskBytes = 96 << 20;

    private const string Prepare =
        """
        mkdir -p /run/a /run/b /mnt /etc /dev/shm
        cat >/etc/drbd.conf <<\END
        global { usage-count no; }
        resource r0 {
          net { protocol C; }
          meta-disk internal;
          on a { device /dev/drbd0; disk /dev/vdb; address 127.0.0.1:7788; }
          on b { device /dev/drbd1; disk /dev/vdc; address 127.0.0.1:7789; }
        }
        END
        cat >/bin/br <<\END
        node=$1; shift
        LD_LIBRARY_PATH=/usr/bin exec /usr/bin/blockrepl --node $node --run-dir /run/$node --config /etc/drbd.conf "$@"
        END
        cat >/bin/begin <<\END
        dev=/dev; [ $1 = a ] || dev=/dev/$1
        export LD_LIBRARY_PATH=/usr/bin
        setsid /usr/bin/blockrepld --node $1 --run-dir /run/$1 --config /etc/drbd.conf --frontend $2 --dev-dir $dev \
          >>/run/$1.log 2>&1 &
        echo $! >/run/$1.pid
        for i in $(seq 300); do br $1 status >/dev/null 2>&1 && exit 0; usleep 100000; done
        cat /run/$1.log; exit 1
        END
        cat >/bin/writer <<\END
        i=0
        while [ ! -e /run/stop ]; do
          begin=$(cut -d' ' -f1 /proc/uptime)
          dd if=/dev/urandom of=/mnt/f$((i % 8)) bs=64k count=1 conv=fsync 2>/dev/null || { echo FAILED; exit 1; }
          (cd /mnt; md5sum f$((i % 8)) >/run/sum$((i % 8)))
          echo $begin $(cut -d' ' -f1 /proc/uptime)
          i=$((i + 1))
        done
        echo ended
        END
        chmod +x /bin/br /bin/begin /bin/writer
        hostname b
        br a create-md --force r0 && br b create-md --force r0
        """;

    [Theory]
    [InlineData("6.1", "nbd")]
    [InlineData("6.12", "nbd", "ublk")]
    [InlineData("6.12-arm64", "nbd", "ublk")]
    public void The_c_library_makes_devices_serves_them_dies_and_takes_them_over(
        string series, params string[] frontEnds)
    {
        using DeviceGuest guest = DeviceGuest.Start(series);
        foreach (string frontEnd in frontEnds)
        {
            string output = guest.Do($"/usr/bin/{frontEnd}_test kernel");
            Assert.Contains($"{frontEnd}: passed with the kernel", output);
            Note($"{series} {output.Replace('\n', ' ')}");
        }

        guest.Do("cd /tmp && /usr/bin/ring_test && /usr/bin/device_test && /usr/bin/digest_test", 300);
    }

    [Theory]
    [InlineData("6.1", "nbd", "ours")]
    [InlineData("6.1", "nbd", "kernel")]
    [InlineData("6.12", "nbd", "ours")]
    [InlineData("6.12", "ublk", "ours")]
    [InlineData("6.12", "ublk", "kernel")]
    public void A_mounted_file_system_outlives_its_daemons(string series, string frontEnd, string peer)
    {
        using DeviceGuest guest = DeviceGuest.Start(series, 2, DiskBytes);
        var other = new OtherNode(guest, peer == "kernel", frontEnd);
        try
        {
            Mount(guest, other, frontEnd);
            GuestResult refused = guest.Run("br a secondary r0");
            Assert.Equal(11, refused.ExitCode);
            Assert.Contains("is mounted on /mnt", refused.Output);

            guest.Do("writer >/run/writer.out 2>&1 &");
            string what = $"guest {series} {frontEnd}, peer {peer}";
            EndDaemons(guest, what + ", killed", $"kill -9 $(cat /run/a.pid); begin a {frontEnd}");
            EndDaemons(guest, what + ", restarted", "told=$(br a restart) && set -- $told && echo $2 >/run/a.pid");
            guest.Do("touch /run/stop");
            Poll.Until(() => guest.Do("tail -n 1 /run/writer.out") == "ended", "the writer to end", 60);
            Finish(guest, other);
        }
        catch (Exception error) when (error is not TimeoutException and not IOException)
        {
            throw new InvalidOperationException(
                error.Message + "\n" + guest.Run("tail -n 40 /run/*.log; dmesg | tail -n 20").Output, error);
        }
    }

    /// <summary>The daemon of node a ends by the command, again and again, while the writer writes.</summary>
    private static void EndDaemons(DeviceGuest guest, string what, string command)
    {
        var stalls = new List<double>();
        for (int i = StallTable.Times(FewTimes); i > 0; i--)
        {
            WaitForWrites(guest, Lines(guest));
            int before = Lines(guest);
            guest.Do(command);
            guest.Do("br a wait-connect r0");
            Assert.StartsWith("Primary/", guest.Do("br a role r0"));
            WaitForWrites(guest, Lines(guest));
            stalls.Add(LongestWrite(guest, before));
        }

        StallTable.Add(what, stalls);
    }

    private static void WaitForWrites(DeviceGuest guest, int before) =>
        Poll.Until(() => Lines(guest) > before + 5, "writes to go on", 60);

    private static void Mount(DeviceGuest guest, OtherNode other, string frontEnd)
    {
        guest.Do(Prepare);
        other.Up();
        guest.Do($"begin a {frontEnd} && br a up r0 && br a wait-connect r0");
        guest.Do("br a primary --force r0");
        Assert.StartsWith(
            frontEnd == "nbd" ? "/dev/nbd" : "/dev/ublkb", guest.Do("readlink /dev/drbd/by-res/r0/0"));
        Assert.Equal("1024", guest.Do("cat /sys/block/$(basename $(readlink /dev/drbd0))/queue/max_sectors_kb"));
        guest.Do("/usr/bin/mke2fs -q -t ext4 /dev/drbd0 && mount -t ext4 /dev/drbd0 /mnt");
        guest.Do("mkdir /mnt/d && cp /bin/busybox /usr/bin/* /mnt/d && cd /mnt && md5sum d/* >/run/sums && sync");
        guest.Do("rm /mnt/d/*_test && fstrim /mnt && sed -i /_test/d /run/sums");
    }

    /// <summary>The files are whole; the other node has them too.</summary>
    private static void Finish(DeviceGuest guest, OtherNode other)
    {
        guest.Do("cd /mnt && md5sum -c /run/sums /run/sum?");
        guest.Do("umount /mnt && /usr/bin/e2fsck -fn /dev/drbd0");
        Poll.Until(
            () => guest.Do("br a status").Contains("UpToDate/UpToDate", StringComparison.Ordinal), "the resync", 60);
        guest.Do("br a secondary r0 && ! dd if=/dev/drbd0 of=/dev/null count=1");
        other.Do("primary");
        guest.Do($"/usr/bin/e2fsck -fn {other.Device} && mount -t ext4 {other.Device} /mnt");
        guest.Do("cd /mnt && md5sum -c /run/sums /run/sum? && cd / && umount /mnt");
        other.Do("secondary");
        guest.Do("br a down r0");
        other.Do("down");
        Assert.Equal("", guest.Do("ls /dev | grep ublkb || true"));
        Assert.DoesNotContain("I/O error", guest.Do("dmesg"), StringComparison.OrdinalIgnoreCase);
    }

    /// <summary>Node b: another daemon of ours, or the guest's own kernel.</summary>
    private sealed class OtherNode(DeviceGuest guest, bool isKernel, string frontEnd)
    {
        public string Device => isKernel ? "/dev/drbd1" : "/dev/b/drbd1";

        public void Up()
        {
            if (!isKernel)
            {
                guest.Do($"begin b {frontEnd}");
            }

            Do("up");
        }

        public void Do(string command) => guest.Do(isKernel ? $"drbdadm {command} r0" : $"br b {command} r0");
    }

    private static int Lines(DeviceGuest guest)
    {
        string text = guest.Do("cat /run/writer.out");
        Assert.DoesNotContain("FAILED", text);
        return text.Count(c => c == '\n');
    }

    private static double LongestWrite(DeviceGuest guest, int after) => guest.Do("cat /run/writer.out").Split('\n')
        .Skip(after)
        .Select(line => line.Split(' ').Select(t => double.Parse(t, CultureInfo.InvariantCulture)).ToArray())
        .Max(times => times[1] - times[0]);

    private static void Note(string line)
    {
        string path = Path.Combine(Programs.RepositoryRoot, "artifacts", "interop", "devices.txt");
        File.AppendAllText(path, $"{DateTime.UtcNow:yyyy-MM-dd HH:mm} {line}\n");
    }
}
