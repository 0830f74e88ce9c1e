using System.Diagnostics;
using System.Globalization;
using BlockRepl.Configuration;
using BlockRepl.Core;

namespace BlockRepl.Administration.Tools;

/// <summary>A handler's shell command, with the environment that DRBD's scripts expect.</summary>
/// <param name="Volume">Null: it is about all volumes.</param>
public sealed record HandlerCall(
    NodeLocation Location, ResourceConfiguration Resource, HandlerKind Handler, VolumeConfiguration? Volume)
{
    public ProcessStartInfo StartInfo(string commandLine)
    {
        var start = new ProcessStartInfo("/bin/sh") { UseShellExecute = false };
        start.ArgumentList.Add("-c");
        start.ArgumentList.Add(commandLine);
        SetEnvironment(start.Environment);
        return start;
    }

    /// <summary>Runs it with this process's terminal.</summary>
    /// <returns>The handler's exit code.</returns>
    public async Task<int> RunAsync(string commandLine, CancellationToken cancellation)
    {
        using var process = Process.Start(StartInfo(commandLine)) ?? throw new IOException("/bin/sh did not start");
        await process.WaitForExitAsync(cancellation);
        return process.ExitCode;
    }

    private void SetEnvironment(IDictionary<string, string?> environment)
    {
        environment.Clear();
        environment["HOME"] = "/";
        environment["TERM"] = "linux";
        environment["PATH"] = "/sbin:/usr/sbin:/bin:/usr/bin";
        environment["DRBD_RESOURCE"] = Resource.Name;
        environment["DRBD_CONF"] = Path.GetFullPath(Location.ConfigPath);
        environment["DRBD_PEER_AF"] = Resource.Peer.IsIpv6 ? "ipv6" : "ipv4";
        environment["DRBD_PEER_ADDRESS"] = Resource.Peer.Address;
        environment["DRBD_PEER"] = Resource.Peer.Name;
        environment["DRBD_PEERS"] = string.Join(' ', Resource.Peer.Names);

        // So that a handler that calls our commands reaches this node.
        environment[NodeLocation.ConfigVariable] = Path.GetFullPath(Location.ConfigPath);
        environment[NodeLocation.NodeVariable] = Location.Node;
        environment[NodeLocation.RunDirectoryVariable] = Location.RunDirectory;
        if (Volume is null || Handler is HandlerKind.FencePeer or HandlerKind.UnfencePeer)
        {
            environment["DRBD_MINOR"] = string.Join(' ', Resource.Volumes.Select(known => known.Minor));
            return;
        }

        environment["DRBD_MINOR"] = Volume.Minor.ToString(CultureInfo.InvariantCulture);
        environment["DRBD_VOLUME"] = Volume.Number.ToString(CultureInfo.InvariantCulture);
        environment["DRBD_LL_DISK"] = Volume.DiskPath;
    }
}
