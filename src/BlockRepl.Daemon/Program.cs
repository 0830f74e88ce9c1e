using System.CommandLine;
using BlockRepl.Administration;
using BlockRepl.Daemon.Hosting;

namespace BlockRepl.Daemon;

/// <summary>blockrepld: keeps the resources of one node running, in the foreground, until it is told to stop.</summary>
internal static class Program
{
    private static async Task<int> Main(string[] arguments)
    {
        var options = new DaemonCommandLine();
        var root = new RootCommand(
            "Replicates block devices between two nodes as DRBD 8.4 does, in user space. Runs in the foreground, logs "
            + "to standard error and starts with no resource up; 'blockrepl up' brings them up.");
        options.AddTo(root);
        root.SetAction((parsed, cancellation) =>
        {
            if (!options.TryResolve(parsed, out DaemonOptions? resolved, out string problem))
            {
                Console.Error.WriteLine(problem);
                return Task.FromResult(ExitCodes.Usage);
            }

            return DaemonHost.RunAsync(resolved, cancellation);
        });

        // The host ends on signals in its own order; System.CommandLine's handling would cut that short.
        return await root.Parse(arguments).InvokeAsync(
            new InvocationConfiguration { ProcessTerminationTimeout = null });
    }
}
