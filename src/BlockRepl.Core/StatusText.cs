using System.Globalization;
using System.Text;
using BlockRepl.Core.Protocol;
using BlockRepl.Core.State;

namespace BlockRepl.Core;

/// <summary>
/// The text of /proc/drbd as DRBD 8.4.11 prints it; scripts and people read it, so every blank counts.
/// </summary>
public static class StatusText
{
    private const int BarCells = 20;
    private const ulong KiBPerBlock = 4;

    /// <summary>Progress is stalled when the reference mark is older than this.</summary>
    private const long StalledSeconds = 180;

    /// <summary>The whole text.</summary>
    /// <param name="buildTag">Second line: who built this.</param>
    /// <param name="volumes">In any order; at most one for each minor.</param>
    public static string ProcDrbd(string buildTag, IEnumerable<VolumeStatus> volumes)
    {
        var text = new StringBuilder("version: 8.4.11 (api:1/proto:86-101)\n").Append(buildTag).Append('\n');
        int previous = -1;
        foreach (VolumeStatus volume in volumes.OrderBy(status => status.Minor))
        {
            if (volume.Minor != previous + 1)
            {
                text.Append('\n');
            }

            previous = volume.Minor;
            AppendVolume(text, volume);
        }

        return text.ToString();
    }

    /// <summary>The lines of one volume, each ended by a line feed.</summary>
    public static void AppendVolume(StringBuilder text, VolumeStatus volume)
    {
        if (volume is { Connection: ConnectionState.StandAlone, Disk: DiskState.Diskless, Role: Role.Secondary })
        {
            text.Append(CultureInfo.InvariantCulture, $"{volume.Minor,2}: cs:Unconfigured\n");
            return;
        }

        char protocol = volume.Protocol switch
        {
            ReplicationProtocol.A => 'A',
            ReplicationProtocol.B => 'B',
            ReplicationProtocol.C => 'C',
            _ => ' ',
        };
        text.Append(
            CultureInfo.InvariantCulture,
            $"{volume.Minor,2}: cs:{volume.Connection} ro:{volume.Role}/{volume.PeerRole} "
            + $"ds:{volume.Disk}/{volume.PeerDisk} ");
        text.Append(protocol).Append(' ');
        text.Append(volume.Suspended ? 's' : 'r').Append(volume.PausedByDependency ? 'a' : '-');
        text.Append(volume.PausedByPeer ? 'p' : '-').Append(volume.PausedByUser ? 'u' : '-');
        text.Append(volume.Blocked).Append(volume.ActivityLogSuspended ? 's' : '-').Append('\n');
        text.Append(
            CultureInfo.InvariantCulture,
            $"    ns:{volume.SentKiB} nr:{volume.ReceivedKiB} dw:{volume.DiskWrittenKiB} dr:{volume.DiskReadKiB} ");
        text.Append(
            CultureInfo.InvariantCulture,
            $"al:{volume.ActivityLogWrites} bm:0 lo:{volume.LocalPending} pe:{volume.PeerPending} ");
        text.Append(
            CultureInfo.InvariantCulture,
            $"ua:{volume.Unacknowledged} ap:{volume.ApplicationPending} ep:{volume.Epochs} wo:{volume.WriteOrdering} ");
        text.Append(CultureInfo.InvariantCulture, $"oos:{volume.OutOfSyncKiB}\n");
        bool shown = volume.Connection is ConnectionState.SyncSource or ConnectionState.SyncTarget
            or ConnectionState.VerifyS or ConnectionState.VerifyT;
        if (shown && volume.Progress is { } progress)
        {
            AppendProgress(text, volume.Connection, progress);
        }
    }

    /// <summary>Progress in tenths of a per cent, rounded as DRBD does: whole 4 MiB count.</summary>
    public static int Permille(in ResyncProgress progress)
    {
        ulong total = progress.TotalBlocks;
        if (progress.LeftBlocks > total)
        {
            return total == 0 ? 1000 : 0;
        }

        int shift = total > uint.MaxValue ? 16 : 10;
        return (int)(1000 - ((progress.LeftBlocks >> shift) * 1000 / (1 + (total >> shift))));
    }

    private static void AppendProgress(StringBuilder text, ConnectionState connection, in ResyncProgress progress)
    {
        int permille = Permille(progress);
        ulong total = progress.TotalBlocks;
        ulong left = Math.Min(progress.LeftBlocks, total);
        int done = permille / (1000 / BarCells);
        text.Append("\t[").Append('=', Math.Max(done - 1, 0)).Append('>').Append('.', BarCells - done).Append("] ");
        text.Append(progress.IsVerify ? "verified:" : "sync'ed:");
        text.Append(CultureInfo.InvariantCulture, $"{permille / 10,3}.{permille % 10}% ");
        bool inMiB = total > 1UL << 20;
        int shift = inMiB ? 10 : 0;
        text.Append(
            CultureInfo.InvariantCulture,
            $"({(left * KiBPerBlock) >> shift}/{(total * KiBPerBlock) >> shift}){(inMiB ? 'M' : 'K')}\n");

        ulong seconds = (ulong)Math.Max(progress.MarkSeconds, 1);
        ulong recent = progress.MarkBlocks > left ? progress.MarkBlocks - left : 0;
        ulong finish = seconds * (left / ((recent / 100) + 1)) / 100;
        text.Append(
            CultureInfo.InvariantCulture, $"\tfinish: {finish / 3600}:{finish / 60 % 60:00}:{finish % 60:00} speed: ");
        AppendGrouped(text, recent / seconds * KiBPerBlock);
        text.Append(" (");
        AppendGrouped(text, (total - left) / (ulong)Math.Max(progress.ElapsedSeconds, 1) * KiBPerBlock);
        text.Append(')');
        if (connection is ConnectionState.SyncTarget or ConnectionState.VerifyS)
        {
            text.Append(" want: ");
            AppendGrouped(text, (ulong)Math.Max(progress.WantKiBPerSecond, 0));
        }

        text.Append(" K/sec").Append(seconds > StalledSeconds ? " (stalled)" : "").Append('\n');
    }

    private static void AppendGrouped(StringBuilder text, ulong value) =>
        text.Append(CultureInfo.InvariantCulture, $"{value:#,##0}");
}
