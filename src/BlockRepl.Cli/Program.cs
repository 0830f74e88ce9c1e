using System.CommandLine;

namespace BlockRepl.Cli;

/// <summary>blockrepl: asks the daemon, or works on disks that no daemon uses.</summary>
internal static class Program
{
    private static Task<int> Main(string[] arguments) => RunAsync(arguments, new Terminal(
        Console.Out, Console.Error, Console.IsInputRedirected ? null : Console.In));

    /// <returns>The exit code.</returns>
    public static Task<int> RunAsync(string[] arguments, Terminal terminal)
    {
        RootCommand root = CommandLine.Build(terminal);
        return root.Parse(arguments).InvokeAsync(
            new InvocationConfiguration { Output = terminal.Output, Error = terminal.Errors });
    }
}

/// <summary>Where a command prints to and asks.</summary>
/// <param name="Input">Null if standard input is no terminal: then nobody can be asked.</param>
internal sealed record Terminal(TextWriter Output, TextWriter Errors, TextReader? Input);
