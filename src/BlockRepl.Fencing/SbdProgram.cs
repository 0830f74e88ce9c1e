using BlockRepl.Fencing.CommandLine;
using BlockRepl.Fencing.Commands;
using BlockRepl.Fencing.Logging;
using BlockRepl.Fencing.Watch;

namespace BlockRepl.Fencing;

/// <summary>sbd: from a command line to an exit status, which is 0 or 1 as scripts expect it.</summary>
internal static class SbdProgram
{
    public static int Run(string[] arguments, Terminal terminal)
    {
        SbdOptions options;
        try
        {
            options = SbdOptionsReader.Read(
                arguments, new SettingsFile(terminal.Variable), terminal.Variable("POSIXLY_CORRECT") is not null);
        }
        catch (UsageException wrong)
        {
            terminal.Errors.WriteLine(wrong.Message);
            terminal.Errors.WriteLine(Usage.Text);
            return 1;
        }
        catch (SbdException refusal)
        {
            terminal.Errors.WriteLine(refusal.Message);
            return Failed(terminal);
        }

        if (options.Help)
        {
            terminal.Errors.WriteLine(Usage.Text);
            return 0;
        }

        using var log = new SystemLog(options.Verbosity, terminal.Errors);
        try
        {
            return Dispatch(arguments, options, terminal, log) switch
            {
                true => 0,
                false => Failed(terminal),
                null => UnknownCommand(terminal),
            };
        }
        catch (SbdException refusal)
        {
            log.Error(refusal.Message);
            return Failed(terminal);
        }
    }

    /// <returns>Whether it was done; null if there is no such command.</returns>
    private static bool? Dispatch(string[] arguments, SbdOptions options, Terminal terminal, SystemLog log)
    {
        var slots = new SlotCommands(options, terminal, log);
        var messages = new MessageCommands(options, terminal, log);
        var watchdogs = new WatchdogCommands(options, terminal, log);
        return options.Command switch
        {
            "create" => slots.Create(),
            "dump" => slots.Dump(),
            "list" => slots.List(),
            "allocate" => slots.Allocate(),
            "message" => messages.Send(),
            "ping" => messages.Ping(),
            "watch" => new WatchCommand(arguments, options, terminal, log).Run(),
            "query-watchdog" => watchdogs.Query(),
            "test-watchdog" => watchdogs.Test(),
            _ => null,
        };
    }

    private static int Failed(Terminal terminal)
    {
        terminal.Errors.WriteLine("sbd failed; please check the logs.");
        return 1;
    }

    private static int UnknownCommand(Terminal terminal)
    {
        terminal.Errors.WriteLine(Usage.Text);
        return 1;
    }
}
