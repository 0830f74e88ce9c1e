using System.CommandLine;
using System.Net;
using BlockRepl.Administration;
using BlockRepl.Daemon.Hosting;

namespace BlockRepl.Daemon;

/// <summary>blockrepld: keeps the resources of one node running, in the foreground, until it is told to stop.</summary>
internal static class Program
{
    private static async Task<int> Main(string[] arguments)
    {
        var node = new NodeOptions();
        var nbdTcp = new Option<string?>("--nbd-tcp")
        {
            Description =
                "Serve NBD on this TCP address too, for clients on other machines. NBD has no authentication: "
                + "whoever reaches the port can read and write every Primary volume",
            HelpName = "ADDR:PORT",
        };
        var root = new RootCommand(
            "Replicates block devices between two nodes as DRBD 8.4 does, in user space. Runs in the foreground, logs "
            + "to standard error and starts with no resource up; 'blockrepl up' brings them up.");
        node.AddTo(root);
        root.Options.Add(nbdTcp);
        root.SetAction((parsed, cancellation) =>
        {
            IPEndPoint? tcp = null;
            string? text = parsed.GetValue(nbdTcp);
            if (text is not null && !TryParseEndPoint(text, out tcp))
            {
                Console.Error.WriteLine(
                    $"--nbd-tcp {text}: write ADDRESS:PORT, such as 127.0.0.1:10809 or [::1]:10809.");
                return Task.FromResult(ExitCodes.Usage);
            }

            return DaemonHost.RunAsync(new DaemonOptions(node.Resolve(parsed), tcp), cancellation);
        });

        // The host ends on signals in its own order; System.CommandLine's handling would cut that short.
        return await root.Parse(arguments).InvokeAsync(
            new InvocationConfiguration { ProcessTerminationTimeout = null });
    }

    private static bool TryParseEndPoint(string text, out IPEndPoint? endPoint) =>
        IPEndPoint.TryParse(text, out endPoint) && (endPoint.Port > 0 || text.EndsWith(":0", StringComparison.Ordinal));
}
