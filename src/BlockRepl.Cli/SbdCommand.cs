using System.Diagnostics;

namespace BlockRepl.Cli;

/// <summary>
/// "blockrepl sbd": the program sbd beside this one, with the same words. It cuts its command line in its own way,
/// and the daemon that it starts must have its name.
/// </summary>
internal static class SbdCommand
{
    public const string Description = "The fencing program sbd: create, list, dump, allocate, message, ...; see sbd -h";

    public static async Task<int> RunAsync(string[] arguments)
    {
        using Process sbd = Process.Start(Path.Combine(AppContext.BaseDirectory, "sbd"), arguments);
        await sbd.WaitForExitAsync();
        return sbd.ExitCode;
    }
}
