using BlockRepl.Core.Options;
using BlockRepl.Core.State;

namespace BlockRepl.Core.Resource;

/// <summary>The fence-peer handler: when it runs and what its exit code means.</summary>
internal static class Fencing
{
    /// <summary>Whether this volume, alone and Primary, must know what became of the peer.</summary>
    public static bool IsWanted(Volume volume) =>
        volume.Options.Disk.Fencing >= FencingPolicy.ResourceOnly
        && volume.State.Role == Role.Primary
        && volume.State.Disk >= DiskState.Consistent
        && volume.State.Connection < ConnectionState.WFReportParams
        && volume.State.PeerDisk >= DiskState.DUnknown;

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
