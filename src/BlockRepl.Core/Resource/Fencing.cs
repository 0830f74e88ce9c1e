using BlockRepl.Core.Options;
using BlockRepl.Core.State;

namespace BlockRepl.Core.Resource;

/// <summary>The fence-peer handler: when it runs and what its exit code means.</summary>
internal static class Fencing
{
    /// <summary>Whether this volume, alone and Primary, must know what became of the peer.</summary>
    public static bool IsWanted(Volume volume) => volume.State.Role == Role.Primary && IsConcerned(volume);

    /// <summary>Whether a handler's answer tells this volume anything.</summary>
    public static bool IsConcerned(Volume volume) => IsAlone(volume) && volume.State.PeerDisk >= DiskState.DUnknown;

    /// <summary>Whether nobody can have newer data than this volume.</summary>
    public static bool IsPeerOut(Volume volume) => IsAlone(volume) && volume.State.PeerDisk <= DiskState.Outdated;

    /// <summary>Whether a promotion was refused for want of what the handler can find out.</summary>
    public static bool IsWantedToPromote(Volume volume, StateChangeResult refusal) =>
        IsAlone(volume)
        && (refusal == StateChangeResult.PrimaryNotOutdatedPeer
            || (refusal == StateChangeResult.NoUpToDateDisk && volume.State.Disk == DiskState.Consistent));

    private static bool IsAlone(Volume volume) =>
        volume.Options.Disk.Fencing >= FencingPolicy.ResourceOnly
        && volume.State.Disk >= DiskState.Consistent
        && volume.State.Connection < ConnectionState.WFReportParams;

    /// <summary>A resync has ended at its source: whether all is whole on both nodes with it.</summary>
    public static bool IsOver(IReadOnlyList<Volume> volumes) =>
        volumes.Any(volume => volume.Options.Disk.Fencing >= FencingPolicy.ResourceOnly)
        && volumes.All(volume => volume.State is { Disk: DiskState.UpToDate, PeerDisk: DiskState.UpToDate });

    /// <summary>The change that an exit code stands for; null = the handler achieved nothing.</summary>
    public static StateRequest? Interpret(int exitCode, Volume volume) => exitCode switch
    {
        3 => StateRequest.PeersDisk(DiskState.Inconsistent),
        4 or 7 => StateRequest.PeersDisk(DiskState.Outdated),
        5 when volume.State.Disk == DiskState.UpToDate => StateRequest.PeersDisk(DiskState.Outdated),
        6 => StateRequest.OwnDisk(DiskState.Outdated),
        _ => null,
    };
}
