using BlockRepl.Core.ActivityLog;

namespace BlockRepl.Core;

/// <summary>Bytes of a volume that a write was under way to.</summary>
public readonly record struct WriteRange(ulong Sector, int ByteCount);

/// <summary>What the record of a volume is about, besides the writes themselves.</summary>
/// <param name="DeviceUuid">device_uuid of the superblock: whose disk it is.</param>
/// <param name="Transaction">Number of the newest activity-log transaction that was begun.</param>
/// <param name="IsExact">
/// Whether the writes are all that the activity log stands for; false while marks of the bitmap are in memory only.
/// </param>
public readonly record struct RecordFacts(ulong DeviceUuid, uint Transaction, bool IsExact);

/// <summary>
/// What a process that was killed has left in memory that outlived it: the writes whose blocks may differ. Better than
/// the activity log, which only names their extents of 4 MiB; but gone after a power failure, which is why the log is
/// there.
/// </summary>
public sealed record SurvivingWrites(RecordFacts Facts, IReadOnlyList<WriteRange> Writes)
{
    /// <summary>
    /// Whether it belongs to the disk as it is now. A transaction that was begun is on the disk, or the one before
    /// still is the newest there.
    /// </summary>
    public bool Fits(ulong deviceUuid, ReplayResult log) =>
        Facts.IsExact && Facts.DeviceUuid == deviceUuid && log.Status == ReplayStatus.Replayed
        && Facts.Transaction - log.NewestTransaction <= 1;
}
