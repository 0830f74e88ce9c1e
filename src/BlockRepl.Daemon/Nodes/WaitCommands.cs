using System.Threading.Channels;
using BlockRepl.Administration;
using BlockRepl.Administration.Control;
using BlockRepl.Configuration;
using BlockRepl.Core;
using BlockRepl.Core.State;

namespace BlockRepl.Daemon.Nodes;

/// <summary>wait-connect and wait-sync.</summary>
internal sealed class WaitCommands(Node node, TimeProvider time)
{
    public async Task<ControlReply> WaitAsync(
        ControlRequest request, Target target, bool forSync, CancellationToken cancellation)
    {
        var reply = new ReplyBuilder();
        IReadOnlyList<UpResource> resources = StateCommands.Select(node, target, reply);
        Outcome[] outcomes = await Task.WhenAll(
            resources.Select(resource => WaitForAsync(request, resource, target.Volume, forSync, cancellation)));
        foreach (Outcome outcome in outcomes)
        {
            foreach (string remark in outcome.Remarks)
            {
                reply.Add(remark);
            }

            if (outcome.Failure is not null)
            {
                reply.Fail(ExitCodes.TimedOut, outcome.Failure);
            }
        }

        return reply.Build();
    }

    private async Task<Outcome> WaitForAsync(
        ControlRequest request, UpResource resource, int? volume, bool forSync, CancellationToken cancellation)
    {
        var changes = Channel.CreateBounded<bool>(
            new BoundedChannelOptions(1) { FullMode = BoundedChannelFullMode.DropWrite });
        void Notify(IReadOnlyList<VolumeStatus> status) => changes.Writer.TryWrite(true);
        resource.Running.StatusChanged += Notify;
        try
        {
            IReadOnlyList<VolumeStatus> status = await StatusOfAsync(resource, volume);
            WaitTimes times = WaitTimes.From(request, resource.Configuration.Startup, resource.Name);
            TimeSpan limit = times.Choose(status);
            using var timeout = new CancellationTokenSource(limit, time);
            using var either = CancellationTokenSource.CreateLinkedTokenSource(timeout.Token, cancellation);
            while (true)
            {
                if (Judge(status, forSync, times.WaitAfterSplitBrain) is { } verdict)
                {
                    return new Outcome(times.Remarks, Explain(verdict, resource.Name));
                }

                try
                {
                    await changes.Reader.ReadAsync(either.Token);
                }
                catch (OperationCanceledException) when (!cancellation.IsCancellationRequested)
                {
                    return new Outcome(times.Remarks, Describe(resource.Name, limit, status));
                }

                status = await StatusOfAsync(resource, volume);
            }
        }
        finally
        {
            resource.Running.StatusChanged -= Notify;
        }
    }

    private enum Verdict
    {
        Reached,
        StandAlone,
    }

    private readonly record struct Outcome(IReadOnlyList<string> Remarks, string? Failure);

    /// <summary>
    /// Null while waiting makes sense. For wait-connect a volume that gave up (StandAlone, after a split brain) ends
    /// the wait as a success, as in DRBD: the boot must go on.
    /// </summary>
    private static Verdict? Judge(IReadOnlyList<VolumeStatus> volumes, bool forSync, bool waitAfterSplitBrain)
    {
        bool all = true;
        foreach (VolumeStatus volume in volumes)
        {
            if (volume.Connection < ConnectionState.Unconnected && !waitAfterSplitBrain)
            {
                if (forSync)
                {
                    return Verdict.StandAlone;
                }

                continue;
            }

            all &= forSync ? IsInSync(volume) : volume.Connection >= ConnectionState.Connected;
        }

        return all ? Verdict.Reached : null;
    }

    /// <summary>
    /// Plainly connected. Good data on one side only means that a resync is about to begin: after 'primary --force' the
    /// two nodes talk about it for a moment, in which a script must not be told that all is done.
    /// </summary>
    private static bool IsInSync(VolumeStatus volume)
    {
        bool aboutToSync = (volume.Disk == DiskState.UpToDate && IsBehind(volume.PeerDisk))
            || (volume.PeerDisk == DiskState.UpToDate && IsBehind(volume.Disk));
        return volume.Connection == ConnectionState.Connected && !aboutToSync;
    }

    private static bool IsBehind(DiskState disk) =>
        disk is DiskState.Negotiating or DiskState.Inconsistent or DiskState.Outdated;

    private static string? Explain(Verdict verdict, string resource) => verdict == Verdict.Reached
        ? null
        : $"{resource}: it is StandAlone, so nothing will be synchronised; connect it with: "
            + $"blockrepl connect {resource}";

    private static string Describe(string resource, TimeSpan limit, IReadOnlyList<VolumeStatus> status) =>
        $"{resource}: not reached within {limit.TotalSeconds:0} s; the connection is "
        + string.Join(", ", status.Select(volume => volume.Connection).Distinct()) + ".";

    private static async Task<IReadOnlyList<VolumeStatus>> StatusOfAsync(UpResource resource, int? volume)
    {
        IReadOnlyList<VolumeStatus> all = await Limits.WithinAsync(resource.Running.GetStatusAsync());
        return volume is null ? all : [.. all.Where(status => status.Volume == volume)];
    }
}

/// <summary>The three time-outs of waiting after a start, with DRBD's corrections. Seconds; 0 = for ever.</summary>
internal sealed record WaitTimes(
    int Wait, int Degraded, int Outdated, bool WaitAfterSplitBrain, IReadOnlyList<string> Remarks)
{
    public static WaitTimes From(ControlRequest request, StartupOptions startup, string resource)
    {
        int wait = request.WaitSeconds ?? startup.WaitSeconds;
        int degraded = request.DegradedWaitSeconds ?? startup.DegradedWaitSeconds;
        int outdated = request.OutdatedWaitSeconds ?? startup.OutdatedWaitSeconds;
        var remarks = new List<string>();
        if (wait > 0 && (degraded == 0 || wait < degraded))
        {
            if (degraded > 0)
            {
                remarks.Add($"{resource}: degr-wfc-timeout must not be longer than wfc-timeout; {wait} s are used.");
            }

            degraded = wait;
        }

        if (degraded > 0 && (outdated == 0 || degraded < outdated))
        {
            if (outdated > 0)
            {
                remarks.Add(
                    $"{resource}: outdated-wfc-timeout must not be longer than degr-wfc-timeout; {wait} s are used.");
            }

            // DRBD's tool takes wfc here, although it says degr: the same number makes the same boot.
            outdated = wait;
        }

        return new WaitTimes(
            wait, degraded, outdated, request.WaitAfterSplitBrain ?? startup.WaitAfterSplitBrain, remarks);
    }

    /// <summary>Which one counts is decided once, by what is known when the wait begins.</summary>
    public TimeSpan Choose(IReadOnlyList<VolumeStatus> volumes)
    {
        int seconds = volumes.Any(volume => volume.PeerDisk == DiskState.Outdated) ? Outdated
            : volumes.Any(volume => volume.Degraded) ? Degraded
            : Wait;
        return seconds == 0 ? Timeout.InfiniteTimeSpan : TimeSpan.FromSeconds(seconds);
    }
}
