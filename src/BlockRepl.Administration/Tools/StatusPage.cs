using System.Globalization;
using System.Text;
using BlockRepl.Administration.Control;

namespace BlockRepl.Administration.Tools;

/// <summary>What drbdsetup's <c>status</c> and <c>sh-status</c> print.</summary>
internal static class StatusPage
{
    /// <summary>An existing minor that nothing was done with yet.</summary>
    public static bool IsUnconfigured(VolumeReport volume) =>
        volume is { Connection: "StandAlone", Disk: "Diskless", Role: "Secondary" };

    /// <summary>One resource, for people.</summary>
    public static string Resource(
        IReadOnlyList<VolumeReport> volumes, int columns, bool verbose, bool statistics)
    {
        var page = new Page(columns);
        VolumeReport first = volumes[0];
        page.Line(0, [
            first.Resource, $"role:{first.Role}", Unusual("suspended", NodeObject.SuspendedWord(first), verbose)]);
        if (statistics)
        {
            page.Line(4, [$"write-ordering:{NodeObject.WriteOrderingWord(first)}"]);
        }

        bool numbered = volumes.Count > 1 || verbose;
        foreach (VolumeReport volume in volumes)
        {
            page.Line(2, [
                numbered ? $"volume:{volume.Volume}" : "", verbose ? $"minor:{volume.Minor}" : "",
                $"disk:{volume.Disk}",
                statistics ? "" : Unusual("blocked", NodeObject.BlockedWord(volume), verbose)]);
            if (statistics)
            {
                page.Line(6, [.. NodeObject.DeviceStatistics(volume).Select(field => field.ToString())]);
            }
        }

        string connection = NodeObject.ConnectionWord(first);
        page.Line(2, [
            "peer", verbose || connection != "Connected" ? $"connection:{connection}" : "",
            verbose || connection == "Connected" ? $"role:{first.PeerRole}" : ""]);
        foreach (VolumeReport volume in volumes.Where(volume => verbose || NodeObject.IsConnected(volume)))
        {
            page.Line(4, [
                numbered ? $"volume:{volume.Volume}" : "",
                $"replication:{NodeObject.ReplicationWord(volume)}", $"peer-disk:{volume.PeerDisk}",
                Done(volume, "done:", 2), Unusual(
                    "resync-suspended", NodeObject.ResyncSuspendedWord(volume), verbose)]);
            if (statistics)
            {
                page.Line(8, [.. NodeObject.PeerStatistics(volume).Select(field => field.ToString())]);
            }
        }

        return page.ToString() + "\n";
    }

    /// <summary>One volume as shell variables, and the function that scripts define to look at them.</summary>
    public static string Shell(VolumeReport volume)
    {
        bool unused = IsUnconfigured(volume);
        return $"""
            _minor={volume.Minor}
            _res_name={volume.Resource}
            _volume={volume.Volume}
            _known={(unused ? "Unconfigured" : "Configured")}

            _cstate={(unused ? "Unconfigured" : volume.Connection)}
            _role={Used(volume.Role)}
            _peer={Used(volume.PeerRole)}
            _disk={Used(volume.Disk)}
            _pdsk={Used(volume.PeerDisk)}

            _flags_susp={Bit(volume.Suspended)}
            _flags_aftr_isp={Bit(volume.PausedByDependency)}
            _flags_peer_isp={Bit(volume.PausedByPeer)}
            _flags_user_isp={Bit(volume.PausedByUser)}

            _resynced_percent={Done(volume, "", 1)}

            _sh_status_process



            """;

        string Used(string value) => unused ? "" : value;

        static string Bit(bool value) => value ? "1" : "";
    }

    /// <summary>Per cent of a resync or verify; empty if none runs.</summary>
    public static string Done(VolumeReport volume, string label, int digits) =>
        volume.Progress is { } progress
            ? label + progress.Percent.ToString($"F{digits}", CultureInfo.InvariantCulture)
            : "";

    private static string Unusual(string name, string value, bool always) =>
        always || value != "no" ? $"{name}:{value}" : "";

    /// <summary>Lines that are wrapped between words.</summary>
    private sealed class Page(int columns)
    {
        private readonly StringBuilder _text = new();

        public void Line(int indent, IEnumerable<string> words)
        {
            _text.Append(' ', indent);
            int column = indent;
            foreach (string word in words.Where(word => word.Length > 0))
            {
                if (column > indent && column + 1 + word.Length > columns)
                {
                    _text.Append('\n').Append(' ', indent + 4);
                    column = indent + 4;
                }
                else if (column > indent)
                {
                    _text.Append(' ');
                    column++;
                }

                _text.Append(word);
                column += word.Length;
            }

            _text.Append('\n');
        }

        public override string ToString() => _text.ToString();
    }
}
