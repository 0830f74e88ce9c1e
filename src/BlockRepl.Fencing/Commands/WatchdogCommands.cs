using BlockRepl.Fencing.CommandLine;
using BlockRepl.Fencing.Logging;
using BlockRepl.Fencing.Watch;
using BlockRepl.Platform.Fencing;

namespace BlockRepl.Fencing.Commands;

/// <summary>The commands on watchdogs.</summary>
internal sealed class WatchdogCommands(SbdOptions options, Terminal terminal, SystemLog log)
{
    private const string SoftwareIdentity = "Software Watchdog";
    private const string Classes = "/sys/class/watchdog";

    /// <summary>What sysfs tells; no watchdog is opened for it, because that would arm it.</summary>
    public bool Query()
    {
        var found = Find();
        terminal.Line("");
        terminal.Line($"Discovered {found.Count} watchdog devices:");
        for (var i = 0; i < found.Count; i++)
        {
            var (path, sysfs) = found[i];
            var identity = ReadLine(Path.Combine(sysfs, "identity")) ?? "<unknown>";
            var driver = new FileInfo(Path.Combine(sysfs, "device", "driver")).LinkTarget is { } link
                ? Path.GetFileName(link)
                : identity == SoftwareIdentity ? "softdog" : "<unknown>";
            terminal.Line("");
            terminal.Line($"[{i + 1}] {path}");
            terminal.Line(WatchdogFile.FindHolder(path) is > 0 and var holder
                ? $"Identity: Busy: PID {holder} ({WatchdogAdvice.NameOf(holder)})"
                : $"Identity: {identity}");
            terminal.Line($"Driver: {driver}");
            if (driver == "softdog")
            {
                terminal.Line("CAUTION: Not recommended for use with sbd.");
            }
        }

        return true;
    }

    /// <summary>
    /// Arms the watchdog and feeds it no more. To come back is a failure: the machine should be gone.
    /// </summary>
    public bool Test()
    {
        if (!options.HasWatchdog || !options.SetWatchdogTimeout)
        {
            terminal.Line("");
            terminal.Line("Watchdog is disabled - aborting test!!!");
            return true;
        }

        if (options.WatchdogDevice is null && Find() is { Count: > 1 } many)
        {
            throw new SbdException($"there are {many.Count} watchdogs: say with -w which one is to be tested");
        }

        if (!Console.IsInputRedirected && !IsConfirmed())
        {
            return true;
        }

        var seconds = options.Timeouts.Watchdog;
        terminal.Line($"Initializing {options.WatchdogPath} with a reset countdown of {seconds} seconds ...");
        var guard = Guard.Start(
            Path.Combine(AppContext.BaseDirectory, "blockrepl-guard"),
            options.WatchdogPath,
            terminal.Variable(WatchCommand.RehearsalVariable) ?? "",
            options.RealTime);
        guard.Arm(new GuardOrders(
            (int)seconds, SetTimeout: true, TimeSpan.FromDays(1), NodeEnd.Trace, Flush: false, CrashSeconds: 0));
        var answer = guard.Receive();
        if (answer.IsGone || answer.Errno != 0)
        {
            log.Error(WatchdogAdvice.Describe(options.WatchdogPath, (int)seconds, answer));
            terminal.Line("Failed to initialize watchdog!!!");
            return Query() && false;
        }

        CountDown(seconds);
        guard.Stop();
        guard.Receive();
        return false;
    }

    private bool IsConfirmed()
    {
        terminal.Line("");
        terminal.Line($"WARNING: This may reset this machine, without anything being saved: {options.WatchdogPath} is "
            + "armed and then left alone. Type 'Proceed' to go on.");
        return Console.In.ReadLine() == "Proceed";
    }

    private void CountDown(uint seconds)
    {
        terminal.Line("");
        terminal.Line("NOTICE: The watchdog device is expected to reset the system in "
            + $"{seconds} seconds. If it doesn't, something is wrong with it.");
        for (var left = seconds; left > 0; left--)
        {
            terminal.Line($"Reset countdown ... {left} seconds");
            terminal.Wait(TimeSpan.FromSeconds(1));
        }

        terminal.Line("System is expected to reset any moment ...");
        terminal.Wait(TimeSpan.FromSeconds(seconds));
        terminal.Line("System should have reset ...");
    }

    /// <summary>Nodes under /dev, and links there, with the folder that sysfs has for them.</summary>
    private static List<(string Path, string Sysfs)> Find()
    {
        var known = new Dictionary<(int, int), string>();
        if (Directory.Exists(Classes))
        {
            foreach (var folder in Directory.EnumerateDirectories(Classes).Order(StringComparer.Ordinal))
            {
                if (ReadLine(Path.Combine(folder, "dev"))?.Split(':') is [var major, var minor])
                {
                    known[(int.Parse(major, null), int.Parse(minor, null))] = folder;
                }
            }
        }

        // The old number, of the first one.
        known.TryAdd((10, 130), Path.Combine(Classes, "watchdog0"));
        return
        [
            .. from path in Directory.EnumerateFileSystemEntries("/dev").Order(StringComparer.Ordinal)
               let numbers = WatchdogFile.Numbers(path)
               where numbers is { } both && known.ContainsKey(both)
               select (path, known[numbers.Value]),
        ];
    }

    private static string? ReadLine(string file) => File.Exists(file) ? File.ReadAllText(file).Trim() : null;
}
