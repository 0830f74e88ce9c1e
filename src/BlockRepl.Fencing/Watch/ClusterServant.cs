using System.ComponentModel;
using System.Diagnostics;
using System.Globalization;
using System.Text;
using BlockRepl.Fencing.CommandLine;
using BlockRepl.Platform.Native;
using BlockRepl.Sbd;

namespace BlockRepl.Fencing.Watch;

/// <summary>
/// Watches the cluster: a process, blockrepl-cluster, looks; a thread here judges what it has seen. Nobody waits for
/// either: they report, or they do not.
/// </summary>
internal sealed class ClusterServant(
    int input, InputKind kind, SbdOptions options, Timeouts timeouts, EventQueue events) : IServant
{
    // Outlives the process: a peer that was seen once is still missed.
    private readonly ClusterLook _look = new(
        new PacemakerJudge(options.Devices.Count > 0, timeouts.Watchdog),
        new CorosyncJudge(timeouts.Watchdog),
        options.NodeName);

    public string Name { get; } = kind == InputKind.Pacemaker ? "Pacemaker" : "cluster";

    /// <summary>It has no mailbox to clear.</summary>
    public bool HasStarted => true;

    private static string Program => Path.Combine(AppContext.BaseDirectory, "blockrepl-cluster");

    /// <summary>Why the cluster's software cannot be asked on this machine; null if it can.</summary>
    public static string? FindProblem(InputKind kind)
    {
        try
        {
            using var asked = Launch(kind, loopMs: 0);
            var answer = asked.StandardOutput.ReadToEnd().Trim();
            asked.WaitForExit();
            return asked.ExitCode == 0 ? null : answer;
        }
        catch (Win32Exception failure)
        {
            return failure.Message;
        }
    }

    public void Start(bool firstStart) =>
        new Thread(Run) { IsBackground = true, Name = $"servant {Name}" }.Start();

    private static Process Launch(InputKind kind, long loopMs)
    {
        var role = kind == InputKind.Pacemaker ? "pacemaker" : "corosync";
        var start = new ProcessStartInfo(Program, [role, loopMs.ToString(CultureInfo.InvariantCulture)])
        {
            RedirectStandardInput = true, RedirectStandardOutput = true,
        };
        return Process.Start(start)!;
    }

    private void Run()
    {
        if (options.RealTime)
        {
            _ = ProcessProtection.SetRealTime();
        }

        var reason = $"{Program} has ended";
        try
        {
            using var process = Launch(kind, 1000L * Math.Clamp(timeouts.Loop, 1, 1000));
            ReadLooks(process.StandardOutput);
        }
        catch (Exception failure) when (failure is Win32Exception or IOException)
        {
            reason = failure.Message;
        }

        events.Post(new DaemonEvent(DaemonEventKind.ServantEnded)
        {
            Input = input, End = ServantEnd.DeviceLost, Reason = reason,
        });
    }

    private void ReadLooks(StreamReader output)
    {
        var (first, rest) = ("", new StringBuilder());
        while (output.ReadLine() is { } line)
        {
            if (line == ClusterLook.End)
            {
                if (_look.Judge(first, rest.ToString()) is (var began, var verdict))
                {
                    events.Post(new DaemonEvent(DaemonEventKind.ClusterSeen)
                    {
                        Input = input, EvidenceNs = began, Cluster = verdict,
                    });
                }

                first = "";
                rest.Clear();
            }
            else if (first.Length == 0)
            {
                first = line;
            }
            else
            {
                rest.AppendLine(line);
            }
        }
    }
}
