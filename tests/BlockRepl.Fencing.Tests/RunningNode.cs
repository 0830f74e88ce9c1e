using System.Diagnostics;
using System.Globalization;
using System.Runtime.InteropServices;
using Xunit;

namespace BlockRepl.Fencing.Tests;

/// <summary>
/// Our daemon in rehearsal: a FIFO for a watchdog, a file for the letters that would end this machine. So nothing
/// that it does can reach the machine, and no privilege is needed.
/// </summary>
internal sealed class RunningNode : IDisposable
{
    public const string Name = "node1";

    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    private readonly string _folder = Directory.CreateTempSubdirectory("sbd-node-").FullName;
    private readonly FileStream _watchdog;
    private readonly object _lock = new();
    private readonly Thread _reader;
    private int _feedings;
    private bool _isDisarmed;

    public RunningNode()
    {
        Tool.Run("mkfifo", Watchdog);
        // Open for both: otherwise this would wait for somebody who writes.
        _watchdog = new FileStream(Watchdog, FileMode.Open, FileAccess.ReadWrite, FileShare.ReadWrite, 1);
        _reader = new Thread(ReadWatchdog) { IsBackground = true };
        _reader.Start();
    }

    /// <summary>The folder of the solution.</summary>
    public static string Root
    {
        get
        {
            var top = new DirectoryInfo(AppContext.BaseDirectory);
            while (!File.Exists(Path.Combine(top!.FullName, "BlockRepl.sln")))
            {
                top = top.Parent;
            }

            return top.FullName;
        }
    }

    public static string Architecture =>
        RuntimeInformation.ProcessArchitecture.ToString().ToLowerInvariant();

    /// <summary>The program as it is installed.</summary>
    public static string Program
    {
        get
        {
            var program = Path.Combine(Root, "artifacts", "install", "bin", "sbd");
            Assert.True(File.Exists(program), $"{program} is missing: run tools/build");
            return program;
        }
    }

    public string Device { get; init; } = "";

    public int Pid => int.Parse(File.ReadAllText(PidFile).Trim(), CultureInfo.InvariantCulture);

    public string PidFile => Path.Combine(_folder, "pid");

    public bool IsDisarmed
    {
        get
        {
            lock (_lock)
            {
                return _isDisarmed;
            }
        }
    }

    /// <summary>What has been done to end the machine: a line for each letter.</summary>
    public string Letters => File.Exists(Rehearsal) ? File.ReadAllText(Rehearsal) : "";

    private string Watchdog => Path.Combine(_folder, "watchdog");

    private string Rehearsal => Path.Combine(_folder, "letters");

    /// <summary>Runs "watch"; the FIFO cannot be set, so -T.</summary>
    public CommandResult Start(params string[] options) => StartWith([], ["-T", .. options]);

    public CommandResult StartWith(Dictionary<string, string> variables, params string[] options)
    {
        var (code, output, errors) = Tool.RunWith(
            environment =>
            {
                environment["BLOCKREPL_SBD_CONFIG"] = "/dev/null";
                environment["BLOCKREPL_SBD_REHEARSAL"] = Rehearsal;
                foreach (var (name, value) in variables)
                {
                    environment[name] = value;
                }
            },
            Program,
            ["-R", "-n", Name, "-p", PidFile, "-w", Watchdog, .. DeviceOptions(), .. options, "watch"]);
        return new CommandResult(code, output, errors);
    }

    public void Signal(string signal, int? pid = null) => Assert.Equal(
        0, Tool.Run("kill", "-" + signal, (pid ?? Pid).ToString(CultureInfo.InvariantCulture)).Code);

    /// <summary>The process that feeds.</summary>
    public int GuardPid() => ChildrenOf(Pid).Single(pid => NameOf(pid) == "blockrepl-guard");

    /// <summary>All processes that a process has started, by any of its threads.</summary>
    public static int[] ChildrenOf(int parent) =>
    [
        .. from thread in Directory.EnumerateDirectories($"/proc/{parent}/task")
           from pid in File.ReadAllText($"{thread}/children").Split(' ', StringSplitOptions.RemoveEmptyEntries)
           select int.Parse(pid, CultureInfo.InvariantCulture),
    ];

    private static string NameOf(int pid) => File.ReadAllText($"/proc/{pid}/comm").Trim();

    public void WaitForLetters(string expected)
    {
        WaitUntil(() => Letters.StartsWith(expected, StringComparison.Ordinal), $"letters {expected}, not {Letters}");
        Assert.False(IsDisarmed && expected != "c\n");
    }

    /// <summary>Waits for so many more feedings.</summary>
    public void WaitForFeedings(int count)
    {
        lock (_lock)
        {
            count += _feedings;
        }

        WaitUntil(() => _feedings >= count, "feedings");
    }

    public void WaitForCleanEnd(int pid)
    {
        WaitUntil(() => IsDisarmed, "disarmed");
        WaitUntil(() => !Directory.Exists($"/proc/{pid}") || IsZombie(pid), "end of the daemon");
        Assert.Equal("", Letters);
        Assert.False(File.Exists(PidFile));
    }

    public void Dispose()
    {
        // A daemon that ends by itself at this moment takes its file with it.
        if (File.Exists(PidFile) && Letters.Length == 0)
        {
            Tool.Run("kill", "-KILL", File.ReadAllText(PidFile).Trim());
            WaitUntil(() => Letters.Length > 0, "the guard's end of the node");
        }

        // The reader cannot be interrupted, but it ends at this byte.
        _watchdog.WriteByte((byte)'x');
        _reader.Join();
        _watchdog.Dispose();
        WaitUntil(TryDeleteFolder, "nobody writes into the folder any more");
    }

    private bool TryDeleteFolder()
    {
        try
        {
            Directory.Delete(_folder, recursive: true);
            return true;
        }
        catch (IOException)
        {
            return false;
        }
    }

    private static bool IsZombie(int pid)
    {
        try
        {
            return File.ReadAllText($"/proc/{pid}/stat").Contains(") Z ", StringComparison.Ordinal);
        }
        catch (IOException)
        {
            return true;
        }
    }

    private string[] DeviceOptions() => [.. Device.Split(' ').SelectMany(device => new[] { "-d", device })];

    private void ReadWatchdog()
    {
        while (_watchdog.ReadByte() is >= 0 and not 'x' and var value)
        {
            lock (_lock)
            {
                _feedings += value == 0 ? 1 : 0;
                _isDisarmed |= value == 'V';
                Monitor.PulseAll(_lock);
            }
        }
    }

    private void WaitUntil(Func<bool> condition, string what)
    {
        var waited = Stopwatch.StartNew();
        lock (_lock)
        {
            while (!condition())
            {
                Assert.True(waited.Elapsed < Patience, $"waited in vain for: {what}");
                Monitor.Wait(_lock, 50);
            }
        }
    }
}
