using System.Globalization;
using BlockRepl.Nodes;

namespace BlockRepl.Interop.Tests;

/// <summary>A guest with the kernel's DRBD and drbd-utils.</summary>
internal sealed class KernelHost(string name, Guest guest, Disks disks, string handlerRecord)
    : Host(disks, handlerRecord), IDisposable
{
    private string _configuration = "";

    public override string Name => name;

    public Guest Guest => guest;

    public override bool HasPower => guest.HasPower;

    protected override QemuControl DiskControl => guest.Machine;

    public override string DiskPath(int disk) => "/dev/vd" + (char)('a' + disk);

    public override void ResizeDisk(int disk, long bytes) => guest.Machine.Resize(disk, bytes);

    public override HostStatus Status(int volume = 0) =>
        HostStatus.Parse(guest.Run("cat /proc/drbd").OrThrow(), volume);

    public override Generations Generations(int volume = 0) =>
        Interop.Tests.Generations.Parse(guest.Run($"drbdadm get-gi r0/{volume}").OrThrow());

    public override ToolResult Try(string command, params string[] options)
    {
        string target = command == "new-current-uuid" ? "r0/0" : "r0";
        string line = command switch
        {
            "create-md" => $"yes yes | drbdadm -- {string.Join(' ', options)} create-md {target}",
            "resize" or "verify" => $"drbdadm -- {string.Join(' ', options)} {command} {target}",
            _ => $"drbdadm {string.Join(' ', [command, .. options])} {target}",
        };
        GuestResult result = guest.Run(line);
        return new ToolResult(line, result.ExitCode, result.Output, "");
    }

    public override Load StartLoad(LoadShape shape, int seed, int volume = 0) =>
        new GuestLoad(guest, shape, seed, volume);

    public override void PowerOff() => guest.PowerOff();

    public override void PowerOn()
    {
        guest.PowerOn();
        Configure(_configuration);
    }

    public override void Configure(string configuration) => WriteConfiguration(configuration);

    public override void WriteConfiguration(string configuration)
    {
        _configuration = configuration;
        guest.Run($"cat >/etc/drbd.conf <<'EOF'\n{configuration}\nEOF").OrThrow();
    }

    public override void Clear()
    {
        if (guest.HasPower && (guest.IsLost || !guest.Run(ForgetAll).Succeeded))
        {
            guest.PowerOff();
        }

        if (guest.HasPower)
        {
            guest.Machine.Restore(Disks.Size);
        }

        Disks.Clear();
        if (!guest.HasPower)
        {
            guest.PowerOn();
        }
    }

    public override string HashOfDevice(long byteCount) =>
        guest.Run($"dd if=/dev/drbd0 bs=64k iflag=direct,count_bytes count={byteCount} 2>/dev/null | md5sum")
            .OrThrow()[..32];

    public override void Discard(long offset, int bytes) =>
        guest.Run($"blkdiscard -o {offset} -l {bytes} /dev/drbd0").OrThrow();

    public override void WriteZeroes(long offset, int bytes, bool mayUnmap) =>
        guest.Run($"zeroes /dev/drbd0 {offset} {bytes} {(mayUnmap ? "unmap" : "keep")}").OrThrow();

    public override bool TryRead(long offset, int bytes) =>
        guest.Run($"dd if=/dev/drbd0 of=/dev/null bs={bytes} count=1 skip={offset / bytes} iflag=direct").Succeeded;

    public override bool TryWrite(long offset, int bytes, byte pattern) =>
        guest.Run(
            $"""
            tr '\000' '\{Convert.ToString(pattern, 8)}' </dev/zero | head -c {bytes} >/tmp/pattern
            dd if=/tmp/pattern of=/dev/drbd0 bs={bytes} count=1 seek={offset / bytes} oflag=direct conv=notrunc
            """).Succeeded;

    public override long DeviceBytes() =>
        long.Parse(guest.Run("cat /sys/block/drbd0/size").OrThrow(), CultureInfo.InvariantCulture) * 512;

    public override IDisposable HoldOpen() => new Holder(guest);

    public override string[] HandlersCalled() =>
        guest.Run($"cat {HandlerRecord} 2>/dev/null").Output
            .Split('\n', StringSplitOptions.RemoveEmptyEntries);

    public void Dispose() => guest.Dispose();

    public override void Silence() => guest.Run($"arp -s {NetworkSegment.OurAddress} 02:00:00:00:00:98").OrThrow();

    public override void EndSilence() => guest.Run($"arp -d {NetworkSegment.OurAddress}").OrThrow();

    /// <summary>Ends one of the two TCP connections of the replication; the peer gets a reset.</summary>
    /// <param name="index">0 or 1: by the order of their ports.</param>
    public void ResetSocket(int index)
    {
        string[] ports = Sockets()[index].Split(' ');
        guest.Run($"ss -K sport = :{ports[0]} and dport = :{ports[1]}").OrThrow();
    }

    /// <summary>The connection's sockets: own port and peer's.</summary>
    public string[] Sockets() =>
        [.. guest.Run("ss -Htn state established").OrThrow().Split('\n')
            .Select(line => line.Split(' ', StringSplitOptions.RemoveEmptyEntries))
            .Where(f => f.Length > 3 && (Port(f[2]) == "7788" || Port(f[3]) == "7788"))
            .Select(f => $"{Port(f[2])} {Port(f[3])}").Order(StringComparer.Ordinal)];

    private static string Port(string address) => address[(address.LastIndexOf(':') + 1)..];

    /// <summary>A process that has the device open.</summary>
    private sealed class Holder(Guest guest) : IDisposable
    {
        private readonly string _process =
            guest.Run("sleep 100000 9<>/dev/drbd0 >/dev/null 2>&1 & echo $!").OrThrow().Trim();

        public void Dispose() =>
            guest.Run($"kill {_process}; while [ -e /proc/{_process}/fd/9 ]; do sleep 0.1; done");
    }

    private const string ForgetAll =
        """
        touch /tmp/load.stop
        rm -f /tmp/load.out
        ip link set eth0 up
        rm -f /tmp/*-handlers
        arp -d 10.77.0.1 2>/dev/null
        timeout 20 drbdsetup down r0 2>/dev/null
        rm -f /tmp/load.stop
        for disk in /dev/vd?; do blockdev --flushbufs $disk; done
        ! grep -q ' cs:' /proc/drbd || ! grep ' cs:' /proc/drbd | grep -qv Unconfigured
        """;
}
