using System.Globalization;
using BlockRepl.Nodes;
using Xunit;

namespace BlockRepl.Interop.Tests.Devices;

/// <summary>
/// Two nodes in one guest: a is our daemon with a kernel device, b a second daemon of ours or the guest kernel's DRBD.
/// Their disks are /dev/vdb and /dev/vdc, node a's file system is on /mnt.
/// </summary>
internal sealed class DevicePair(DeviceGuest guest, string frontEnd, bool kernelIsPeer)
{
    /// <summary>
    /// Shell commands that make programs: br NODE COMMAND... asks a node's daemon, begin NODE FRONTEND starts it.
    /// </summary>
    public const string Commands =
        """
        mkdir -p /run/a /run/b /mnt /etc /dev/shm
        cat >/bin/br <<\END
        node=$1; shift
        LD_LIBRARY_PATH=/usr/bin exec /usr/bin/blockrepl --node $node --run-dir /run/$node --config /etc/drbd.conf "$@"
        END
        cat >/bin/begin <<\END
        dev=/dev; [ $1 = a ] || dev=/dev/$1
        export LD_LIBRARY_PATH=/usr/bin
        ready() { grep -c '] Ready; ' /run/$1.log; }
        touch /run/$1.log
        before=$(ready $1)
        setsid /usr/bin/blockrepld --node $1 --run-dir /run/$1 --config /etc/drbd.conf --frontend $2 --dev-dir $dev \
          >>/run/$1.log 2>&1 &
        echo $! >/run/$1.pid
        for i in $(seq 600); do [ $(ready $1) -gt $before ] && exit 0; usleep 100000; done
        cat /run/$1.log; exit 1
        END
        chmod +x /bin/br /bin/begin
        """;

    private const string Prepare =
        """
        cat >/etc/drbd.conf <<\END
        global { usage-count no; }
        resource r0 {
          net { protocol C; }
          meta-disk internal;
          on a { device /dev/drbd0; disk /dev/vdb; address 127.0.0.1:7788; }
          on b { device /dev/drbd1; disk /dev/vdc; address 127.0.0.1:7789; }
        }
        END
        hostname b
        br a create-md --force r0 && br b create-md --force r0
        """;

    /// <summary>Node b's device while it is Primary.</summary>
    public string PeerDevice => kernelIsPeer ? "/dev/drbd1" : "/dev/b/drbd1";

    /// <summary>Starts both, and makes node a Primary of a device with a file system.</summary>
    public void Mount()
    {
        Begin();
        string device = frontEnd switch { "nbd" => "/dev/nbd", "ublk" => "/dev/ublkb", _ => "/dev/loop" };
        Assert.StartsWith(device, guest.Do("readlink /dev/drbd/by-res/r0/0"));
        if (frontEnd != "fuse")
        {
            string largest = frontEnd == "nbd" ? "128" : "1024";
            Assert.Equal(largest, guest.Do("cat /sys/block/$(basename $(readlink /dev/drbd0))/queue/max_sectors_kb"));
        }

        guest.Do("/usr/bin/mke2fs -q -t ext4 /dev/drbd0 && mount -t ext4 /dev/drbd0 /mnt", 300);
    }

    /// <summary>Starts both, and makes node a Primary, the first sync's source.</summary>
    public void Begin()
    {
        guest.Do(Commands);
        guest.Do(Prepare);
        if (!kernelIsPeer)
        {
            guest.Do($"begin b {frontEnd}");
        }

        DoOnPeer("up");
        guest.Do($"begin a {frontEnd} && br a up r0 && br a wait-connect r0");
        guest.Do("br a primary --force r0");
    }

    public void WaitForSync() => Poll.Until(
        () => guest.Do("br a status").Contains("UpToDate/UpToDate", StringComparison.Ordinal), "the resync", 300);

    /// <summary>
    /// Ends the use of the file system on node a, which must be whole; node b takes over and must have the same.
    /// </summary>
    /// <param name="check">What must succeed in /mnt on either node.</param>
    public void TakeOver(string check)
    {
        guest.Do($"cd /mnt && {check}", 300);
        guest.Do("umount /mnt && /usr/bin/e2fsck -fn /dev/drbd0", 300);
        WaitForSync();
        long bytes = long.Parse(guest.Do("blockdev --getsize64 /dev/drbd0"), CultureInfo.InvariantCulture);
        guest.Do("br a secondary r0 && ! dd if=/dev/drbd0 of=/dev/null count=1");
        DoOnPeer("primary");
        guest.Do($"/usr/bin/e2fsck -fn {PeerDevice} && mount -t ext4 {PeerDevice} /mnt", 300);
        guest.Do($"cd /mnt && {check} && cd / && umount /mnt", 300);
        DoOnPeer("secondary");
        End(bytes);
        Assert.Equal("", guest.Do("ls /dev | grep ublkb || true"));
        Assert.DoesNotContain("I/O error", guest.Do("dmesg"), StringComparison.OrdinalIgnoreCase);
    }

    /// <summary>Takes the resource down on both; both disks must have the same.</summary>
    public void End(long bytes)
    {
        guest.Do("br a down r0");
        DoOnPeer("down");
        Assert.Equal(-1, guest.FirstDifference(bytes));
    }

    /// <summary>Ends the daemons, so that the guest can have another pair.</summary>
    public void EndDaemons() =>
        guest.Do("kill $(cat /run/?.pid); while pidof blockrepld >/dev/null; do usleep 100000; done");

    /// <summary>Does something with a pair; what the daemons and the kernel logged goes with what fails.</summary>
    public void Play(Action script)
    {
        try
        {
            script();
        }
        catch (Exception error) when (guest.Answers)
        {
            string logs = guest.Run("tail -n 40 /run/*.log /run/fio.out").Output;
            throw new InvalidOperationException($"{error.Message}\n{logs}\n{guest.LastLines(100)}", error);
        }
    }

    /// <summary>Keeps what a script has measured.</summary>
    public static void Note(string line)
    {
        string path = Path.Combine(Programs.RepositoryRoot, "artifacts", "interop", "devices.txt");
        File.AppendAllText(path, $"{DateTime.UtcNow:yyyy-MM-dd HH:mm} {line}\n");
    }

    private void DoOnPeer(string command) => guest.Do(kernelIsPeer ? $"drbdadm {command} r0" : $"br b {command} r0");
}
