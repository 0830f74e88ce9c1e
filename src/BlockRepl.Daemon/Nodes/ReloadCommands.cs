using BlockRepl.Administration;
using BlockRepl.Administration.Control;
using BlockRepl.Configuration;
using BlockRepl.Core;
using BlockRepl.Core.State;

namespace BlockRepl.Daemon.Nodes;

/// <summary>
/// compare and reload: what is different in the files, and to run with it. A running core keeps its options; so a
/// Secondary starts anew with the new ones, which costs its peer a short disconnection, and a Primary refuses.
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
        if (changes.All(change => change.IsLive))
        {
            node.Adopt(resource, now, global);
            return;
        }

        IReadOnlyList<VolumeStatus> status = await Limits.WithinAsync(resource.Running.GetStatusAsync());
        if (WhyNotNow(resource.Name, status) is { } obstacle)
        {
            string what = string.Join("; ", changes.Where(change => !change.IsLive).Select(change => change.What));
            reply.Fail(
                ExitCodes.Refused,
                ExitCodes.Describe(
                    request.CalledAs ?? resource.Name, ErrorNumber.InvalidRequest,
                    $"BlockRepl cannot change this while a resource runs: {what}. {obstacle}"));
            return;
        }

        CommandResult down = await Limits.WithinAsync(resource.Running.ExecuteAsync(new AdminCommand.Down()));
        if (!reply.Note(request.CalledAs ?? resource.Name, down))
        {
            return;
        }

        node.Remove(resource);
        UpResource anew = await node.StartAsync(now, global);
        await LifeCommands.BringUpAsync(
            anew,
            volume => status.Any(s => s.Volume == volume.Number && s.Disk != DiskState.Diskless),
            connect: status.Any(s => s.Connection != ConnectionState.StandAlone), reply);
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
