using BlockRepl.Administration;
using BlockRepl.Administration.Control;
using BlockRepl.Administration.Tools;
using BlockRepl.Configuration;
using BlockRepl.Core;
using BlockRepl.Core.State;
using BlockRepl.Daemon.Hosting;

namespace BlockRepl.Daemon.Nodes;

/// <summary>status, role, cstate, dstate, get-gi.</summary>
internal sealed class StatusCommands(Node node)
{
    public async Task<ControlReply> StatusAsync(Target target)
    {
        if (target.Resource is not null && node.Find(target.Resource) is null)
        {
            var missing = new ReplyBuilder();
            StateCommands.Select(node, target, missing);
            return missing.Build();
        }

        var volumes = new List<VolumeStatus>();
        var reports = new List<VolumeReport>();
        foreach (UpResource resource in node.Up.Where(up => target.Resource is null || up.Name == target.Resource))
        {
            foreach (VolumeStatus status in await Limits.WithinAsync(resource.Running.GetStatusAsync()))
            {
                if (target.Volume is null || status.Volume == target.Volume)
                {
                    volumes.Add(status);
                    reports.Add(VolumeReport.From(resource.Name, status));
                }
            }
        }

        return new ControlReply
        {
            ExitCode = ExitCodes.Success,
            Output = StatusText.ProcDrbd($"srcversion: BLOCKREPL-{DaemonHost.Version}", volumes),
            Status = new NodeStatus
            {
                Node = node.Location.Node, ProcessId = Environment.ProcessId, Volumes = reports,
                Resources =
                [
                    .. node.Up.Where(up => reports.Exists(report => report.Resource == up.Name)).Select(Describe),
                ],
            },
        };
    }

    /// <summary>What resources run with.</summary>
    public async Task<ControlReply> ShowAsync(Target target, bool withDefaults)
    {
        var reply = new ReplyBuilder();
        IReadOnlyList<UpResource> resources = target.Resource is null
            ? node.Up
            : StateCommands.Select(node, target, reply);
        foreach (UpResource resource in resources)
        {
            IReadOnlyList<VolumeStatus> status = await Limits.WithinAsync(resource.Running.GetStatusAsync());
            HashSet<int> attached =
                [.. status.Where(volume => volume.Disk != DiskState.Diskless).Select(volume => volume.Volume)];
            reply.AddOutput(ShowPage.Of(
                resource.Configuration, status.Any(v => v.Connection != ConnectionState.StandAlone), attached,
                withDefaults));
        }

        return reply.Build();
    }

    /// <summary>One line for each volume, as scripts read them.</summary>
    public async Task<ControlReply> WordsAsync(string command, Target target)
    {
        var reply = new ReplyBuilder();
        if (target.Resource is not null && node.Find(target.Resource) is null && command is "cstate" or "dstate"
            && node.ReadConfiguration(null).Find(target.Resource!) is { } down)
        {
            foreach (VolumeConfiguration volume in down.Volumes.Where(
                volume => target.Volume is null || volume.Number == target.Volume))
            {
                reply.AddOutput("Unconfigured");
            }

            return reply.Build();
        }

        foreach (UpResource resource in StateCommands.Select(node, target, reply))
        {
            foreach (VolumeStatus status in await Limits.WithinAsync(resource.Running.GetStatusAsync()))
            {
                if (target.Volume is null || status.Volume == target.Volume)
                {
                    reply.AddOutput(Describe(command, status));
                }
            }
        }

        return reply.Build();
    }

    private static ResourceReport Describe(UpResource resource) => new()
    {
        Resource = resource.Name,
        LocalAddress = resource.Configuration.Own.ToAddressWord(),
        PeerAddress = resource.Configuration.Peer.ToAddressWord(),
        PeerNode = resource.Configuration.Peer.Name,
    };

    private static string Describe(string command, VolumeStatus status) => command switch
    {
        "role" => $"{status.Role}/{status.PeerRole}",
        "cstate" => status.Connection.ToString(),
        "dstate" => $"{status.Disk}/{status.PeerDisk}",
        "get-gi" => GenerationText(status),
        _ => GenerationPage(status),
    };

    /// <summary>The four UUIDs and the flags that the superblock would have now.</summary>
    private static string GenerationText(VolumeStatus status)
    {
        char consistent = Bit(status.Disk is DiskState.Outdated or DiskState.Consistent or DiskState.UpToDate);
        char upToDate = Bit(status.Disk == DiskState.UpToDate);
        char primary = Bit(status.Role == Role.Primary);
        char connected = Bit(status.Connection >= ConnectionState.Connected);
        char peerOutdated = Bit(status.PeerDisk is DiskState.Inconsistent or DiskState.Outdated);
        return $"{status.Uuids.Current:X16}:{status.Uuids.Bitmap:X16}:"
            + $"{status.Uuids.History1:X16}:{status.Uuids.History2:X16}:"
            + $"{consistent}:{upToDate}:{primary}:{connected}:0:{peerOutdated}:0";
    }

    /// <summary>The same for people.</summary>
    private static string GenerationPage(VolumeStatus status) =>
        GenerationPages.Of(
            status.Uuids,
            $"{status.Role}, {status.Connection}, {status.Disk}"
            + (status.PeerDisk == DiskState.Outdated ? ", peer outdated" : ""));

    private static char Bit(bool set) => set ? '1' : '0';
}
