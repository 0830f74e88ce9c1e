using System.CommandLine;

namespace BlockRepl.Administration;

/// <summary>
/// The options --config, --node and --run-dir, which both programs take anywhere on the command line.
/// </summary>
public sealed class NodeOptions
{
    public Option<string?> Config { get; } = new("--config", "-c")
    {
        Description = $"The configuration (default {NodeLocation.DefaultConfigPath}, or BLOCKREPL_CONFIG)",
        HelpName = "FILE",
        Recursive = true,
    };

    public Option<string?> Node { get; } = new("--node")
    {
        Description = "This node's name in the configuration (default what 'uname -n' prints, or BLOCKREPL_NODE)",
        HelpName = "NAME",
        Recursive = true,
    };

    public Option<string?> RunDirectory { get; } = new("--run-dir")
    {
        Description =
            $"Where the daemon's sockets are (default {NodeLocation.DefaultRunDirectory}, or BLOCKREPL_RUN_DIR)",
        HelpName = "DIR",
        Recursive = true,
    };

    public void AddTo(Command command)
    {
        command.Options.Add(Config);
        command.Options.Add(Node);
        command.Options.Add(RunDirectory);
    }

    public NodeLocation Resolve(ParseResult parsed) => NodeLocation.Resolve(
        parsed.GetValue(Config), parsed.GetValue(Node), parsed.GetValue(RunDirectory),
        Environment.GetEnvironmentVariable);
}
