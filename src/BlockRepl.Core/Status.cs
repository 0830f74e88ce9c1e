using BlockRepl.Core.Protocol;
using BlockRepl.Core.State;

namespace BlockRepl.Core;

/// <summary>
/// A volume as an operator sees it; a copy, taken at one moment. Sizes in sectors, counters in /proc/drbd's units.
/// </summary>
public sealed record VolumeStatus
{
    public required int Volume { get; init; }
    public required int Minor { get; init; }
    public required ConnectionState Connection { get; init; }
    public required Role Role { get; init; }
    public required Role PeerRole { get; init; }
    public required DiskState Disk { get; init; }
    public required DiskState PeerDisk { get; init; }

    /// <summary>Null without a network configuration.</summary>
    public ReplicationProtocol? Protocol { get; init; }
    public bool Suspended => SuspendedByUser || SuspendedNoData || SuspendedFencing;
    public bool SuspendedByUser { get; init; }

    /// <summary>Neither disk can be reached, and on-no-data-accessible says suspend-io.</summary>
    public bool SuspendedNoData { get; init; }

    /// <summary>Until the peer is fenced.</summary>
    public bool SuspendedFencing { get; init; }
    public bool PausedByDependency { get; init; }
    public bool PausedByPeer { get; init; }
    public bool PausedByUser { get; init; }

    /// <summary>The fifth flag of /proc/drbd: why requests wait; '-' if they do not.</summary>
    public char Blocked { get; init; } = '-';
    public bool ActivityLogSuspended { get; init; }
    public ulong SizeSectors { get; init; }
    public ulong SentKiB { get; init; }
    public ulong ReceivedKiB { get; init; }
    public ulong DiskWrittenKiB { get; init; }
    public ulong DiskReadKiB { get; init; }
    public ulong ActivityLogWrites { get; init; }
    public int LocalPending { get; init; }
    public int PeerPending { get; init; }
    public int Unacknowledged { get; init; }
    public int ApplicationPending { get; init; }
    public int Epochs { get; init; } = 1;

    /// <summary>Write ordering: f flush, d drain, n none.</summary>
    public char WriteOrdering { get; init; } = 'f';
    public ulong OutOfSyncKiB { get; init; }

    /// <summary>
    /// This node was alone before it last stopped: at attach it was not Primary, the disk said Primary and not
    /// connected. Cleared when a connection is made. Chooses degr-wfc-timeout.
    /// </summary>
    public bool Degraded { get; init; }
    public Generations.UuidSet Uuids { get; init; }

    /// <summary>Null unless a resync or verify runs.</summary>
    public ResyncProgress? Progress { get; init; }
}

/// <summary>Progress of a resync or verify, for the third and fourth line of /proc/drbd.</summary>
/// <param name="TotalBlocks">4 KiB blocks of this run.</param>
/// <param name="LeftBlocks">Blocks still to do.</param>
/// <param name="MarkBlocks">Blocks left at the reference mark of the recent speed.</param>
/// <param name="MarkSeconds">Seconds since that mark, at least 1.</param>
/// <param name="ElapsedSeconds">Seconds since the start without pauses, at least 1.</param>
/// <param name="WantKiBPerSecond">The controller's rate; 0 where none is shown.</param>
public readonly record struct ResyncProgress(
    bool IsVerify, ulong TotalBlocks, ulong LeftBlocks, ulong MarkBlocks, long MarkSeconds, long ElapsedSeconds,
    int WantKiBPerSecond);
