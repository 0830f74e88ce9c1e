using BlockRepl.Core;

namespace BlockRepl.Administration.Control;

/// <summary>All that runs on a node, as <c>status --json</c> prints it. States and roles carry DRBD's names.</summary>
public sealed record NodeStatus
{
    public required string Node { get; init; }

    /// <summary>The daemon's.</summary>
    public required int ProcessId { get; init; }

    public required IReadOnlyList<VolumeReport> Volumes { get; init; }

    /// <summary>Where the volumes' resources replicate to.</summary>
    public IReadOnlyList<ResourceReport> Resources { get; init; } = [];
}

/// <summary>One resource. Addresses as drbdsetup writes them: <c>ipv4:192.0.2.1:7788</c>,
/// <c>ipv6:[2001:db8::1]:7788</c>.</summary>
public sealed record ResourceReport
{
    public required string Resource { get; init; }
    public required string LocalAddress { get; init; }
    public required string PeerAddress { get; init; }
    public required string PeerNode { get; init; }
}

/// <summary>
/// One volume. Sizes in sectors of 512 bytes, counters in the units of /proc/drbd. A form of its own beside
/// <see cref="VolumeStatus"/>, so that what programs read does not change when the core's types do.
/// </summary>
public sealed record VolumeReport
{
    public required string Resource { get; init; }
    public required int Volume { get; init; }
    public required int Minor { get; init; }
    public required string Connection { get; init; }
    public required string Role { get; init; }
    public required string PeerRole { get; init; }
    public required string Disk { get; init; }
    public required string PeerDisk { get; init; }

    /// <summary>A, B or C; null without a network configuration.</summary>
    public string? Protocol { get; init; }

    /// <summary>The export's name at the NBD server.</summary>
    public required string NbdExport { get; init; }
    public bool Suspended => SuspendedByUser || SuspendedNoData || SuspendedFencing;
    public bool SuspendedByUser { get; init; }
    public bool SuspendedNoData { get; init; }
    public bool SuspendedFencing { get; init; }
    public bool PausedByDependency { get; init; }
    public bool PausedByPeer { get; init; }
    public bool PausedByUser { get; init; }
    public bool ActivityLogSuspended { get; init; }

    /// <summary>The fifth flag of /proc/drbd: why requests wait; "-" if they do not.</summary>
    public string Blocked { get; init; } = "-";
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
    public int Epochs { get; init; }
    public string WriteOrdering { get; init; } = "";
    public ulong OutOfSyncKiB { get; init; }

    /// <summary>Current, bitmap and two history UUIDs, 16 hexadecimal digits each.</summary>
    public IReadOnlyList<string> Uuids { get; init; } = [];

    /// <summary>Null unless a resync or verify runs.</summary>
    public ProgressReport? Progress { get; init; }

    public static VolumeReport From(string resource, VolumeStatus status) => new()
    {
        Resource = resource,
        Volume = status.Volume,
        Minor = status.Minor,
        Connection = status.Connection.ToString(),
        Role = status.Role.ToString(),
        PeerRole = status.PeerRole.ToString(),
        Disk = status.Disk.ToString(),
        PeerDisk = status.PeerDisk.ToString(),
        Protocol = status.Protocol?.ToString(),
        NbdExport = $"{resource}/{status.Volume}",
        SuspendedByUser = status.SuspendedByUser,
        SuspendedNoData = status.SuspendedNoData,
        SuspendedFencing = status.SuspendedFencing,
        PausedByDependency = status.PausedByDependency,
        PausedByPeer = status.PausedByPeer,
        PausedByUser = status.PausedByUser,
        ActivityLogSuspended = status.ActivityLogSuspended,
        Blocked = status.Blocked.ToString(),
        SizeSectors = status.SizeSectors,
        SentKiB = status.SentKiB,
        ReceivedKiB = status.ReceivedKiB,
        DiskWrittenKiB = status.DiskWrittenKiB,
        DiskReadKiB = status.DiskReadKiB,
        ActivityLogWrites = status.ActivityLogWrites,
        LocalPending = status.LocalPending,
        PeerPending = status.PeerPending,
        Unacknowledged = status.Unacknowledged,
        ApplicationPending = status.ApplicationPending,
        Epochs = status.Epochs,
        WriteOrdering = status.WriteOrdering.ToString(),
        OutOfSyncKiB = status.OutOfSyncKiB,
        Uuids =
        [
            $"{status.Uuids.Current:X16}", $"{status.Uuids.Bitmap:X16}", $"{status.Uuids.History1:X16}",
            $"{status.Uuids.History2:X16}",
        ],
        Progress = status.Progress is { } progress ? ProgressReport.From(progress) : null,
    };
}

/// <summary>Progress of a resync or verify; blocks of 4 KiB.</summary>
public sealed record ProgressReport
{
    public required bool IsVerify { get; init; }
    public required ulong TotalBlocks { get; init; }
    public required ulong LeftBlocks { get; init; }
    public required double Percent { get; init; }
    public required long ElapsedSeconds { get; init; }
    public required int WantKiBPerSecond { get; init; }

    public static ProgressReport From(ResyncProgress progress) => new()
    {
        IsVerify = progress.IsVerify,
        TotalBlocks = progress.TotalBlocks,
        LeftBlocks = progress.LeftBlocks,
        Percent = Percentage(progress),
        ElapsedSeconds = progress.ElapsedSeconds,
        WantKiBPerSecond = progress.WantKiBPerSecond,
    };

    private static double Percentage(ResyncProgress progress)
    {
        ulong left = Math.Min(progress.LeftBlocks, progress.TotalBlocks);
        return progress.TotalBlocks == 0
            ? 100
            : Math.Round(100.0 * (progress.TotalBlocks - left) / progress.TotalBlocks, 2);
    }
}
