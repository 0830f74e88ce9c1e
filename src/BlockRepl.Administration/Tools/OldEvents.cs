using System.Globalization;
using BlockRepl.Administration.Control;
using BlockRepl.Configuration;

namespace BlockRepl.Administration.Tools;

/// <summary>The lines of <c>drbdsetup events</c>, which DRBD had before events2: a number, a kind, an object.</summary>
internal static class OldEvents
{
    public static IReadOnlyList<string> Lines(NodeStatus? seen, NodeStatus now, HandlerEvent? handler, ref long number)
    {
        var lines = new List<string>();
        foreach (VolumeReport volume in now.Volumes)
        {
            VolumeReport? before = seen?.Volumes.FirstOrDefault(known => known.NbdExport == volume.NbdExport);
            if (seen is null)
            {
                lines.Add($"0 ST {State(volume)}");
            }
            else if (before is null)
            {
                lines.Add($"{++number} ST {State(volume)}");
            }
            else if (State(before) != State(volume))
            {
                number++;
                lines.Add($"{number} ST-prev {State(before)}");
                lines.Add($"{number} ST-new {State(volume)}");
                lines.Add($"{number} ST {State(volume)}");
            }

            if (volume.Progress is not null && !Equals(volume.Progress, before?.Progress))
            {
                lines.Add($"{++number} SP {Place(volume)} {StatusPage.Done(volume, "", 1)}");
            }
        }

        if (handler is not null && now.Volumes.FirstOrDefault(
            v => v.Resource == handler.Resource && (v.Volume == handler.Volume || handler.Volume < 0)) is { } about)
        {
            lines.Add(handler.ExitCode is { } code
                ? $"{++number} UH-post {Place(about)} {handler.Handler.Name()} 0x{code << 8:x4}"
                : $"{++number} UH {Place(about)} {handler.Handler.Name()}");
        }

        return lines;
    }

    private static string Place(VolumeReport volume) =>
        string.Create(CultureInfo.InvariantCulture, $"{volume.Minor},{volume.Resource}[{volume.Volume}]");

    private static string State(VolumeReport volume) =>
        $"{Place(volume)} {{ cs:{volume.Connection} ro:{volume.Role}/{volume.PeerRole} "
        + $"ds:{volume.Disk}/{volume.PeerDisk} {(volume.Suspended ? 's' : 'r')}"
        + $"{(volume.PausedByDependency ? 'a' : '-')}{(volume.PausedByPeer ? 'p' : '-')}"
        + $"{(volume.PausedByUser ? 'u' : '-')} }}";
}
