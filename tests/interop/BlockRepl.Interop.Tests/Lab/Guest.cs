using System.Diagnostics;
using System.Globalization;
using System.Net.Sockets;
using System.Text;
using BlockRepl.Nodes;

namespace BlockRepl.Interop.Tests;

/// <summary>What commands in the guest printed, both outputs together, and how they ended.</summary>
internal sealed record GuestResult(string Commands, int ExitCode, string Output)
{
    public bool Succeeded => ExitCode == 0;

    /// <exception cref="InvalidOperationException">They failed; the message has their output.</exception>
    public string OrThrow() =>
        Succeeded
            ? Output
            : throw new InvalidOperationException($"guest$ {Commands}\n{Output}\n(exit code {ExitCode})");
}

/// <summary>
/// A virtual machine with the kernel's DRBD: its power switch, its shell on a line and its kernel log.
/// </summary>
internal sealed class Guest : IDisposable
{
    private const int BootSeconds = 180;

    /// <summary>What it has read of its disks is not what they hold when it is started again.</summary>
    private const string ForgetDisks = "for disk in /dev/vd?; do blockdev --flushbufs $disk; done";

    private readonly NetworkSegment _segment;
    private readonly Place _place;
    private readonly GuestImage _image;
    private readonly string _folder;
    private readonly string[] _disks;
    private Process? _machine;
    private Socket? _line;
    private int _requests;

    /// <param name="folder">For the console's log and the sockets of QEMU; a folder of its own.</param>
    /// <param name="disks">Raw files; the guest sees /dev/vda, /dev/vdb and so on.</param>
    public Guest(NetworkSegment segment, Place place, GuestImage image, string folder, params string[] disks)
    {
        _segment = segment;
        _place = place;
        _image = image;
        _folder = Directory.CreateDirectory(folder).FullName;
        _disks = disks;
    }

    /// <summary>Where it stands on the segment.</summary>
    /// <param name="Number">Last part of its addresses.</param>
    public sealed record Place(string HostName, int Number, string Tap);

    /// <summary>Its disks' errors and sizes, and its saved state.</summary>
    public QemuControl Machine { get; private set; } = null!;

    public bool HasPower => _machine is { HasExited: false };

    /// <summary>How often it was switched on.</summary>
    public int Starts { get; private set; }

    /// <summary>The line was left in the middle of an answer: only a new start helps.</summary>
    public bool IsLost { get; private set; }

    /// <summary>The kernel log of all starts, with what the scenarios note in it.</summary>
    public string ConsolePath => Path.Combine(_folder, "console.log");

    private string LinePath => Path.Combine(_folder, "line");

    private string ControlPath => Path.Combine(_folder, "control");

    /// <summary>The guest as it was when it had just started for the first time, nothing configured yet.</summary>
    private string StartedPath => Path.Combine(_folder, "started");

    /// <summary>
    /// Switches it on and waits for its shell. To start takes an emulated machine ten times as long as to go on from
    /// where it was when it had just started, so it starts only once.
    /// </summary>
    public void PowerOn()
    {
        bool startedBefore = File.Exists(StartedPath);
        StartMachine(startedBefore ? ["-incoming", $"exec:cat '{StartedPath}'"] : []);
        if (!startedBefore)
        {
            Receive("@@ready", BootSeconds);
            Run(ForgetDisks).OrThrow();
            Machine.Save(StartedPath);
        }

        Run("reseed").OrThrow();
    }

    /// <summary>Cuts the power: nothing in the guest learns of it.</summary>
    public void PowerOff()
    {
        _line?.Dispose();
        _line = null;
        if (_machine is not null)
        {
            Machine?.Dispose();
            _machine.Kill();
            _machine.WaitForExit();
            _machine.Dispose();
            _machine = null;
        }
    }

