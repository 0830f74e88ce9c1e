using System.Diagnostics;
using System.Globalization;
using BlockRepl.Fencing.CommandLine;
using BlockRepl.Fencing.Devices;
using BlockRepl.Fencing.Logging;
using BlockRepl.Sbd;

namespace BlockRepl.Fencing.Watch;

/// <summary>
/// The command "watch": finds out the time-outs, starts the daemon as a process of its own, in the same session and
/// process group, and ends when the daemon has won its first vote.
/// </summary>
internal sealed class WatchCommand(string[] arguments, SbdOptions options, Terminal terminal, SystemLog log)
{
    /// <summary>Set for the daemon's process: its <see cref="DaemonPlan"/>.</summary>
    public const string DaemonVariable = "BLOCKREPL_SBD_DAEMON";

    /// <summary>A file that takes what would end this node: for tests, nothing is ended then.</summary>
    public const string RehearsalVariable = "BLOCKREPL_SBD_REHEARSAL";

    private const string Ready = "ready";
    private const string SysrqMode = "/proc/sys/kernel/sysrq";

    public bool Run()
    {
        if (terminal.Variable(DaemonVariable) is { } given)
        {
            var rehearsal = terminal.Variable(RehearsalVariable) ?? "";
            return new Daemon(options, DaemonPlan.Parse(given), rehearsal, log).Run(() =>
            {
                terminal.Line(Ready);
                Platform.Native.ProcessProtection.ReleaseStandardStreams();
            });
        }

        CheckOptions();
        InputKind[] cluster = [.. FindClusterInputs()];
        var found = options.Devices.Count > 0 ? FindTimeouts() : options.Timeouts;
        log.Notice($"time-outs: watchdog {found.Watchdog} s, allocate {found.Allocate} s, loop {found.Loop} s, "
            + $"msgwait {found.MessageWait} s, I/O {options.IoSeconds} s");
        foreach (var problem in options.Devices.Count > 0 ? found.Problems(options.IoSeconds) : [])
        {
            log.Warning(problem);
        }

        if (options.DelayStart is not 0)
        {
            var delay = options.DelayStart ?? (options.Devices.Count > 0 ? found.MessageWait : 2L * found.Watchdog);
            log.Notice($"the start is delayed by {delay} s");
            terminal.Wait(TimeSpan.FromSeconds(delay));
        }

        AllowSysrq();
        return StartDaemon(new DaemonPlan(found, cluster));
    }

    private void CheckOptions()
    {
        if (options.SyncResourceStartup && !options.CheckPacemaker)
        {
            throw new SbdException("SBD_SYNC_RESOURCE_STARTUP is on and SBD_PACEMAKER is off: Pacemaker would wait for "
                + "ever for a sign of a program that does not know it");
        }
    }

    /// <summary>What of the cluster is to be asked and can be on this machine.</summary>
    private List<InputKind> FindClusterInputs()
    {
        var found = new List<InputKind>();
        foreach (var (kind, wanted) in new[]
        {
            (InputKind.Pacemaker, options.CheckPacemaker), (InputKind.Cluster, options.CheckCluster),
        })
        {
            if (wanted && ClusterServant.FindProblem(kind) is { } problem)
            {
                log.Notice($"{kind}: cannot be asked on this machine: {problem}");
            }
            else if (wanted)
            {
                found.Add(kind);
            }
        }

        if (found.Count == 0 && options.Devices.Count == 0)
        {
            throw new SbdException("there is no device, and neither Pacemaker nor a cluster can be asked: "
                + "nothing would tell whether this node is well");
        }

        if (found.Count == 0 && options.NeedCluster)
        {
            throw new SbdException("-z asks for a healthy cluster, and neither Pacemaker nor a cluster can be asked");
        }

        if (found.Count == 0)
        {
            log.Notice("the devices alone decide");
        }

        return found;
    }

    /// <summary>Those of the first device with a header; waits for one.</summary>
    private Timeouts FindTimeouts()
    {
        var until = Environment.TickCount64 + (options.StartSeconds * 1000L);
        while (true)
        {
            var why = "";
            foreach (var name in options.Devices)
            {
                if (ReadTimeouts(name, out why) is { } timeouts)
                {
                    return timeouts;
                }
            }

            if (Environment.TickCount64 >= until)
            {
                throw new SbdException($"no device was usable within {options.StartSeconds} s: {why}");
            }

            terminal.Wait(TimeSpan.FromSeconds(options.Timeouts.Loop));
        }
    }

    private Timeouts? ReadTimeouts(string name, out string why)
    {
        try
        {
            using var device = SectorDevices.Open(name, options);
            var runner = new ProcedureRunner(device, options.IoTimeout, terminal.Wait);
            var table = new SlotTable(runner.Exchange);
            runner.Run(table.ReadHeader());
            why = table.Outcome == SlotOutcome.Done ? "" : Commands.Outcomes.Describe(table, device);
            return table.Outcome == SlotOutcome.Done ? table.Header!.Timeouts : null;
        }
        catch (SbdException refusal)
        {
            why = refusal.Message;
            return null;
        }
    }

    /// <summary>Lets the letters through that end a machine.</summary>
    private void AllowSysrq()
    {
        if (terminal.Variable(RehearsalVariable) is not null)
        {
            return;
        }

        try
        {
            var mode = int.Parse(File.ReadAllText(SysrqMode).Trim(), CultureInfo.InvariantCulture);
            if (mode != 1 && (mode | 136) != mode)
            {
                File.WriteAllText(SysrqMode, (mode | 136).ToString(CultureInfo.InvariantCulture));
            }
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException or FormatException)
        {
            log.Warning($"{SysrqMode} cannot be set: {failure.Message}");
        }
    }

    private bool StartDaemon(DaemonPlan plan)
    {
        var start = new ProcessStartInfo(Environment.ProcessPath!, arguments)
        {
            RedirectStandardInput = true, RedirectStandardOutput = true,
        };
        start.Environment[DaemonVariable] = plan.ToString();
        using var daemon = Process.Start(start)!;
        return daemon.StandardOutput.ReadLine() == Ready;
    }
}
