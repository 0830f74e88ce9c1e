using BlockRepl.Administration;
using BlockRepl.Administration.Control;
using BlockRepl.Administration.Tools;
using BlockRepl.Cli.Offline;
using BlockRepl.Platform.Storage;

namespace BlockRepl.Cli.Tools;

/// <summary>
/// drbdadm, drbdsetup and drbdmeta in a process of their own: where no daemon answers the native client, and for what
/// works on disks.
/// </summary>
internal sealed class OwnProcess : IToolHost, IToolTerminal
{
    private readonly Terminal _terminal;

    private OwnProcess(ToolRequest request, NodeLocation location, Terminal terminal)
    {
        _terminal = terminal;
        Location = location;
        Columns = request.Columns;
        MetaData = new DrbdMeta(location, terminal, OfflineDisk.Open);
    }

    public NodeLocation Location { get; }

    public IMetaDataTool? MetaData { get; }

    public IToolTerminal Terminal => this;

    public int? Columns { get; }

    public DateTimeOffset Now => TimeProvider.System.GetLocalNow();

    /// <param name="arguments">The program's name and its words.</param>
    /// <param name="environment">Looks up an environment variable.</param>
    /// <returns>The exit code.</returns>
    public static Task<int> RunAsync(
        IReadOnlyList<string> arguments, Terminal terminal, Func<string, string?> environment)
    {
        string[] variables = [NodeLocation.ConfigVariable, NodeLocation.NodeVariable, ToolProgram.PretendedNode];
        var request = new ToolRequest
        {
            Program = arguments[0],
            Arguments = [.. arguments.Skip(1)],
            Directory = Environment.CurrentDirectory,
            Environment = variables.Where(variable => environment(variable) is not null)
                .ToDictionary(variable => variable, variable => environment(variable)!),
        };
        NodeLocation location = ToolProgram.Locate(NodeLocation.Resolve(null, null, null, environment), request);
        return ToolProgram.RunAsync(request, new OwnProcess(request, location, terminal), CancellationToken.None);
    }

    public string ReadInput() => Console.In.ReadToEnd();

    public bool HasTerminal => _terminal.Input is not null && !Console.IsOutputRedirected;

    /// <summary>On a thread of its own: the console's reader knows only to wait.</summary>
    public Task<string?> ReadLineAsync() => Task.Run(() => _terminal.Input?.ReadLine());

    public long? DiskBytes(string path) => OfflineDevice.SizeOf(path);

    public Task<ControlReply> AskAsync(ControlRequest request, CancellationToken cancellation) =>
        ControlClient.AskAsync(Location, request, cancellation);

    public async IAsyncEnumerable<NodeEvent> WatchAsync(
        [System.Runtime.CompilerServices.EnumeratorCancellation] CancellationToken cancellation)
    {
        // Events come through the native client; here is only how it is now.
        ControlReply reply = await AskAsync(new ControlRequest { Command = "status" }, cancellation);
        if (reply.Status is not null)
        {
            yield return new NodeEvent(reply.Status, Handler: null);
        }
    }

    public void Write(string text) => _terminal.Output.Write(text);

    public void WriteError(string text) => _terminal.Errors.Write(text);

    public Task FlushAsync(CancellationToken cancellation) => _terminal.Output.FlushAsync(cancellation);
}
