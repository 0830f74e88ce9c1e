using BlockRepl.Administration.Control;

namespace BlockRepl.Administration.Tools;

/// <summary>drbdadm, drbdsetup and drbdmeta by name.</summary>
public static class ToolProgram
{
    /// <summary>The variable by which a configuration is looked at as another node would.</summary>
    public const string PretendedNode = "__DRBD_NODE__";

    public static IReadOnlyList<string> Names { get; } = ["drbdadm", "drbdsetup", "drbdmeta"];

    public static bool Knows(string program) => Names.Contains(program);

    /// <summary>The node that a command line is for, as far as its environment says.</summary>
    public static NodeLocation Locate(NodeLocation node, ToolRequest request) => node with
    {
        ConfigPath = Value(request, NodeLocation.ConfigVariable) is { } path
            ? Path.Combine(request.Directory, path)
            : node.ConfigPath,
        Node = Value(request, NodeLocation.NodeVariable) ?? Value(request, PretendedNode) ?? node.Node,
    };

    /// <returns>The exit code.</returns>
    /// <exception cref="NeedsOwnProcessException">It cannot be done in the daemon; it did nothing.</exception>
    public static Task<int> RunAsync(ToolRequest request, IToolHost host, CancellationToken cancellation)
    {
        switch (request.Program)
        {
            case "drbdadm":
                return new DrbdAdm(host, request).RunAsync(cancellation);
            case "drbdsetup":
                return new DrbdSetup(host, host.Location, host.Terminal).RunAsync(request.Arguments, cancellation);
            case "drbdmeta":
                return (host.MetaData ?? throw new NeedsOwnProcessException())
                    .RunAsync(request.Arguments, cancellation);
            default:
                host.Terminal.WriteError(
                    $"There is no program '{request.Program}'; known are drbdadm, drbdsetup and drbdmeta.\n");
                return Task.FromResult(ExitCodes.CannotExecute);
        }
    }

    private static string? Value(ToolRequest request, string variable) =>
        request.Environment.GetValueOrDefault(variable) is { Length: > 0 } value ? value : null;
}
