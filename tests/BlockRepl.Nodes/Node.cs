using System.Diagnostics;
using System.Text.Json;
using BlockRepl.Administration;

namespace BlockRepl.Nodes;

/// <summary>One node: a folder, a disk, at times a running daemon.</summary>
public sealed class Node : IDisposable
{
    private readonly string _configuration;
    private readonly string _resource;
    private readonly string? _networkNamespace;
    private readonly Lock _logLock = new();
    private Process? _daemon;

    /// <summary>After a restart: the first process, whose streams the others write to.</summary>
    private Process? _logReader;

    /// <param name="networkNamespace">Where the daemon runs, as <c>ip netns</c> names it; null: where the caller
    /// does.</param>
    public Node(
        string name, string folder, string configuration, string resource, string diskPath, int port,
        string? networkNamespace = null)
    {
        _networkNamespace = networkNamespace;
        Name = name;
        Folder = folder;
        DeviceDirectory = Path.Combine(folder, "dev");
        DiskPath = diskPath;
        Port = port;
        _configuration = configuration;
        _resource = resource;
        Directory.CreateDirectory(RunDirectory);
    }

    public string Name { get; }

    public string Folder { get; }

    public string DiskPath { get; }

    /// <summary>TCP port of the replication.</summary>
    public int Port { get; }

    public string RunDirectory => Path.Combine(Folder, "run");

    public string LogPath => Path.Combine(Folder, "log");

    /// <summary>Which front end gives the daemon's volumes their devices, from its next start on.</summary>
    public string FrontEnd { get; set; } = "none";

    /// <summary>Where the node's names for its devices are: both nodes are on one machine.</summary>
    public string DeviceDirectory { get; set; }

    /// <summary>The name under which people mount the volume while the node is Primary.</summary>
    public string Device => Path.Combine(DeviceDirectory, "drbd0");

    public string NbdSocket => Path.Combine(RunDirectory, "nbd.sock");

    public string NbdUri => $"nbd+unix:///{_resource}/0?socket={NbdSocket}";

    public int DaemonProcessId => _daemon?.Id ?? throw new InvalidOperationException(Name + " does not run");

    public bool DaemonHasExited => _daemon is null || _daemon.HasExited;

    /// <summary>Starts the daemon and waits until it answers.</summary>
    public void Start()
    {
        _daemon = _networkNamespace is null
            ? Tool.Start(Programs.Daemon, DaemonOptions())
            : Tool.Start(Tool.Find("ip")!, ["netns", "exec", _networkNamespace, Programs.Daemon, .. DaemonOptions()]);
        _daemon.OutputDataReceived += (_, e) => WriteLog(e.Data);
        _daemon.ErrorDataReceived += (_, e) => WriteLog(e.Data);
        _daemon.BeginOutputReadLine();
        _daemon.BeginErrorReadLine();
        Poll.Until(
            () => DaemonHasExited || Try("status").Succeeded,
            $"daemon of {Name} to answer", 60, LogTail);
        if (DaemonHasExited)
        {
            throw new InvalidOperationException($"the daemon of {Name} ended:\n{LogTail()}");
        }
    }

    /// <summary>
    /// Another process takes the daemon's place, by its own command. It goes on writing to the same log.
    /// </summary>
    public void Restart()
    {
        string told = Command("restart");

        // With a limit: without one it also waits for the end of the output, which the next process goes on with.
        if (!_daemon!.WaitForExit(TimeSpan.FromSeconds(30)))
        {
            throw new TimeoutException($"the daemon of {Name} did not end for its successor:\n{LogTail()}");
        }

        _logReader ??= _daemon;
        _daemon = Process.GetProcessById(
            int.Parse(told.Split(' ')[1], System.Globalization.CultureInfo.InvariantCulture));
    }

    /// <summary>SIGKILL: no warning, no clean-up.</summary>
    public void Kill()
    {
        _daemon!.Kill();
        Reap();
    }

    /// <summary>SIGTERM, then waits for an orderly end. Returns the exit code.</summary>
    public int Stop(int seconds = 30)
    {
        Tool.Run(
            "/bin/kill",
            "-TERM",
            DaemonProcessId.ToString(System.Globalization.CultureInfo.InvariantCulture)).OrThrow();
        if (!_daemon!.WaitForExit(TimeSpan.FromSeconds(seconds)))
        {
            _daemon.Kill();
            Reap();
            throw new TimeoutException(
                $"the daemon of {Name} did not end within {seconds} s after SIGTERM:\n{LogTail()}");
        }

        // Nobody but its parent, which is gone, hears how a successor ended.
        int code = _logReader is null ? _daemon.ExitCode : 0;
        Reap();
        return code;
    }

