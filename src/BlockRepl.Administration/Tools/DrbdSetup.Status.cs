using System.Globalization;
using BlockRepl.Administration.Control;
using BlockRepl.Configuration;

namespace BlockRepl.Administration.Tools;

/// <summary>What drbdsetup prints about the node.</summary>
internal sealed partial class DrbdSetup
{
    private const int ColumnsWithoutTerminal = 80;

    /// <summary>role, cstate, dstate: one word or two.</summary>
    private async Task<int> StateWordAsync(string command, string minor, CancellationToken cancellation)
    {
        VolumeReport volume = await FindVolumeAsync(minor, cancellation);
        string word = StatusPage.IsUnconfigured(volume) ? "Unconfigured" : command switch
        {
            "cstate" => volume.Connection,
            "dstate" => $"{volume.Disk}/{volume.PeerDisk}",
            _ => $"{volume.Role}/{volume.PeerRole}",
        };
        terminal.Write(word + "\n");
        return ExitCodes.Success;
    }

    private async Task<int> StatusAsync(string command, ToolWords given, CancellationToken cancellation)
    {
        NodeStatus status = await host.StatusAsync(cancellation);
        string target = given.Words.Count > 0 ? given.Words[0] : "all";
        IReadOnlyList<VolumeReport> volumes =
            [.. status.Volumes.Where(volume => Means(target, volume)).OrderBy(volume => volume.Minor)];
        if (command == "sh-status")
        {
            foreach (VolumeReport volume in volumes)
            {
                terminal.Write(StatusPage.Shell(volume));
            }

            return ExitCodes.Success;
        }

        if (volumes.Count == 0)
        {
            if (target == "all")
            {
                terminal.WriteError("# No currently configured DRBD found.\n");
                return ExitCodes.Success;
            }

            terminal.WriteError($"{target}: No such resource\n");
            return ExitCodes.Refused;
        }

        foreach (IGrouping<string, VolumeReport> resource in volumes.GroupBy(volume => volume.Resource))
        {
            terminal.Write(StatusPage.Resource(
                [.. resource], terminal.Columns ?? ColumnsWithoutTerminal, given.Has("verbose"),
                given.Has("statistics")));
        }

        return ExitCodes.Success;
    }

    private static bool Means(string target, VolumeReport volume) =>
        target == "all" || target == volume.Resource
        || target == volume.Minor.ToString(CultureInfo.InvariantCulture);

    /// <summary>events and events2: until the client goes away; the former in the old form.</summary>
    private async Task<int> EventsAsync(bool old, ToolWords given, CancellationToken cancellation)
    {
        string target = given.Words.Count > 0 ? given.Words[0] : "all";
        bool statistics = given.Has("statistics");
        bool timestamps = given.Has("timestamps");
        NodeStatus? seen = null;
        long number = 0;
        await foreach (NodeEvent happened in host.WatchAsync(cancellation).WithCancellation(cancellation))
        {
            NodeStatus now = happened.Status with
            {
                Volumes = [.. happened.Status.Volumes.Where(volume => Means(target, volume))],
            };
            IEnumerable<string> lines = old
                ? OldEvents.Lines(seen, now, happened.Handler, ref number)
                : NewEvents(seen, now, happened.Handler, statistics);
            foreach (string line in lines)
            {
                string stamp = timestamps
                    ? $"{host.Now:yyyy-MM-dd'T'HH:mm:ss.ffffffzzz} "
                    : "";
                terminal.Write($"{stamp}{line}\n");
            }

            seen = now;
            await terminal.FlushAsync(cancellation);
            if (given.Has("now"))
            {
                break;
            }
        }

        return ExitCodes.Success;
    }

    private static IEnumerable<string> NewEvents(
        NodeStatus? seen, NodeStatus now, HandlerEvent? handler, bool statistics)
    {
        IReadOnlyList<NodeObject> objects = NodeObject.From(now, statistics);
        IEnumerable<string> changes = seen is null
            ? [.. objects.Select(thing => thing.Line("exists")), "exists -"]
            : NodeObject.Changes(NodeObject.From(seen, statistics), objects);
        return handler is null || now.Volumes.FirstOrDefault(v => v.Resource == handler.Resource) is null
            ? changes
            : [.. changes, HandlerLine(now, handler)];
    }

    private static string HandlerLine(NodeStatus now, HandlerEvent handler)
    {
        VolumeReport? volume = now.Volumes.FirstOrDefault(
            v => v.Resource == handler.Resource && v.Volume == handler.Volume);
        string place = volume is null ? "" : $" volume:{volume.Volume} minor:{volume.Minor}";
        string words = $"helper name:{handler.Resource} {NodeObject.Peer}{place} helper:{handler.Handler.Name()}";
        return handler.ExitCode is { } code ? $"response {words} status:{code}" : $"call {words}";
    }

    private async Task<int> ShowAsync(ToolWords given, CancellationToken cancellation)
    {
        string target = given.Words.Count > 0 ? given.Words[0] : "all";
        string resource = target.All(char.IsAsciiDigit)
            ? (await FindVolumeAsync(target, cancellation)).Resource
            : target;
        return await AskAsync(
            new ControlRequest
            {
                Command = "show", Target = resource, CalledAs = target, ShowDefaults = given.Has("show-defaults"),
            },
            cancellation);
    }
}
