using System.Diagnostics;
using System.Globalization;
using BlockRepl.Administration;
using BlockRepl.Configuration;
using BlockRepl.Core;
using Microsoft.Extensions.Logging;

namespace BlockRepl.Daemon.Nodes;

/// <summary>
/// Runs a resource's configured handlers as shell commands, with the environment that DRBD's scripts expect.
/// </summary>
internal sealed class HandlerProcess(
    NodeLocation location, ResourceConfiguration resource, GlobalSettings global, ILogger logger)
{
    /// <summary>No handler has this exit code: whoever sees it knows that the handler did not do its work.</summary>
    private const int CouldNotRun = 127;

    /// <summary>The handler's exit code; 0 where none is configured.</summary>
    public async Task<int> RunAsync(HandlerKind handler, int volume)
    {
        if (!resource.Handlers.TryGetValue(handler, out string? commandLine))
        {
            return 0;
        }

        string name = handler.Name();
        Log.HandlerStarts(logger, resource.Name, name, commandLine);
        try
        {
            int exitCode = await RunShellAsync(commandLine, handler, volume);
            Log.HandlerEnded(logger, resource.Name, name, exitCode);
            return exitCode;
        }
        catch (Exception error) when (error is System.ComponentModel.Win32Exception or IOException or TimeoutException)
        {
            Log.HandlerFailed(logger, resource.Name, name, error.Message);
            return CouldNotRun;
        }
    }

    private async Task<int> RunShellAsync(string commandLine, HandlerKind handler, int volume)
    {
        var start = new ProcessStartInfo("/bin/sh") { RedirectStandardInput = true, UseShellExecute = false };
        start.ArgumentList.Add("-c");
        start.ArgumentList.Add(commandLine);
        SetEnvironment(start.Environment, handler, volume);
        using var process = Process.Start(start) ?? throw new IOException("/bin/sh did not start");
        process.StandardInput.Close();
        int seconds = global.CommandTimeoutLongSeconds;
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

    private void SetEnvironment(IDictionary<string, string?> environment, HandlerKind handler, int volume)
    {
        environment.Clear();
        environment["HOME"] = "/";
        environment["TERM"] = "linux";
        environment["PATH"] = "/sbin:/usr/sbin:/bin:/usr/bin";
        environment["DRBD_RESOURCE"] = resource.Name;
        environment["DRBD_CONF"] = Path.GetFullPath(location.ConfigPath);
        environment["DRBD_PEER_AF"] = resource.Peer.IsIpv6 ? "ipv6" : "ipv4";
        environment["DRBD_PEER_ADDRESS"] = resource.Peer.Address;
        environment["DRBD_PEER"] = resource.Peer.Name;
        environment["DRBD_PEERS"] = string.Join(' ', resource.Peer.Names);

        // So that a handler that calls blockrepl reaches this node.
        environment["BLOCKREPL_CONFIG"] = Path.GetFullPath(location.ConfigPath);
        environment["BLOCKREPL_NODE"] = location.Node;
        environment["BLOCKREPL_RUN_DIR"] = location.RunDirectory;
        VolumeConfiguration? own = resource.Volumes.FirstOrDefault(candidate => candidate.Number == volume);
        if (own is null || handler is HandlerKind.FencePeer or HandlerKind.UnfencePeer)
        {
            environment["DRBD_MINOR"] = string.Join(' ', resource.Volumes.Select(known => known.Minor));
            return;
        }

        environment["DRBD_MINOR"] = own.Minor.ToString(CultureInfo.InvariantCulture);
        environment["DRBD_VOLUME"] = own.Number.ToString(CultureInfo.InvariantCulture);
        environment["DRBD_LL_DISK"] = own.DiskPath;
    }
}
