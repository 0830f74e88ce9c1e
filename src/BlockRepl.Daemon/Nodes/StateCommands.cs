using BlockRepl.Administration;
using BlockRepl.Administration.Control;
using BlockRepl.Configuration;
using BlockRepl.Core;

namespace BlockRepl.Daemon.Nodes;

/// <summary>The commands that a running resource carries out.</summary>
internal sealed class StateCommands(Node node)
{
    private static readonly HashSet<string> OfResource = new(StringComparer.Ordinal)
    {
        "connect", "disconnect", "primary", "secondary", "suspend-io", "resume-io",
    };

    private static readonly HashSet<string> OfVolume = new(StringComparer.Ordinal)
    {
        "attach", "detach", "invalidate", "invalidate-remote", "outdate", "verify", "pause-sync", "resume-sync",
        "new-current-uuid", "resize",
    };

    public static bool Knows(string command) => OfResource.Contains(command) || OfVolume.Contains(command);

    public async Task<ControlReply> ExecuteAsync(ControlRequest request, Target target)
    {
        var reply = new ReplyBuilder();
        IReadOnlyList<UpResource> resources = Select(node, target, reply);
        foreach (UpResource resource in resources)
        {
            if (OfResource.Contains(request.Command))
            {
                AdminCommand command = ForResource(request);
                reply.Note(
                    request.CalledAs ?? resource.Name,
                    await Limits.WithinAsync(resource.Running.ExecuteAsync(command)));
            }
            else
            {
                await ExecuteOnVolumesAsync(request, resource, target.Volume, reply);
            }

            if (reply.EndsRun)
            {
                break;
            }
        }

        return reply.Build();
    }

    /// <summary>The resources that are up and meant; if none, the reply says why.</summary>
    public static IReadOnlyList<UpResource> Select(Node node, Target target, ReplyBuilder reply)
    {
        if (target.Resource is null)
        {
            if (node.Up.Count == 0)
            {
                reply.Fail(
                    ExitCodes.Refused,
                    ExitCodes.Describe(
                        "all", ErrorNumber.UnknownResource, "no resource is up; bring them up with: blockrepl up all"));
            }

            return node.Up;
        }

        if (node.Find(target.Resource) is not { } resource)
        {
            NodeConfiguration configuration = node.ReadConfiguration(null);
            if (configuration.Find(target.Resource) is null)
            {
                reply.Fail(ExitCodes.Usage, configuration.WhyMissing(target.Resource));
                return [];
            }

            reply.Fail(
                ExitCodes.Refused,
                ExitCodes.Describe(
                    target.Resource,
                    ErrorNumber.UnknownResource,
                    $"it is not up; bring it up with: blockrepl up {target.Resource}"));
            return [];
        }

        if (target.Volume is { } number && resource.Configuration.Volumes.All(volume => volume.Number != number))
        {
            reply.Fail(
                ExitCodes.Refused,
                ExitCodes.Describe(
                    $"{target.Resource}/{number}", ErrorNumber.UnknownMinor, "the resource has no such volume."));
            return [];
        }

        return [resource];
    }

    private static async Task ExecuteOnVolumesAsync(
        ControlRequest request, UpResource resource, int? volume, ReplyBuilder reply)
    {
        foreach (VolumeConfiguration known in resource.Configuration.Volumes.Where(
            known => volume is null || known.Number == volume))
        {
            Task<CommandResult> task = request.Command switch
            {
                "attach" => resource.Running.AttachAsync(known.Number),
                _ => resource.Running.ExecuteAsync(ForVolume(request, known.Number)),
            };
            reply.Note(request.CalledAs ?? $"{resource.Name}/{known.Number}", await Limits.WithinAsync(task));
        }
    }

    private static AdminCommand ForResource(ControlRequest request) => request.Command switch
    {
        "connect" => new AdminCommand.Connect(request.DiscardMyData, request.Tentative),
        "disconnect" => new AdminCommand.Disconnect(request.Force),
        "primary" => new AdminCommand.SetRole(true, request.Force),
        "secondary" => new AdminCommand.SetRole(false, request.Force),
        "suspend-io" => new AdminCommand.SuspendIo(true),
        _ => new AdminCommand.SuspendIo(false),
    };

    private static AdminCommand ForVolume(ControlRequest request, int volume) => request.Command switch
    {
        "detach" => new AdminCommand.Detach(volume, request.Force),
        "invalidate" => new AdminCommand.Invalidate(volume, false),
        "invalidate-remote" => new AdminCommand.Invalidate(volume, true),
        "outdate" => new AdminCommand.Outdate(volume),
        "resize" => new AdminCommand.Resize(
            volume, request.SizeSectors ?? 0, request.AssumePeerHasSpace, request.AssumeClean),
        "verify" => new AdminCommand.Verify(volume, request.StartSector ?? 0, request.StopSector ?? ulong.MaxValue),
        "pause-sync" => new AdminCommand.PauseSync(volume, true),
        "resume-sync" => new AdminCommand.PauseSync(volume, false),
        _ => new AdminCommand.NewCurrentUuid(volume, request.ClearBitmap),
    };
}