    /// <summary>
    /// Runs a command of blockrepl; the resource's name is appended for those that need one by the caller.
    /// </summary>
    public ToolResult Try(params string[] command) => Tool.Run(Programs.Commands, Options(command));

    /// <summary>What tells drbdadm, drbdsetup and drbdmeta which node is meant.</summary>
    public IReadOnlyList<string> ToolEnvironment =>
    [
        $"BLOCKREPL_CONFIG={_configuration}", $"BLOCKREPL_NODE={Name}", $"BLOCKREPL_RUN_DIR={RunDirectory}",
    ];

    /// <summary>Runs a command line of drbdadm, drbdsetup or drbdmeta.</summary>
    public ToolResult Run(string program, params string[] arguments) => Tool.Run(
        "/usr/bin/env", [.. ToolEnvironment, Path.Combine(Programs.Tools, program), .. arguments]);

    /// <exception cref="InvalidOperationException">The command was refused; the message has its words and the daemon's
    /// log.</exception>
    public string Command(params string[] command)
    {
        ToolResult result = Try(command);
        return result.Succeeded
            ? result.Output
            : throw new InvalidOperationException(result.Everything + "\n" + LogTail());
    }

    public VolumeView Status()
    {
        string text = Command("status", "--json");
        using JsonDocument document = JsonDocument.Parse(text);
        foreach (JsonElement volume in document.RootElement.GetProperty("volumes").EnumerateArray())
        {
            if (volume.GetProperty("resource").GetString() == _resource)
            {
                return new VolumeView(volume.Clone());
            }
        }

        throw new InvalidOperationException($"{Name} does not know {_resource}: {text}");
    }

    /// <summary>Waits until the volume looks so.</summary>
    public void WaitFor(Func<VolumeView, bool> condition, string what, int seconds = 60) =>
        Poll.Until(() => condition(Status()), $"{what} on {Name}", seconds, () => Status().Json + "\n" + LogTail());

    /// <summary>Resident memory of the daemon in KiB.</summary>
    public long ResidentKiB()
    {
        string line = File.ReadLines($"/proc/{DaemonProcessId}/status").First(
            l => l.StartsWith("VmRSS:", StringComparison.Ordinal));
        return long.Parse(
            line.Split(' ', StringSplitOptions.RemoveEmptyEntries)[1],
            System.Globalization.CultureInfo.InvariantCulture);
    }

    public string LogTail() =>
        File.Exists(LogPath)
            ? $"--- {Name}:\n" + string.Join('\n', File.ReadLines(LogPath).TakeLast(40))
            : $"--- {Name}: no log";

    /// <summary>
    /// Ends the daemon if it runs. One that makes devices ends in order, so that none is left in the kernel; was it
    /// killed, a successor cleans up.
    /// </summary>
    public void Dispose()
    {
        if (FrontEnd != "none")
        {
            if (DaemonHasExited)
            {
                Start();
            }

            Stop(60);
        }
        else if (!DaemonHasExited)
        {
            Kill();
        }

        DeleteRecord();
    }

    /// <summary>Takes away what a daemon leaves in memory for the next one, as a loss of power does.</summary>
    public void DeleteRecord()
    {
        var location = new NodeLocation { ConfigPath = _configuration, Node = Name, RunDirectory = RunDirectory };
        if (Directory.Exists(location.RecordFolder))
        {
            Directory.Delete(location.RecordFolder, recursive: true);
        }
    }

    private string[] DaemonOptions() => Options(["--frontend", FrontEnd, "--dev-dir", DeviceDirectory]);

    private string[] Options(string[] command) =>
        ["--config", _configuration, "--node", Name, "--run-dir", RunDirectory, .. command];

    private void Reap()
    {
        _daemon!.WaitForExit();
        _daemon.Dispose();
        _logReader?.Dispose();
        _daemon = _logReader = null;
    }

    private void WriteLog(string? line)
    {
        if (line is not null)
        {
            lock (_logLock)
            {
                File.AppendAllText(LogPath, line + "\n");
            }
        }
    }
}
