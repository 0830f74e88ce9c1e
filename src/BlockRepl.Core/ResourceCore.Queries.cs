using BlockRepl.Core.Resource;
using BlockRepl.Core.State;

namespace BlockRepl.Core;

/// <summary>A volume's device as the front end offers it.</summary>
/// <param name="SizeSectors">Size in 512-byte sectors; 0 = not known yet.</param>
/// <param name="LogicalBlockBytes">Smallest request: 512 or 4096.</param>
/// <param name="IsPrimary">Whether this node may serve the device.</param>
/// <param name="CanZeroFast">Whether writing zeroes is sure to be cheap.</param>
/// <param name="MaxRequestBytes">
/// Reads and writes above this must be split: 1 MiB, or what the version last agreed with the peer can carry.
/// </param>
/// <param name="MaxZeroBytes">The same for discards and zeroes.</param>
public readonly record struct DeviceFacts(
    ulong SizeSectors, int LogicalBlockBytes, bool IsPrimary, bool CanZeroFast, int MaxRequestBytes, int MaxZeroBytes);

/// <summary>What a host may ask between events.</summary>
public sealed partial class ResourceCore
{
    /// <summary>The device of a volume now. Changes are told by <see cref="ICoreHost.DeviceChanged"/>.</summary>
    public DeviceFacts GetDevice(int volume)
    {
        Volume v = RequireVolume(volume);
        bool fast = v.Disk is { CanDiscard: true, DiscardZeroes: true };
        return new DeviceFacts(
            v.SizeSectors, v.LogicalBlockBytes, v.State.Role == Role.Primary, fast, Connection.MaxRequestBytes,
            Connection.MaxZeroBytes);
    }

    /// <summary>The status of every volume, in ascending order of their numbers; a copy.</summary>
    public IReadOnlyList<VolumeStatus> GetStatus(long nowNs)
    {
        List<VolumeStatus> all = new(_volumes.Length);
        foreach (Volume volume in _volumes)
        {
            all.Add(StatusOf(volume, nowNs));
        }

        return all;
    }

    private VolumeStatus StatusOf(Volume v, long nowNs)
    {
        VolumeCounters c = v.Counters;
        return new VolumeStatus
        {
            Volume = v.Number,
            Minor = v.Options.Minor,
            Connection = v.State.Connection,
            Role = v.State.Role,
            PeerRole = v.State.PeerRole,
            Disk = v.State.Disk,
            PeerDisk = v.State.PeerDisk,
            Protocol = Connection.IsConfigured ? Options.Net.Protocol : null,
            SuspendedByUser = v.State.Suspended,
            SuspendedNoData = v.State.SuspendedNoData,
            SuspendedFencing = v.State.SuspendedFencing,
            PausedByDependency = v.State.PausedByDependency,
            PausedByPeer = v.State.PausedByPeer,
            PausedByUser = v.State.PausedByUser,
            Blocked = v.State.IsSuspended || v.IoHeld ? 'd' : '-',
            ActivityLogSuspended = v.LogSuspended,
            SizeSectors = v.SizeSectors,
            SentKiB = c.SentSectors / 2,
            ReceivedKiB = c.ReceivedSectors / 2,
            DiskWrittenKiB = c.WrittenSectors / 2,
            DiskReadKiB = c.ReadSectors / 2,
            ActivityLogWrites = c.LogWrites,
            LocalPending = v.DiskOperations + v.MetaOperations,
            PeerPending = c.PeerPending,
            Unacknowledged = c.Unacknowledged,
            ApplicationPending = c.ApplicationPending,
            Epochs = Connection.EpochCount,
            WriteOrdering = Connection.WriteOrdering,
            OutOfSyncKiB = v.OutOfSyncBits * 4,
            Uuids = v.Uuids,
            Degraded = v.Degraded,
            Progress = v.Progress(nowNs),
        };
    }

    /// <summary>
    /// So many front-end clients have the volume's device open. While any has, demoting and taking down are refused
    /// with "device in use" (-12).
    /// </summary>
    public void OnOpenCount(long nowNs, int volume, int openCount)
    {
        NowNs = nowNs;
        RequireVolume(volume).OpenCount = openCount;
        RunScripts();
    }
}
