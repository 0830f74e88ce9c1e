using System.Diagnostics;
using BlockRepl.Administration;
using BlockRepl.Administration.Tools;
using BlockRepl.Configuration;
using BlockRepl.Core;
using Microsoft.Extensions.Logging;

namespace BlockRepl.Daemon.Nodes;

/// <summary>
/// Runs a resource's configured handlers as shell commands, with the environment that DRBD's scripts expect.
/// </summary>
internal sealed class HandlerProcess(
    NodeLocation location, ResourceConfiguration configuration, GlobalSettings settings, NodeEvents events,
    ILogger logger)
{
    /// <summary>No handler has this exit code: whoever sees it knows that the handler did not do its work.</summary>
    private const int CouldNotRun = 127;

    private volatile Known _known = new(configuration, settings);

    /// <summary>Takes another configuration over; handlers that run go on.</summary>
    public void Adopt(ResourceConfiguration resource, GlobalSettings global) => _known = new Known(resource, global);

    /// <summary>The handler's exit code; 0 where none is configured.</summary>
    public async Task<int> RunAsync(HandlerKind handler, int volume)
    {
        (ResourceConfiguration resource, GlobalSettings global) = _known;
        if (!resource.Handlers.TryGetValue(handler, out string? commandLine))
        {
            return 0;
        }

        string name = handler.Name();
        Log.HandlerStarts(logger, resource.Name, name, commandLine);
        events.Handler(new HandlerEvent(resource.Name, volume, handler, ExitCode: null));
        int exitCode = CouldNotRun;
        try
        {
            VolumeConfiguration? own = resource.Volumes.FirstOrDefault(candidate => candidate.Number == volume);
            exitCode = await RunShellAsync(
                new HandlerCall(location, resource, handler, own).StartInfo(commandLine),
                global.CommandTimeoutLongSeconds);
            Log.HandlerEnded(logger, resource.Name, name, exitCode);
        }
        catch (Exception error) when (error is System.ComponentModel.Win32Exception or IOException or TimeoutException)
        {
            Log.HandlerFailed(logger, resource.Name, name, error.Message);
        }

        events.Handler(new HandlerEvent(resource.Name, volume, handler, exitCode));
        return exitCode;
    }

    private static async Task<int> RunShellAsync(ProcessStartInfo start, int seconds)
    {
        start.RedirectStandardInput = true;
        using var process = Process.Start(start) ?? throw new IOException("/bin/sh did not start");
        process.StandardInput.Close();
        TimeSpan limit = seconds == 0 ? Timeout.InfiniteTimeSpan : TimeSpan.FromSeconds(seconds);
        try
        {
            await process.WaitForExitAsync().WaitAsync(limit);
        }
        catch (TimeoutException)
        {
            process.Kill(entireProcessTree: true);
            throw new TimeoutException($"it did not end within {seconds} s (cmd-timeout-long) and was killed");
        }

        return process.ExitCode;
    }

    private sealed record Known(ResourceConfiguration Resource, GlobalSettings Global);
}
