using System.Buffers;
using System.IO.Pipelines;
using System.Net.Sockets;
using System.Text.Json;
using BlockRepl.Administration;
using BlockRepl.Administration.Control;
using BlockRepl.Daemon.Hosting;
using BlockRepl.Daemon.Nodes;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace BlockRepl.Daemon.Control;

/// <summary>
/// The control socket: requests and replies as lines of JSON; a tool's answer is a stream of its own kind. Only the
/// daemon's user can open it; still nothing that comes from it may cost more than a bounded line, a bounded number of
/// clients and a bounded time.
/// </summary>
internal sealed class ControlServer(
    NodeLocation location, CommandDispatcher dispatcher, ToolRunner tools, Succession succession,
    ILogger<ControlServer> logger)
    : BackgroundService
{
    private static readonly byte[] NewLine = [(byte)'\n'];

    private readonly SemaphoreSlim _clients = new(ControlLimits.Clients);
    private Socket? _listener;

    public override Task StartAsync(CancellationToken cancellationToken)
    {
        var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        try
        {
            // The run directory's lock is ours, so a socket that is there is a dead daemon's.
            File.Delete(location.ControlSocketPath);
            socket.Bind(new UnixDomainSocketEndPoint(location.ControlSocketPath));
            File.SetUnixFileMode(location.ControlSocketPath, UnixFileMode.UserRead | UnixFileMode.UserWrite);
            socket.Listen(ControlLimits.Clients);
        }
        catch (Exception error) when (error is SocketException or IOException or UnauthorizedAccessException)
        {
            socket.Dispose();
            throw new StartupException(
                $"the control socket {location.ControlSocketPath} cannot be made: {error.Message}");
        }

        _listener = socket;
        return base.StartAsync(cancellationToken);
    }

    public override async Task StopAsync(CancellationToken cancellationToken)
    {
        await base.StopAsync(cancellationToken);
        if (_listener is not null)
        {
            _listener.Dispose();
            File.Delete(location.ControlSocketPath);
        }
    }

    public override void Dispose()
    {
        _listener?.Dispose();
        _clients.Dispose();
        base.Dispose();
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        try
        {
            while (!stoppingToken.IsCancellationRequested)
            {
                await _clients.WaitAsync(stoppingToken);
                await AcceptAsync(stoppingToken);
            }
        }
        catch (Exception error) when (!stoppingToken.IsCancellationRequested)
        {
            // Nobody could take the resources down any more: better to end in order.
            Log.ControlServerFailed(logger, error);
            throw;
        }
    }

    private async Task AcceptAsync(CancellationToken stopping)
    {
        try
        {
            Socket client = await _listener!.AcceptAsync(stopping);
            _ = ServeAsync(client, stopping);
        }
        catch (SocketException error)
        {
            // Out of descriptors, most likely: they come back as clients end.
            _clients.Release();
            Log.ControlClientRefused(logger, error.Message);
            await Task.Delay(TimeSpan.FromMilliseconds(100), stopping);
        }
    }

    private async Task ServeAsync(Socket client, CancellationToken stopping)
    {
        try
        {
            await using var stream = new NetworkStream(client, ownsSocket: true);
            PipeReader reader =
                PipeReader.Create(stream, new StreamPipeReaderOptions(bufferSize: 4096, leaveOpen: true));
            while (await ReceiveLineAsync(reader, stopping) is { } line)
            {
                ControlReply? refused = Parse(line, out ControlRequest? request);
                if (refused is null && request!.Run is { } tool)
                {
                    await WatchedAsync(reader, gone => tools.RunAsync(tool, stream, gone), stopping);
                    continue;
                }

                ControlReply reply = refused is { } refusal
                    ? refusal
                    : request!.Command == Succession.Command ? await succession.PrepareAsync()
                    : await WatchedAsync(reader, gone => dispatcher.ExecuteAsync(request, gone), stopping);
                try
                {
                    byte[] answer = JsonSerializer.SerializeToUtf8Bytes(reply, ControlJson.Default.ControlReply);
                    await stream.WriteAsync(answer, stopping);
                    await stream.WriteAsync(NewLine, stopping);
                }
                finally
                {
                    // Also if the client has gone: the successor waits.
                    if (request?.Command == Succession.Command && reply.ExitCode == ExitCodes.Success)
                    {
                        await succession.HandOverAsync();
                    }
                }
            }
        }
        catch (Exception error) when (error is IOException or SocketException or OperationCanceledException)
        {
            // The client has gone, or we are going: there is nobody to tell.
        }
        catch (InvalidDataException error)
        {
            Log.ControlClientRefused(logger, error.Message);
        }
        catch (Exception error)
        {
            Log.CommandFailed(logger, error, "control socket", "");
        }
        finally
        {
            if (!stopping.IsCancellationRequested)
            {
                _clients.Release();
            }
        }
    }

    /// <summary>One line without its end; null when the client closed.</summary>
    /// <exception cref="InvalidDataException">Too long, cut off, or too slow.</exception>
    private static async Task<byte[]?> ReceiveLineAsync(PipeReader reader, CancellationToken stopping)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(stopping);
        limit.CancelAfter(ControlLimits.RequestTime);
        while (true)
        {
            ReadResult result;
            try
            {
                result = await reader.ReadAsync(limit.Token);
            }
            catch (OperationCanceledException) when (!stopping.IsCancellationRequested)
            {
                throw new InvalidDataException($"no whole request within {ControlLimits.RequestTime.TotalSeconds:0} s");
            }

            ReadOnlySequence<byte> buffer = result.Buffer;
            if (buffer.PositionOf((byte)'\n') is { } end)
            {
                byte[] line = buffer.Slice(0, end).Length <= ControlLimits.RequestBytes
                    ? buffer.Slice(0, end).ToArray()
                    : throw TooLong();
                reader.AdvanceTo(buffer.GetPosition(1, end));
                return line;
            }

            if (buffer.Length > ControlLimits.RequestBytes)
            {
                throw TooLong();
            }

            if (result.IsCompleted)
            {
                return buffer.IsEmpty ? null : throw new InvalidDataException("a request was cut off");
            }

            reader.AdvanceTo(buffer.Start, buffer.End);
        }

        static InvalidDataException TooLong() => new($"a request is longer than {ControlLimits.RequestBytes} bytes");
    }

    private static ControlReply? Parse(byte[] line, out ControlRequest? request)
    {
        request = null;
        string problem;
        try
        {
            request = JsonSerializer.Deserialize(line, ControlJson.Default.ControlRequest);
            if (request is { Command: not null, Target: not null, Run: null or { IsComplete: true } })
            {
                return null;
            }

            problem = "command, target and a tool's words must not be null";
        }
        catch (JsonException error)
        {
            problem = error.Message;
        }

        return new ControlReply
        {
            ExitCode = ExitCodes.Usage,
            Messages = [$"The request is not understood: {problem}"],
        };
    }

    /// <summary>Carries a request out; while it runs the client's going away is noticed, which ends a wait.</summary>
    private static async Task<T> WatchedAsync<T>(
        PipeReader reader, Func<CancellationToken, Task<T>> start, CancellationToken stopping)
    {
        using var gone = CancellationTokenSource.CreateLinkedTokenSource(stopping);
        Task<T> work = start(gone.Token);
        Task<ReadResult> watch = reader.ReadAsync(stopping).AsTask();
        await Task.WhenAny(work, watch);
        if (!watch.IsCompleted)
        {
            reader.CancelPendingRead();
        }

        if (await HasLeftAsync(reader, watch))
        {
            await gone.CancelAsync();
        }

        return await work;
    }

    /// <summary>Whether the client closed; a next request that came early stays for later.</summary>
    private static async Task<bool> HasLeftAsync(PipeReader reader, Task<ReadResult> watch)
    {
        try
        {
            ReadResult seen = await watch;
            reader.AdvanceTo(seen.Buffer.Start);
            return seen.IsCompleted && seen.Buffer.IsEmpty;
        }
        catch (IOException)
        {
            return true;
        }
    }
}
