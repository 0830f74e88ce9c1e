using System.CommandLine;
using BlockRepl.Administration;
using BlockRepl.Administration.Tools;
using BlockRepl.Cli.Tools;

namespace BlockRepl.Cli;

/// <summary>blockrepl: asks the daemon, or works on disks that no daemon uses.</summary>
internal static class Program
{
    private static Task<int> Main(string[] arguments) => RunAsync(arguments, new Terminal(
        Console.Out, Console.Error, Console.IsInputRedirected ? null : Console.In));

    /// <returns>The exit code.</returns>
    public static Task<int> RunAsync(string[] arguments, Terminal terminal)
    {
        if (arguments is ["sbd", ..])
        {
            return SbdCommand.RunAsync(arguments[1..]);
        }

        if (arguments is [{ } tool, ..] && ToolProgram.Knows(tool))
        {
            return OwnProcess.RunAsync(arguments, terminal, Environment.GetEnvironmentVariable);
        }

        ParseResult parsed = CommandLine.Build(terminal).Parse(arguments);
        if (parsed.CommandResult.Command is RootCommand && parsed.UnmatchedTokens.Count > 0)
        {
            terminal.Errors.WriteLine(
                $"There is no command '{parsed.UnmatchedTokens[0]}'. All commands: blockrepl --help");
            return Task.FromResult(ExitCodes.Usage);
        }

        return parsed.InvokeAsync(
            new InvocationConfiguration { Output = terminal.Output, Error = terminal.Errors });
    }
}

/// <summary>Where a command prints to and asks.</summary>
/// <param name="Input">Null if standard input is no terminal: then nobody can be asked.</param>
internal sealed record Terminal(TextWriter Output, TextWriter Errors, TextReader? Input);
