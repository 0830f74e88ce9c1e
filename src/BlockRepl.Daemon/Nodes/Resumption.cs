using System.Diagnostics;
using BlockRepl.Administration;
using BlockRepl.Administration.Control;
using BlockRepl.Configuration;
using BlockRepl.Core;
using BlockRepl.Core.State;
using BlockRepl.Daemon.Devices;
using Microsoft.Extensions.Logging;

namespace BlockRepl.Daemon.Nodes;

/// <summary>
/// Goes on where the daemon before this one stopped: with what it handed over, and with the resources whose devices are
/// still in use because it died. Everything else stays down until somebody brings it up.
/// </summary>
internal sealed class Resumption(Node node, DeviceService devices, ILogger<Resumption> logger)
{
    /// <summary>
    /// After a hand-over the peer cannot have become Primary meanwhile. It is given a moment to connect, so that the
    /// first write finds it and no new data generation has to begin.
    /// </summary>
    private static readonly TimeSpan PatienceAfterHandOver = TimeSpan.FromMilliseconds(500);

    /// <summary>
    /// A daemon that died may have been away for long. If the peer was made Primary in its place this node learns it
    /// when they connect, and must not have become Primary before.
    /// </summary>
    private static readonly TimeSpan PatienceAfterDeath = TimeSpan.FromSeconds(10);

    private static readonly TimeSpan DiskPatience = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan DiskPoll = TimeSpan.FromMilliseconds(20);

    private readonly LifeCommands _life = new(node);

    public async Task RunAsync()
    {
        try
        {
            IReadOnlyList<HandedOver> handed = HandOver.Take(node.Location.HandOverPath);
            var orphans = Orphans().Where(orphan => handed.All(known => known.Resource != orphan.Resource)).ToList();
            await Task.WhenAll([
                .. handed.Select(resource => ResumeAsync(resource, PatienceAfterHandOver)),
                .. orphans.Select(resource => ResumeAsync(resource, PatienceAfterDeath)),
            ]);
        }
        catch (Exception error) when (error is ConfigurationException or IOException or UnauthorizedAccessException)
        {
            Log.ResumeFailed(logger, "all", error.Message);
        }
    }

    /// <summary>Resources with a device that is in use although its daemon died.</summary>
    private IEnumerable<HandedOver> Orphans() =>
        devices.Setup is null
            ? []
            : node.ReadConfiguration(null).Resources
                .Where(resource => resource.Volumes.Any(
                    volume => devices.IsWaiting($"{resource.Name}/{volume.Number}")))
                .Select(resource => new HandedOver(resource.Name, IsPrimary: true, IsConnecting: true));

    private async Task ResumeAsync(HandedOver before, TimeSpan patience)
    {
        try
        {
            ControlReply up = await BringBackAsync(before);
            if (up.ExitCode != ExitCodes.Success || node.Find(before.Resource) is not { } resource)
            {
                Log.ResumeFailed(logger, before.Resource, string.Join(" | ", up.Messages));
                return;
            }

            if (before.IsPrimary)
            {
                await WaitForPeerAsync(resource, before.IsConnecting ? patience : TimeSpan.Zero);
                CommandResult result =
                    await Limits.WithinAsync(resource.Running.ExecuteAsync(new AdminCommand.SetRole(true, false)));
                if (!result.Succeeded)
                {
                    Log.ResumeFailed(logger, before.Resource, $"primary: ({result.Code}) {result.Message}");
                    return;
                }
            }

            Log.Resumed(logger, before.Resource, before.IsPrimary ? "Primary" : "Secondary");
        }
        catch (Exception error) when (error is ConfigurationException or IOException or TimeoutException)
        {
            Log.ResumeFailed(logger, before.Resource, error.Message);
        }
    }

    /// <summary>
    /// The kernel may hold the disk of a process that has just ended a little longer: it is tried until it is free.
    /// </summary>
    private async Task<ControlReply> BringBackAsync(HandedOver before)
    {
        long began = Stopwatch.GetTimestamp();
        while (true)
        {
            ControlReply up = await _life.BringBackAsync(before.Resource, before.IsConnecting);
            if (up.ExitCode == ExitCodes.Success || Stopwatch.GetElapsedTime(began) > DiskPatience)
            {
                return up;
            }

            await Task.Delay(DiskPoll);
        }
    }

    private static async Task WaitForPeerAsync(UpResource resource, TimeSpan patience)
    {
        var connected = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        void Look(IReadOnlyList<VolumeStatus> status)
        {
            if (status.All(volume => volume.Connection >= ConnectionState.Connected))
            {
                connected.TrySetResult();
            }
        }

        resource.Running.StatusChanged += Look;
        try
        {
            Look(await resource.Running.GetStatusAsync());
            await Task.WhenAny(connected.Task, Task.Delay(patience));
        }
        finally
        {
            resource.Running.StatusChanged -= Look;
        }
    }
}
