using System.Globalization;
using System.Runtime.CompilerServices;
using System.Text;
using BlockRepl.Administration;
using BlockRepl.Administration.Control;
using BlockRepl.Administration.Tools;
using BlockRepl.Daemon.Nodes;
using BlockRepl.Platform.Storage;
using Microsoft.Extensions.Logging;

namespace BlockRepl.Daemon.Control;

/// <summary>
/// Runs a command line of drbdadm or drbdsetup that a native client handed over, and answers in parts, see
/// <see cref="ToolAnswer"/>.
/// </summary>
internal sealed class ToolRunner(Node node, CommandDispatcher dispatcher, TimeProvider time, ILogger<ToolRunner> logger)
{
    /// <param name="gone">The client has gone.</param>
    /// <returns>The exit code.</returns>
    public async Task<int> RunAsync(ToolRequest request, Stream client, CancellationToken gone)
    {
        var host = new Host(node, dispatcher, time, request, client);
        try
        {
            int code = await ToolProgram.RunAsync(request, host, gone);
            await host.FlushAsync(gone);
            await host.EndAsync(ToolAnswer.Exit, code, gone);
            return code;
        }
        catch (NeedsOwnProcessException)
        {
            await host.EndAsync(ToolAnswer.OwnProcess, 0, gone);
            return 0;
        }
        catch (Exception error) when (error is not (OperationCanceledException or IOException))
        {
            // A defect in one command must not end the daemon that a Primary's writes go through.
            Log.CommandFailed(logger, error, request.Program, string.Join(' ', request.Arguments));
            host.WriteError($"{request.Program} failed: {error.Message} The daemon's log has more.\n");
            await host.FlushAsync(gone);
            await host.EndAsync(ToolAnswer.Exit, ExitCodes.CannotExecute, gone);
            return ExitCodes.CannotExecute;
        }
    }

    private sealed class Host(
        Node node, CommandDispatcher dispatcher, TimeProvider time, ToolRequest request, Stream client)
        : IToolHost, IToolTerminal
    {
        private readonly List<(char Kind, byte[] Bytes)> _parts = [];

        public NodeLocation Location { get; } = ToolProgram.Locate(node.Location, request);

        public IMetaDataTool? MetaData => null;

        public IToolTerminal Terminal => this;

        public DateTimeOffset Now => time.GetLocalNow();

        public int? Columns => request.Columns;

        public string ReadInput() => throw new NeedsOwnProcessException();

        public bool HasTerminal => request.Columns is not null;

        public Task<string?> ReadLineAsync() => throw new NeedsOwnProcessException();

        public long? DiskBytes(string path) => OfflineDevice.SizeOf(path);

        public Task<ControlReply> AskAsync(ControlRequest asked, CancellationToken cancellation)
        {
            CheckNode();
            return dispatcher.ExecuteAsync(asked, cancellation);
        }

        public async IAsyncEnumerable<NodeEvent> WatchAsync([EnumeratorCancellation] CancellationToken cancellation)
        {
            CheckNode();
            using NodeEvents.Watcher watcher = node.Events.Watch();
            HandlerEvent? happened = null;
            while (true)
            {
                ControlReply reply = await dispatcher.ExecuteAsync(
                    new ControlRequest { Command = "status" }, cancellation);
                if (reply.Status is not null)
                {
                    yield return new NodeEvent(reply.Status, happened);
                }

                happened = await watcher.NextAsync(cancellation);
            }
        }

        public void Write(string text) => Add(ToolAnswer.Output, text);

        public void WriteError(string text) => Add(ToolAnswer.Error, text);

        public async Task FlushAsync(CancellationToken cancellation)
        {
            foreach ((char kind, byte[] bytes) in _parts)
            {
                await EndAsync(kind, bytes.Length, cancellation);
                await client.WriteAsync(bytes, cancellation);
            }

            _parts.Clear();
        }

        /// <summary>Sends a part's head.</summary>
        public async Task EndAsync(char kind, int number, CancellationToken cancellation) =>
            await client.WriteAsync(
                Encoding.ASCII.GetBytes(string.Create(CultureInfo.InvariantCulture, $"{kind} {number}\n")),
                cancellation);

        private void Add(char kind, string text)
        {
            if (text.Length > 0)
            {
                _parts.Add((kind, Encoding.UTF8.GetBytes(text)));
            }
        }

        private void CheckNode()
        {
            if (Location.Node != node.Location.Node)
            {
                throw new ControlException(
                    $"The daemon at {node.Location.RunDirectory} is node {node.Location.Node}, not {Location.Node}; "
                    + "another node's daemon has another BLOCKREPL_RUN_DIR.",
                    isAbsent: false);
            }
        }
    }
}
