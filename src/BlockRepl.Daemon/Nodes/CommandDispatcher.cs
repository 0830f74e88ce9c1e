using BlockRepl.Administration;
using BlockRepl.Administration.Control;
using BlockRepl.Configuration;
using Microsoft.Extensions.Logging;

namespace BlockRepl.Daemon.Nodes;

/// <summary>Finds what a request asks for and answers it, whatever happens on the way.</summary>
internal sealed class CommandDispatcher(Node node, TimeProvider time, ILogger<CommandDispatcher> logger)
{
    /// <summary>How long a resource that starts anew is waited for by who only looks at it.</summary>
    private static readonly TimeSpan AnewTime = TimeSpan.FromSeconds(5);

    private readonly LifeCommands _life = new(node);
    private readonly ReloadCommands _reload = new(node);
    private readonly StateCommands _state = new(node);
    private readonly StatusCommands _status = new(node);
    private readonly WaitCommands _wait = new(node, time);

    /// <param name="cancellation">The client has gone: only waiting is ended by it.</param>
    public async Task<ControlReply> ExecuteAsync(ControlRequest request, CancellationToken cancellation)
    {
        if (!Target.TryParse(request.Target, out Target target))
        {
            return Refuse($"'{request.Target}' is no resource; write RESOURCE, RESOURCE/VOLUME or all.");
        }

        try
        {
            Task upAnew = node.WhenUpAnewAsync(target.Resource);
            if (!upAnew.IsCompleted)
            {
                await Task.WhenAny(upAnew, Task.Delay(AnewTime, time, cancellation));
            }

            ControlReply reply = await DispatchAsync(request, target, cancellation);
            Report(request, reply);
            return reply;
        }
        catch (ConfigurationException error)
        {
            Log.CommandRefused(logger, request.Command, request.Target, ExitCodes.Refused, error.Message);
            return new ControlReply { ExitCode = ExitCodes.Refused, Messages = [error.Message] };
        }
        catch (OperationCanceledException) when (cancellation.IsCancellationRequested)
        {
            throw;
        }
        catch (Exception error)
            when (error is TimeoutException or IOException or OperationCanceledException or ObjectDisposedException)
        {
            string reason = error switch
            {
                ObjectDisposedException => "the resource was taken down meanwhile.",
                TimeoutException =>
                    "it takes too long (cmd-timeout-medium); it may still be carried out, see 'blockrepl status'.",
                _ => error.Message,
            };
            Log.CommandRefused(logger, request.Command, request.Target, ExitCodes.CannotExecute, reason);
            return new ControlReply { ExitCode = ExitCodes.CannotExecute, Messages = [$"{request.Target}: {reason}"] };
        }
        catch (Exception error)
        {
            // A defect in one command must not end the daemon that a Primary's writes go through.
            Log.CommandFailed(logger, error, request.Command, request.Target);
            return new ControlReply
            {
                ExitCode = ExitCodes.CannotExecute,
                Messages = [$"{request.Target}: {request.Command} failed: {error.Message} The daemon's log has more."],
            };
        }
    }

    private Task<ControlReply> DispatchAsync(ControlRequest request, Target target, CancellationToken cancellation)
    {
        switch (request.Command)
        {
            case "up":
                return _life.UpAsync(target);
            case "down":
                return _life.DownAsync(target);
            case "new-resource":
                return _life.NewResourceAsync(target, request.Config);
            case "del-minor" or "del-resource":
                return _life.DeleteAsync(request, target);
            case "compare":
                return Task.FromResult(_reload.Compare(request, target));
            case "reload":
                return _reload.ReloadAsync(request, target);
            case "show":
                return _status.ShowAsync(target, request.ShowDefaults);
            case "status":
                return _status.StatusAsync(target);
            case "role" or "cstate" or "dstate" or "get-gi" or "show-gi":
                return _status.WordsAsync(request.Command, target);
            case "wait-connect":
                return _wait.WaitAsync(request, target, forSync: false, cancellation);
            case "wait-sync":
                return _wait.WaitAsync(request, target, forSync: true, cancellation);
            default:
                return StateCommands.Knows(request.Command)
                    ? _state.ExecuteAsync(request, target)
                    : Task.FromResult(
                        Refuse($"the daemon knows no command '{request.Command}'; are both of the same version?"));
        }
    }

    private void Report(ControlRequest request, ControlReply reply)
    {
        if (reply.ExitCode != 0)
        {
            Log.CommandRefused(
                logger, request.Command, request.Target, reply.ExitCode, string.Join(" | ", reply.Messages));
        }
        else if (request.Command is "up" or "down" or "new-resource" or "reload"
            || StateCommands.Knows(request.Command))
        {
            Log.CommandDone(logger, request.Command, request.Target);
        }
    }

    private static ControlReply Refuse(string message) => new() { ExitCode = ExitCodes.Usage, Messages = [message] };
}
