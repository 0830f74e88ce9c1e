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

    private readonly string _folder = Directory.CreateTempSubdirectory("brguest").FullName;
    private readonly Process _machine;
    private int _requests;

    private DeviceGuest(string series, string image, string files, int disks, long diskBytes)
    {
        bool arm = series.EndsWith("arm64", StringComparison.Ordinal);
        var options = new List<string>
        {
            "-accel", "tcg,thread=multi", "-m", "768", "-smp", "2", "-nographic", "-nodefaults", "-no-reboot",
            "-kernel", Path.Combine(image, "vmlinuz"), "-initrd", Path.Combine(image, "initrd.gz"),
            "-append",
            $"console={(arm ? "ttyAMA0" : "ttyS0 tsc=unstable no_timer_check")} quiet loglevel=7 panic=-1 "
                + "interop.name=devices interop.number=1",
            "-netdev", "user,id=n0,restrict=on", "-device", "virtio-net-pci,netdev=n0",
            "-chardev", $"file,id=console,path={ConsolePath}", "-serial", "chardev:console",
            "-device", "virtio-serial-pci", "-chardev", "stdio,id=line,signal=off",
            "-device", "virtserialport,chardev=line",
            "-drive", $"if=virtio,format=raw,readonly=on,file={files}",
        };
        options.AddRange(arm ? ["-M", "virt", "-cpu", "cortex-a53"] : ["-cpu", "max"]);
        for (int i = 0; i < disks; i++)
        {
            string path = Path.Combine(_folder, $"disk{i}");
            using (FileStream file = File.Create(path))
            {
                file.SetLength(diskBytes);
            }

            options.AddRange(["-drive", $"if=virtio,format=raw,cache=unsafe,file={path}"]);
        }

        var start = new ProcessStartInfo(arm ? "qemu-system-aarch64" : "qemu-system-x86_64", options)
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
        };
        _machine = Process.Start(start)!;
        _ = Receive("@@ready", BootSeconds, "start");
        Run("tar xf /dev/vda -C /").OrThrow();
    }

    public string ConsolePath => Path.Combine(_folder, "console.log");

    /// <summary>Builds what the guest needs, starts it and unpacks the programs; skips the test without it.</summary>
    /// <param name="series">6.1, 6.12 or 6.12-arm64.</param>
    /// <param name="disks">
    /// How many empty disks it has: /dev/vdb, /dev/vdc and so on. With disks our daemon is there too.
    /// </param>
    public static DeviceGuest Start(string series, int disks = 0, long diskBytes = 0)
    {
        bool arm = series.EndsWith("arm64", StringComparison.Ordinal);
        string program = arm ? "qemu-system-aarch64" : "qemu-system-x86_64";
        if (Tool.Find(program) is null)
        {
            Assert.Skip("needs " + program);
        }

        string folder = Path.Combine(Programs.RepositoryRoot, "artifacts", "interop");
        string image = Path.Combine(folder, "devices-" + series);
        (string architecture, string what) = (arm ? "arm64" : "amd64", disks > 0 ? "daemon" : "tests");
        string programs = Path.Combine(folder, $"files-{architecture}-{what}");
        Build("build", series, image, "nbd", "ublk_drv", "ext4", "loop");
        Build("files", architecture, what, programs);
        return new DeviceGuest(series, image, Path.Combine(programs, "files.tar"), disks, diskBytes);
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

    public string Do(string commands, int seconds = 120) => Run(commands, seconds).OrThrow();

    public void Dispose()
    {
        _machine.Kill();
        _machine.WaitForExit();
        _machine.Dispose();
        Directory.Delete(_folder, recursive: true);
    }

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
                throw new TimeoutException($"no answer within {seconds} s to: {what}\n{before}{Console()}");
            }

            switch (line.Result?.TrimEnd('\r'))
            {
                case null:
                    throw new IOException($"the guest is gone during: {what}\n{before}{Console()}");
                case var text when text.StartsWith(marker, StringComparison.Ordinal):
                    return (before.ToString(), text[marker.Length..]);
                case var text:
                    before.Append(text).Append('\n');
                    break;
            }
        }
    }

    private string Console() =>
        File.Exists(ConsolePath) ? string.Join('\n', File.ReadAllLines(ConsolePath).TakeLast(30)) : "";
}
