using BlockRepl.Administration.Control;
using BlockRepl.Core;

namespace BlockRepl.Administration.Tools;

/// <summary>
/// Where drbdadm and drbdsetup run: in the daemon, which a native client hands the command line to, or in a process of
/// their own.
/// </summary>
public interface IToolHost
{
    /// <summary>The node, unless the command line or the environment names another.</summary>
    NodeLocation Location { get; }

    /// <summary>Null in the daemon: its user's disks, terminal and standard input are another process's.</summary>
    IMetaDataTool? MetaData { get; }

    IToolTerminal Terminal { get; }

    /// <summary>The time of day, for what is printed.</summary>
    DateTimeOffset Now { get; }

    /// <summary>All of standard input.</summary>
    /// <exception cref="NeedsOwnProcessException">It is another process's.</exception>
    string ReadInput();

    /// <summary>Whether somebody sits at the other end who can answer.</summary>
    bool HasTerminal { get; }

    /// <summary>The next line that is typed; null at the end.</summary>
    /// <exception cref="NeedsOwnProcessException">It is another process's terminal.</exception>
    Task<string?> ReadLineAsync();

    /// <summary>The size of a block device or file; null if it cannot be opened.</summary>
    long? DiskBytes(string path);

    /// <exception cref="ControlException">No daemon, or no answer.</exception>
    Task<ControlReply> AskAsync(ControlRequest request, CancellationToken cancellation);

    /// <summary>What happens on the node from now on; first how it is now.</summary>
    /// <exception cref="ControlException">No daemon.</exception>
    IAsyncEnumerable<NodeEvent> WatchAsync(CancellationToken cancellation);
}

/// <summary>What the commands ask of every host.</summary>
public static class ToolHostExtensions
{
    /// <summary>How the node is now.</summary>
    /// <exception cref="ControlException">No daemon, or no answer.</exception>
    public static async Task<NodeStatus> StatusAsync(this IToolHost host, CancellationToken cancellation) =>
        (await host.AskAsync(new ControlRequest { Command = "status" }, cancellation)).Status
        ?? throw new ControlException("The daemon gave no status; its log says why.", isAbsent: false);
}

/// <summary>drbdmeta: works on the meta data of disks that nobody uses.</summary>
public interface IMetaDataTool
{
    /// <returns>The exit code.</returns>
    Task<int> RunAsync(IReadOnlyList<string> arguments, CancellationToken cancellation);
}

/// <summary>Where a command prints to.</summary>
public interface IToolTerminal
{
    /// <summary>Width; null where it is no terminal.</summary>
    int? Columns { get; }

    void Write(string text);

    void WriteError(string text);

    /// <summary>Shows what was written; for what goes on for long.</summary>
    Task FlushAsync(CancellationToken cancellation);
}

/// <summary>Something happened: the status is another, or a handler was called or has ended.</summary>
/// <param name="Status">How the node is now.</param>
/// <param name="Handler">Null unless it is about a handler.</param>
public sealed record NodeEvent(NodeStatus Status, HandlerEvent? Handler);

/// <summary>A handler's call, or its end.</summary>
/// <param name="ExitCode">Null: it was called.</param>
public sealed record HandlerEvent(string Resource, int Volume, HandlerKind Handler, int? ExitCode);

/// <summary>The command cannot run in the daemon; nothing of it was done or shown.</summary>
public sealed class NeedsOwnProcessException : Exception;
