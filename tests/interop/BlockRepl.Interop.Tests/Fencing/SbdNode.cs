using BlockRepl.Interop.Tests.Devices;

namespace BlockRepl.Interop.Tests.Fencing;

/// <summary>A node: a guest in which one of the two programs named sbd watches the shared disk.</summary>
internal sealed class SbdNode : IDisposable
{
    /// <summary>The shared disk, in the guest and outside.</summary>
    public const string Lun = "/dev/vdb";
    public const string LunDrive = "lun";

    public const string OurProgram = "/usr/bin/sbd";

    /// <summary>Debian's.</summary>
    public const string OriginalProgram = "/usr/sbin/sbd";

    private readonly DeviceGuest _guest;
    private readonly QemuControl _control;
    private readonly string _name;

    public SbdNode(DeviceGuest guest, string name, bool original)
    {
        _guest = guest;
        _name = name;
        IsOriginal = original;
        Do("reseed");
        _control = guest.Control();
    }

    public bool IsOriginal { get; }

    public bool HasEnded => _guest.HasEnded;

    /// <summary>What the kernel and, through syslog, the program have said.</summary>
    public string Console => _guest.Console;

    public string Do(string commands) => _guest.Do(commands);

    /// <summary>Runs the program.</summary>
    public GuestResult Sbd(string words, int seconds = 60) => _guest.Run(CommandLine(words), seconds);

    public void Watch() => Sbd("-p /run/sbd.pid watch").OrThrow();

    public void Signal(string signal) => Do($"kill -{signal} $(cat /run/sbd.pid)");

    /// <summary>Whether the daemon lives, and so the machine.</summary>
    public bool IsWatched() => _guest.Run("kill -0 $(cat /run/sbd.pid)").Succeeded;

    /// <summary>Runs commands that end the machine, which nobody will answer.</summary>
    public void Begin(string words) => Do($"({CommandLine(words)}) >/dev/console 2>&1 &");

    public void HangLun() => _control.Hang(LunDrive);

    /// <returns>How the machine has ended, as QEMU says it, and after how many seconds.</returns>
    public (string How, double Seconds) WaitForEnd(DateTime since)
    {
        DateTime end = _guest.WaitForEnd(60);
        return (_control.WaitForEnd(), (end - since).TotalSeconds);
    }

    public void Dispose()
    {
        _control.Dispose();
        _guest.Dispose();
    }

    private string CommandLine(string words) =>
        "SBD_PACEMAKER=no SBD_SYNC_RESOURCE_STARTUP=no "
        + $"{(IsOriginal ? OriginalProgram : OurProgram)} -w /dev/watchdog -d {Lun} -n {_name} {words}";
}
