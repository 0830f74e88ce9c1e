using BlockRepl.Administration;
using BlockRepl.Administration.Control;
using BlockRepl.Configuration;
using BlockRepl.Core;
using BlockRepl.Core.Options;
using BlockRepl.Core.State;

namespace BlockRepl.Daemon.Nodes;

/// <summary>
/// compare and reload: what is different in the files, and to run with it. Options are given to the running core; those
/// that nodes agree on cost it its connection for a moment. Where disks and peer are, and what is settled by attaching,
/// it keeps: for that a Secondary starts anew, and a Primary refuses.
/// </summary>
internal sealed class ReloadCommands(Node node)
{
    /// <summary>The changes, a line each; nothing: there are none.</summary>
    public ControlReply Compare(ControlRequest request, Target target)
    {
        var reply = new ReplyBuilder();
        foreach (UpResource resource in StateCommands.Select(node, target, reply))
        {
            foreach (ConfigurationChange change in
                ConfigurationChanges.Between(resource.Configuration, Read(request, resource, out _)))
            {
                reply.AddOutput(change.What);
            }
        }

        return reply.Build();
    }

    public async Task<ControlReply> ReloadAsync(ControlRequest request, Target target)
    {
        var reply = new ReplyBuilder();
        foreach (UpResource selected in StateCommands.Select(node, target, reply))
        {
            using IDisposable gate = await node.EnterAsync(selected.Name);
            if (node.Find(selected.Name) is { } resource)
            {
                await ReloadAsync(request, resource, reply);
            }
        }

        return reply.Build();
    }

    private async Task ReloadAsync(ControlRequest request, UpResource resource, ReplyBuilder reply)
    {
        ResourceConfiguration now = Read(request, resource, out GlobalSettings global);
        IReadOnlyList<ConfigurationChange> changes = ConfigurationChanges.Between(resource.Configuration, now);
        if (!changes.Any(change => change.Kind == ChangeKind.Place))
        {
            CommandResult set = changes.Any(change => change.Kind == ChangeKind.Options)
                ? await SetOptionsAsync(resource.Running, now.Options)
                : CommandResult.Success;
            if (set.Code != ErrorNumber.DiskConfigured)
            {
                if (reply.Note(request.CalledAs ?? resource.Name, set))
                {
                    node.Adopt(resource, now, global);
                }

                return;
            }
        }

        IReadOnlyList<VolumeStatus> status = await Limits.WithinAsync(resource.Running.GetStatusAsync());
        if (WhyNotNow(resource.Name, status) is { } obstacle)
        {
            string what = string.Join(
                "; ", changes.Where(change => change.Kind != ChangeKind.Daemon).Select(change => change.What));
            reply.Fail(
                ExitCodes.Refused,
                ExitCodes.Describe(
                    request.CalledAs ?? resource.Name, ErrorNumber.InvalidRequest,
                    $"BlockRepl cannot change this while a resource runs: {what}. {obstacle}"));
            return;
        }

        using IDisposable anew = node.StartAnew(resource.Name);
        CommandResult down = await Limits.WithinAsync(resource.Running.ExecuteAsync(new AdminCommand.Down()));
        if (!reply.Note(request.CalledAs ?? resource.Name, down))
        {
            return;
        }

        node.Remove(resource);
        UpResource up = await node.StartAsync(now, global);
        await LifeCommands.BringUpAsync(
            up,
            volume => status.Any(s => s.Volume == volume.Number && s.Disk != DiskState.Diskless),
            connect: status.Any(s => s.Connection != ConnectionState.StandAlone), reply);
    }

    /// <summary>Over a new connection, if the nodes have to agree on them.</summary>
    private static async Task<CommandResult> SetOptionsAsync(IRunningResource resource, ResourceOptions options)
    {
        Task<CommandResult> Execute(AdminCommand command) => Limits.WithinAsync(resource.ExecuteAsync(command));
        CommandResult set = await Execute(new AdminCommand.SetOptions(options));
        if (set.Code != ErrorNumber.NetConfigured)
        {
            return set;
        }

        CommandResult parted = await Execute(new AdminCommand.Disconnect(Force: false));
        if (!parted.Succeeded)
        {
            return parted;
        }

        set = await Execute(new AdminCommand.SetOptions(options));
        CommandResult connected = await Execute(new AdminCommand.Connect(DiscardMyData: false, Tentative: false));
        return set.Succeeded ? connected : set;
    }

    /// <summary>Not null: why a resource may not start anew now, and what to do.</summary>
    private static string? WhyNotNow(string resource, IReadOnlyList<VolumeStatus> status)
    {
        if (status.Any(volume => volume.Role == Role.Primary))
        {
            return "It is Primary and would have to start anew: make it Secondary (on a cluster: move it to the peer), "
                + $"then 'drbdadm adjust {resource}'.";
        }

        return status.Any(volume => volume.PeerRole == Role.Primary && volume.PeerDisk != DiskState.UpToDate)
            ? "It would have to start anew, and the peer is Primary and needs this node's data: wait for the end of "
                + $"the resync, then 'drbdadm adjust {resource}'."
            : null;
    }

    private ResourceConfiguration Read(ControlRequest request, UpResource resource, out GlobalSettings global)
    {
        NodeConfiguration configuration = node.ReadConfiguration(request.Config);
        global = configuration.Global;
        return configuration.Find(resource.Name)
            ?? throw new ConfigurationException(
                resource.Configuration.Position, configuration.WhyMissing(resource.Name));
    }
}
