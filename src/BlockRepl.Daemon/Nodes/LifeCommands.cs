using BlockRepl.Administration;
using BlockRepl.Administration.Control;
using BlockRepl.Administration.Tools;
using BlockRepl.Configuration;
using BlockRepl.Core;
using BlockRepl.Core.State;

namespace BlockRepl.Daemon.Nodes;

/// <summary>up and down.</summary>
internal sealed class LifeCommands(Node node)
{
    /// <summary>
    /// Reads the configuration, starts each resource, attaches its volumes, connects. A step that fails ends the steps
    /// of this resource; what was reached stays. Any failure makes exit code 1.
    /// </summary>
    public async Task<ControlReply> UpAsync(Target target)
    {
        NodeConfiguration configuration = node.ReadConfiguration(null);
        var reply = new ReplyBuilder();
        foreach (string remark in configuration.Warnings)
        {
            reply.Add(remark);
        }

        IReadOnlyList<ResourceConfiguration> wanted = target.Resource is null
            ? configuration.Resources
            : configuration.Find(target.Resource) is { } one ? [one] : [];
        if (wanted.Count == 0)
        {
            reply.Fail(ExitCodes.Usage, configuration.WhyMissing(target.Resource));
            return reply.Build();
        }

        foreach (ResourceConfiguration resource in wanted)
        {
            if (OwnAddress.Problem(resource, configuration.Global) is { } problem)
            {
                reply.Fail(ExitCodes.Refused, problem.Message);
                continue;
            }

            using IDisposable gate = await node.EnterAsync(resource.Name);
            UpResource up = await node.StartAsync(resource, configuration.Global);
            await BringUpAsync(up, v => target.Volume is null || v.Number == target.Volume, connect: true, reply);
        }

        ControlReply built = reply.Build();
        return built.ExitCode == 0 ? built : built with { ExitCode = ExitCodes.Usage };
    }

    /// <summary>As up for one resource, which need not be connected; what is attached already stays.</summary>
    public async Task<ControlReply> BringBackAsync(string name, bool connect)
    {
        NodeConfiguration configuration = node.ReadConfiguration(null);
        var reply = new ReplyBuilder();
        if (configuration.Find(name) is not { } resource)
        {
            reply.Fail(ExitCodes.Usage, configuration.WhyMissing(name));
            return reply.Build();
        }

        using IDisposable gate = await node.EnterAsync(name);
        UpResource up = await node.StartAsync(resource, configuration.Global);
        IReadOnlyList<VolumeStatus> status = await up.Running.GetStatusAsync();
        await BringUpAsync(
            up, v => status.First(s => s.Volume == v.Number).Disk == DiskState.Diskless, connect, reply);
        return reply.Build();
    }

    /// <summary>The resource exists from now on, without disk and connection; it may have existed before.</summary>
    public async Task<ControlReply> NewResourceAsync(Target target, string? config)
    {
        NodeConfiguration configuration = node.ReadConfiguration(config);
        var reply = new ReplyBuilder();
        if (target.Resource is null || configuration.Find(target.Resource) is not { } resource)
        {
            reply.Fail(ExitCodes.Usage, configuration.WhyMissing(target.Resource));
            return reply.Build();
        }

        using IDisposable gate = await node.EnterAsync(resource.Name);
        await node.StartAsync(resource, configuration.Global);
        return reply.Build();
    }

    /// <summary>Forgets a resource that has neither disk nor connection.</summary>
    public async Task<ControlReply> DeleteAsync(ControlRequest request, Target target)
    {
        var reply = new ReplyBuilder();
        foreach (UpResource resource in StateCommands.Select(node, target, reply))
        {
            using IDisposable gate = await node.EnterAsync(resource.Name);
            if (!(await resource.Running.GetStatusAsync()).All(Node.IsUnused))
            {
                reply.Fail(ExitCodes.Refused, ExitCodes.Describe(
                    request.CalledAs ?? resource.Name, ErrorNumber.ResourceInUse,
                    "it is in use; disconnect and detach it first."));
            }
            else if (target.Volume is null)
            {
                node.Remove(resource);
            }
        }

        return reply.Build();
    }

    public async Task<ControlReply> DownAsync(Target target)
    {
        var reply = new ReplyBuilder();
        if (target.Volume is { } volume)
        {
            reply.Fail(
                ExitCodes.Usage,
                $"a resource goes down as a whole: blockrepl down {target.Resource}; "
                + $"to give one volume's disk free: blockrepl detach {target.Resource}/{volume}");
            return reply.Build();
        }

        if (target.Resource is not null && node.Find(target.Resource) is null)
        {
            // Down already: what scripts want is reached.
            reply.Add($"{target.Resource} is not up.");
            return reply.Build();
        }

        foreach (UpResource resource in node.Up.Where(up => target.Resource is null || up.Name == target.Resource))
        {
            using IDisposable gate = await node.EnterAsync(resource.Name);
            if (node.Find(resource.Name) != resource)
            {
                continue;
            }

            CommandResult result = await Limits.WithinAsync(resource.Running.ExecuteAsync(new AdminCommand.Down()));
            if (reply.Note(resource.Name, result))
            {
                node.Remove(resource);
            }
        }

        return reply.Build();
    }

    /// <summary>Attaches volumes and connects; only in the resource's gate.</summary>
    public static async Task BringUpAsync(
        UpResource resource, Func<VolumeConfiguration, bool> attach, bool connect, ReplyBuilder reply)
    {
        bool attached = true;
        foreach (VolumeConfiguration known in resource.Configuration.Volumes.Where(attach))
        {
            CommandResult result = await Limits.WithinAsync(resource.Running.AttachAsync(known.Number));
            attached &= reply.Note($"{resource.Name}/{known.Number}", result);
        }

        if (!attached)
        {
            reply.Add($"{resource.Name}: connect was left out, because not every disk could be attached.");
            return;
        }

        if (connect)
        {
            reply.Note(
                resource.Name,
                await Limits.WithinAsync(resource.Running.ExecuteAsync(new AdminCommand.Connect(false, false))));
        }
    }
}

/// <summary>How long a command of a running resource may take.</summary>
internal static class Limits
{
    private static readonly TimeSpan Command = TimeSpan.FromSeconds(121);

    public static Task<T> WithinAsync<T>(Task<T> command) => command.WaitAsync(Command);
}
