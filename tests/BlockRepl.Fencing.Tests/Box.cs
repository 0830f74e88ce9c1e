using System.Diagnostics;
using System.Globalization;
using BlockRepl.Nodes;
using Xunit;

namespace BlockRepl.Fencing.Tests;

/// <summary>
/// A program in a fencebox (native/tests/fencebox): it has a watchdog that bites, and nothing that it does to end the
/// machine reaches it. One box is one node.
/// </summary>
internal sealed class Box : IDisposable
{
    private readonly string _log = Path.Combine(Path.GetTempPath(), $"fencebox-{Guid.NewGuid():N}");
    private readonly Process _process;
    private readonly Task<string> _output;
    private readonly Task<string> _errors;

    /// <param name="options">Of the box.</param>
    /// <param name="program">What runs in it.</param>
    /// <param name="arguments">Its words.</param>
    /// <param name="variables">Added to its environment.</param>
    public Box(
        string[] options,
        string program,
        string[] arguments,
        IEnumerable<(string Name, string Value)>? variables = null)
    {
        if (Environment.UserName != "root")
        {
            Assert.Skip("needs root: a box is a namespace of processes");
        }

        var start = new ProcessStartInfo(Path.Combine(
            RunningNode.Root, "artifacts", "native", RunningNode.Architecture, "fencebox"))
        {
            RedirectStandardInput = true, RedirectStandardOutput = true, RedirectStandardError = true,
        };
        foreach (var word in (string[])["-l", _log, .. options, program, .. arguments])
        {
            start.ArgumentList.Add(word);
        }

        foreach (var (name, value) in variables ?? [])
        {
            start.Environment[name] = value;
        }

        start.Environment["BLOCKREPL_SBD_CONFIG"] = "/dev/null";
        start.Environment.TryAdd("SBD_PACEMAKER", "no");
        start.Environment.TryAdd("SBD_SYNC_RESOURCE_STARTUP", "no");
        _process = Process.Start(start)!;
        _process.StandardInput.Close();
        _output = Task.Run(_process.StandardOutput.ReadToEnd);
        _errors = Task.Run(_process.StandardError.ReadToEnd);
    }

    /// <summary>One line for each thing that has happened.</summary>
    public string Log
    {
        get
        {
            if (!File.Exists(_log))
            {
                return "";
            }

            using var reader = new StreamReader(
                new FileStream(_log, FileMode.Open, FileAccess.Read, FileShare.ReadWrite));
            return reader.ReadToEnd();
        }
    }

    /// <summary>What the program has said, once all of it has ended.</summary>
    public string Errors => _errors.Result;

    public string Output => _output.Result;

    public bool HasEnded => _process.HasExited;

    /// <summary>The status of the program that was called; others may still run.</summary>
    public int WaitForCommand(int seconds = 60)
    {
        WaitFor("COMMAND ended", seconds);
        return int.Parse(Log.Split("COMMAND ended ")[1].Split('\n')[0], CultureInfo.InvariantCulture);
    }

    public void WaitFor(string line, int seconds = 60) => Poll.Until(
        () => Log.Contains(line, StringComparison.Ordinal), line, seconds, () => Log);

    /// <summary>
    /// How the box has ended: 129 reset, 130 off, 137 bitten, 139 crashed, else the program's status.
    /// </summary>
    public int WaitForEnd(int seconds = 60)
    {
        Poll.Until(() => _process.HasExited, "end of the box", seconds, () => Log);
        return _process.ExitCode;
    }

    /// <summary>Waits for signs of life to the watchdog in so many more different seconds.</summary>
    public void WaitForPets(int count)
    {
        int Count() => Log.Split("WD pet").Length;
        var before = Count();
        Poll.Until(() => HasEnded || Count() >= before + count, $"{count} pets", 60 + count, () => Log);
        Assert.False(HasEnded, Log);
    }

    /// <summary>The time of the first line with this text, in seconds since the start.</summary>
    public double TimeOf(string text)
    {
        var line = Log.Split('\n').First(line => line.Contains(text, StringComparison.Ordinal));
        return double.Parse(line.Split(' ', StringSplitOptions.RemoveEmptyEntries)[0], CultureInfo.InvariantCulture);
    }

    public void Dispose()
    {
        if (!_process.HasExited)
        {
            Nodes.Tool.Run("kill", "-TERM", _process.Id.ToString(CultureInfo.InvariantCulture));
            _process.WaitForExit();
        }

        _process.Dispose();
        File.Delete(_log);
    }
}