    /// <summary>Runs shell commands.</summary>
    /// <exception cref="TimeoutException">They still run; the guest is of no more use.</exception>
    public GuestResult Run(string commands, int seconds = 60)
    {
        string id = "r" + (++_requests).ToString(CultureInfo.InvariantCulture);
        string oneLine = commands.Replace("\\", "\\\\", StringComparison.Ordinal)
            .Replace("\n", "\\n", StringComparison.Ordinal);
        _line!.Send(Encoding.UTF8.GetBytes($"{id} {oneLine}\n"));
        string answer = Receive("@@" + id, seconds, commands);
        int end = answer.LastIndexOf("\n@@" + id, StringComparison.Ordinal);
        int code = int.Parse(answer[(end + 4 + id.Length)..], CultureInfo.InvariantCulture);
        return new GuestResult(commands, code, answer[..end].Trim('\n'));
    }

    /// <summary>Length of the kernel log, to read from there later.</summary>
    public long ConsoleLength => File.Exists(ConsolePath) ? new FileInfo(ConsolePath).Length : 0;

    public string ConsoleSince(long position)
    {
        using FileStream file = File.Open(ConsolePath, FileMode.Open, FileAccess.Read, FileShare.ReadWrite);
        file.Position = Math.Min(position, file.Length);
        return new StreamReader(file).ReadToEnd();
    }

    public void Dispose() => PowerOff();

    private void StartMachine(string[] options)
    {
        File.Delete(LinePath);
        File.Delete(ControlPath);
        _machine = _segment.Start("qemu-system-x86_64", [.. MachineOptions(), .. options]);
        _machine.BeginErrorReadLine();
        _machine.BeginOutputReadLine();
        Poll.Until(() => !HasPower || File.Exists(LinePath), "QEMU to start");
        _line = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        Poll.Until(() => !HasPower || Connects(), "QEMU to take the line");
        Machine = new QemuControl(ControlPath);
        IsLost = false;
        Starts++;
    }

    private IEnumerable<string> MachineOptions() =>
    [
        "-accel", "tcg,thread=multi", "-cpu", "max", "-m", "512", "-smp", "1", "-nographic", "-nodefaults",
        "-no-reboot",
        "-kernel", _image.Kernel, "-initrd", _image.InitialRamDisk,
        "-append",
        "console=ttyS0 quiet loglevel=7 panic=-1 tsc=unstable no_timer_check "
            + $"interop.name={_place.HostName} interop.number={_place.Number}",
        "-netdev", $"tap,id=n0,ifname={_place.Tap},script=no,downscript=no",
        "-device", $"virtio-net-pci,netdev=n0,mac=52:54:00:77:00:0{_place.Number}",
        "-qmp", $"unix:{ControlPath},server=on,wait=off",
        "-chardev", $"file,id=console,path={ConsolePath},append=on", "-serial", "chardev:console",
        "-device", "virtio-serial-pci", "-chardev", $"socket,id=line,path={LinePath},server=on,wait=on",
        "-device", "virtserialport,chardev=line",
        .. _disks.SelectMany((path, i) => new[] { "-drive", "if=virtio,cache=writeback," + QemuControl.Disk(path, i) }),
    ];

    private bool Connects()
    {
        try
        {
            _line!.Connect(new UnixDomainSocketEndPoint(LinePath));
            return true;
        }
        catch (SocketException)
        {
            return false;
        }
    }

    /// <summary>Receives up to and with the line that begins with the marker.</summary>
    private string Receive(string marker, int seconds, string what = "start")
    {
        var clock = Stopwatch.StartNew();
        var text = new StringBuilder();
        byte[] buffer = new byte[64 << 10];
        while (true)
        {
            int left = (int)((seconds * 1000L) - clock.ElapsedMilliseconds);
            if (left <= 0 || !_line!.Poll(TimeSpan.FromMilliseconds(left), SelectMode.SelectRead))
            {
                IsLost = true;
                throw new TimeoutException($"the guest did not answer within {seconds} s to: {what}\n{text}");
            }

            int count = _line.Receive(buffer);
            if (count == 0)
            {
                IsLost = true;
                throw new IOException($"the guest is gone during: {what}\n{text}");
            }

            text.Append(Encoding.UTF8.GetString(buffer, 0, count).Replace("\r", "", StringComparison.Ordinal));
            string all = text.ToString();
            int at = all.StartsWith(marker, StringComparison.Ordinal)
                ? 0
                : all.IndexOf("\n" + marker, StringComparison.Ordinal);
            if (at >= 0 && all.IndexOf('\n', at + 1) >= 0)
            {
                return all;
            }
        }
    }
}
