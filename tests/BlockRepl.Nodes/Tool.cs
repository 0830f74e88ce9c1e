using System.Diagnostics;
using System.Text;

namespace BlockRepl.Nodes;

/// <summary>What an external program printed and how it ended.</summary>
public sealed record ToolResult(string CommandLine, int ExitCode, string Output, string Error)
{
    public bool Succeeded => ExitCode == 0;

    /// <summary>Both outputs and the exit code, for messages.</summary>
    public string Everything => $"$ {CommandLine}\n{Output}{Error}(exit code {ExitCode})";

    /// <exception cref="InvalidOperationException">The program failed; the message has its output.</exception>
    public ToolResult OrThrow() => Succeeded ? this : throw new InvalidOperationException(Everything);
}

/// <summary>Runs external programs.</summary>
public static class Tool
{
    private static readonly string[] ExtraFolders = ["/usr/sbin", "/sbin"];

    /// <summary>Path of a program; null if it is not installed.</summary>
    public static string? Find(string name) =>
        (Environment.GetEnvironmentVariable("PATH") ?? "").Split(':').Concat(ExtraFolders)
            .Select(folder => Path.Combine(folder, name))
            .FirstOrDefault(File.Exists);

    public static ToolResult Run(string program, params string[] arguments) => Run(program, 120, arguments);

    /// <exception cref="TimeoutException">It ran longer than <paramref name="seconds"/> and was killed.</exception>
    public static ToolResult Run(string program, int seconds, string[] arguments)
    {
        using Process process = Start(program, arguments);
        var output = new StringBuilder();
        var error = new StringBuilder();
        process.OutputDataReceived += (_, e) => Append(output, e.Data);
        process.ErrorDataReceived += (_, e) => Append(error, e.Data);
        process.BeginOutputReadLine();
        process.BeginErrorReadLine();
        string line = Path.GetFileName(program) + " " + string.Join(' ', arguments);
        if (!process.WaitForExit(TimeSpan.FromSeconds(seconds)))
        {
            process.Kill(entireProcessTree: true);
            throw new TimeoutException($"still running after {seconds} s: {line}\n{output}{error}");
        }

        process.WaitForExit();
        return new ToolResult(line, process.ExitCode, output.ToString(), error.ToString());
    }

    /// <summary>Starts a program whose outputs are piped; the caller waits for it or kills it.</summary>
    public static Process Start(string program, params string[] arguments)
    {
        var start = new ProcessStartInfo(program)
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            UseShellExecute = false,
        };
        foreach (string argument in arguments)
        {
            start.ArgumentList.Add(argument);
        }

        return Process.Start(start) ?? throw new InvalidOperationException("cannot start " + program);
    }

    private static void Append(StringBuilder text, string? line)
    {
        if (line is not null)
        {
            lock (text)
            {
                text.Append(line).Append('\n');
            }
        }
    }
}
