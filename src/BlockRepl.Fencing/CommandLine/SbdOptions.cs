using BlockRepl.Platform.Fencing;
using BlockRepl.Sbd;

namespace BlockRepl.Fencing.CommandLine;

/// <summary>Everything that the command line and the variables say. Read by <see cref="SbdOptionsReader"/>.</summary>
internal sealed record SbdOptions
{
    public const int MaxDevices = 3;

    public bool Help { get; set; }

    public string? Command { get; set; }

    /// <summary>The words behind the command. Surplus ones are ignored: fence agents give some.</summary>
    public List<string> Arguments { get; } = [];

    public List<string> Devices { get; } = [];

    public string NodeName { get; set; } = "";

    /// <summary>Null: /dev/watchdog, as nobody has named one.</summary>
    public string? WatchdogDevice { get; set; }

    public bool UseWatchdog { get; set; } = true;

    public bool SetWatchdogTimeout { get; set; } = true;

    public bool RealTime { get; set; } = true;

    public bool StartClean { get; set; }

    public uint StartSeconds { get; set; } = 120;

    public string? PidFile { get; set; }

    public int Verbosity { get; set; }

    /// <summary>For create, and for a daemon without devices.</summary>
    public Timeouts Timeouts { get; set; } = Timeouts.Default;

    /// <summary>Null: derived from the watchdog's time-out.</summary>
    public uint? LatencyWarning { get; set; }

    public uint CrashDumpWatchdog { get; set; }

    public uint IoSeconds { get; set; } = 3;

    public uint RestartSeconds { get; set; } = 5;

    public uint RestartCount { get; set; } = 1;

    public bool CheckPacemaker { get; set; } = true;

    public bool CheckCluster { get; set; } = true;

    public bool NeedCluster { get; set; }

    public int Trace { get; set; }

    public TimeoutAction TimeoutAction { get; set; } = new(NodeEnd.Reset, Flush: true);

    /// <summary>Seconds to wait before the daemon starts; null: msgwait.</summary>
    public long? DelayStart { get; set; } = 0;

    public bool SyncResourceStartup { get; set; }

    /// <summary>Leave a control group that has no time for real-time processes; null: only then.</summary>
    public bool? MoveToRootCgroup { get; set; }

    public TimeSpan IoTimeout => TimeSpan.FromSeconds(IoSeconds);

    public string WatchdogPath => WatchdogDevice ?? "/dev/watchdog";

    /// <summary>The file /dev/null stands for no watchdog.</summary>
    public bool HasWatchdog => UseWatchdog && WatchdogPath != "/dev/null";

    /// <summary>Seconds after which a loop is called slow; 0 never.</summary>
    public uint LatencyWarningFor(uint watchdog) => LatencyWarning ?? (watchdog < 5 ? 2 : watchdog * 3 / 5);
}
