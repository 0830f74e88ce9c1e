using System.Diagnostics;
using System.Globalization;
using System.Text;
using BlockRepl.Nodes;
using Xunit;

namespace BlockRepl.Interop.Tests.Devices;

/// <summary>
/// A virtual machine in which our own programs run, with kernel modules that this machine lacks. It has no network but
/// its own loopback, and needs no privilege. Its line is QEMU's standard input and output.
/// </summary>
internal sealed class DeviceGuest : IDisposable
{
    private const int BuildSeconds = 900;
    private const int BootSeconds = 300;
    private const int SomethingIsMissing = 3;
    private const int UsualMemoryMiB = 768;

    private static readonly Lock Preparing = new();

    private readonly string _folder;
    private readonly Process _machine;
    private int _requests;

    /// <param name="options">QEMU's, for what it has beyond the common, or instead.</param>
    /// <param name="saved">Goes on from there, see <see cref="QemuControl.Save"/>; null: it starts.</param>
    private DeviceGuest(string series, string folder, string files, IEnumerable<string> options, string? saved)
    {
        bool arm = series.EndsWith("arm64", StringComparison.Ordinal);
        string image = ImageFolder(series);
        _folder = folder;
        string[] words =
        [
            "-accel", "tcg,thread=multi", "-m", $"{UsualMemoryMiB}", "-smp", "2",
            "-nographic", "-nodefaults", "-no-reboot",
            "-kernel", Path.Combine(image, "vmlinuz"), "-initrd", Path.Combine(image, "initrd.gz"),
            "-append",
            $"console={(arm ? "ttyAMA0" : "ttyS0 tsc=unstable no_timer_check")} quiet loglevel=7 panic=-1 "
                + "interop.name=devices interop.number=1",
            "-netdev", "user,id=n0,restrict=on", "-device", "virtio-net-pci,netdev=n0",
            "-qmp", $"unix:{ControlPath},server=on,wait=off",
            "-chardev", $"file,id=console,path={ConsolePath}", "-serial", "chardev:console",
            "-device", "virtio-serial-pci", "-chardev", "stdio,id=line,signal=off",
            "-device", "virtserialport,chardev=line",
            "-drive", $"if=none,id=programs,format=raw,readonly=on,file={files}",
            "-device", "virtio-blk-pci,drive=programs",
            .. options,
            .. arm ? new[] { "-M", "virt", "-cpu", "cortex-a53" } : ["-cpu", "max"],
            .. saved is null ? Array.Empty<string>() : ["-incoming", $"exec:cat '{saved}'"],
        ];
        _machine = Process.Start(new ProcessStartInfo(Emulator(series), words)
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
        })!;
        if (saved is null)
        {
            _ = Receive("@@ready", BootSeconds, "start");
            Run("tar xf /dev/vda -C /").OrThrow();
        }
    }

    public bool HasEnded => _machine.HasExited;

    /// <summary>False when it has not answered in time; it is of no more use then.</summary>
    public bool Answers { get; private set; } = true;

    public string Console => File.Exists(ConsolePath) ? File.ReadAllText(ConsolePath) : "";

    private string ConsolePath => Path.Combine(_folder, "console.log");

    private string ControlPath => Path.Combine(_folder, "control");

    /// <summary>A guest with our programs and empty disks; skips the test without what it needs.</summary>
    /// <param name="series">As guest/build has it.</param>
    /// <param name="what">Which programs, see guest/files.</param>
    /// <param name="disks">How many empty ones: /dev/vdb and so on, to <see cref="Control"/> 0 and so on.</param>
    public static DeviceGuest Start(
        string series, string what, int disks = 0, long diskBytes = 0, int memoryMiB = UsualMemoryMiB)
    {
        string files = Prepare(series, what);
        string folder = Directory.CreateTempSubdirectory("brguest").FullName;
        var options = new List<string> { "-m", memoryMiB.ToString(CultureInfo.InvariantCulture) };
        for (int i = 0; i < disks; i++)
        {
            string path = DiskPath(folder, i);
            using (FileStream file = File.Create(path))
            {
                file.SetLength(diskBytes);
            }

            options.AddRange(["-drive", $"if=virtio,format=raw,cache=unsafe,node-name=disk{i},file={path}"]);
        }

        return new DeviceGuest(series, folder, files, options, null);
    }

    /// <summary>A guest with other hardware; <see cref="Prepare"/> has made what it needs.</summary>
    public static DeviceGuest Start(string series, string files, IEnumerable<string> options, string? saved) =>
        new(series, Directory.CreateTempSubdirectory("brguest").FullName, files, options, saved);

    /// <summary>Makes what a guest needs; skips the test if something is missing here.</summary>
    /// <param name="what">Which programs, see guest/files.</param>
    /// <returns>The disk with the programs.</returns>
    public static string Prepare(string series, string what)
    {
        if (Tool.Find(Emulator(series)) is null)
        {
            Assert.Skip("needs " + Emulator(series));
        }

        string architecture = series.EndsWith("arm64", StringComparison.Ordinal) ? "arm64" : "amd64";
        string programs = Path.Combine(Artifacts, $"files-{architecture}-{what}");
        lock (Preparing)
        {
            Build("build", series, ImageFolder(series), "nbd", "ublk_drv", "fuse", "ext4", "loop", "softdog");
            Build("files", architecture, what, programs);
        }

        return Path.Combine(programs, "files.tar");
    }

    /// <summary>Its disks and its end, seen from outside.</summary>
    public QemuControl Control() => new(ControlPath);

    /// <summary>
    /// Compares its first two disks, from outside, because an emulated processor takes minutes for it.
    /// </summary>
    /// <returns>Where the first piece begins that is not the same; -1: there is none.</returns>
    public long FirstDifference(long bytes)
    {
        using FileStream one = File.OpenRead(DiskPath(_folder, 0));
        using FileStream other = File.OpenRead(DiskPath(_folder, 1));
        byte[] left = new byte[1 << 20];
        byte[] right = new byte[1 << 20];
        for (long at = 0; at < bytes; at += left.Length)
        {
            int count = (int)Math.Min(left.Length, bytes - at);
            one.ReadExactly(left, 0, count);
            other.ReadExactly(right, 0, count);
            if (!left.AsSpan(0, count).SequenceEqual(right.AsSpan(0, count)))
            {
                return at;
            }
        }

        return -1;
    }

    /// <returns>When it has ended.</returns>
    public DateTime WaitForEnd(int seconds)
    {
        Poll.Until(() => HasEnded, "the guest's end", seconds, () => LastLines(30));
        return _machine.ExitTime;
    }

    /// <summary>Runs shell commands.</summary>
    /// <exception cref="TimeoutException">They still run; the guest is of no more use.</exception>
    public GuestResult Run(string commands, int seconds = 120)
    {
        string id = "r" + (++_requests).ToString(CultureInfo.InvariantCulture);
        string oneLine = commands.Replace("\\", "\\\\", StringComparison.Ordinal)
            .Replace("\n", "\\n", StringComparison.Ordinal);
        _machine.StandardInput.Write($"{id} {oneLine}\n");
        _machine.StandardInput.Flush();
        (string output, string end) = Receive("@@" + id + " ", seconds, commands);
        return new GuestResult(commands, int.Parse(end, CultureInfo.InvariantCulture), output.Trim('\n'));
    }

    /// <summary>Of its console, where the kernel complains.</summary>
    public string LastLines(int count) => string.Join('\n', Console.Split('\n').TakeLast(count));

    public string Do(string commands, int seconds = 120) => Run(commands, seconds).OrThrow();

    public void Dispose()
    {
        _machine.Kill();
        _machine.WaitForExit();
        _machine.Dispose();
        Directory.Delete(_folder, recursive: true);
    }

    private static string Artifacts => Path.Combine(Programs.RepositoryRoot, "artifacts", "interop");

    private static string ImageFolder(string series) => Path.Combine(Artifacts, "devices-" + series);

    private static string DiskPath(string folder, int number) => Path.Combine(folder, $"disk{number}");

    private static string Emulator(string series) =>
        series.EndsWith("arm64", StringComparison.Ordinal) ? "qemu-system-aarch64" : "qemu-system-x86_64";

    private static void Build(string script, params string[] arguments)
    {
        string path = Path.Combine(Programs.RepositoryRoot, "tests", "interop", "guest", script);
        ToolResult result = Tool.Run(path, BuildSeconds, arguments);
        if (result.ExitCode == SomethingIsMissing)
        {
            Assert.Skip("no guest: " + result.Error.Trim().Split('\n')[^1]);
        }

        result.OrThrow();
    }

    /// <summary>What came before the line with the marker, and what follows the marker in it.</summary>
    private (string Before, string After) Receive(string marker, int seconds, string what)
    {
        var before = new StringBuilder();
        var clock = Stopwatch.StartNew();
        while (true)
        {
            TimeSpan left = TimeSpan.FromSeconds(seconds) - clock.Elapsed;
            Task<string?> line = _machine.StandardOutput.ReadLineAsync();
            if (left <= TimeSpan.Zero || !line.Wait(left))
            {
                Answers = false;
                throw new TimeoutException($"no answer within {seconds} s to: {what}\n{before}{LastLines(30)}");
            }

            switch (line.Result?.TrimEnd('\r'))
            {
                case null:
                    Answers = false;
                    throw new IOException($"the guest is gone during: {what}\n{before}{LastLines(30)}");
                case var text when text.StartsWith(marker, StringComparison.Ordinal):
                    return (before.ToString(), text[marker.Length..]);
                case var text:
                    before.Append(text).Append('\n');
                    break;
            }
        }
    }
}
