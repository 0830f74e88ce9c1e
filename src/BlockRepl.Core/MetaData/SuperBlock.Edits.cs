using BlockRepl.Core.Options;
using BlockRepl.Core.State;

namespace BlockRepl.Core.MetaData;

/// <summary>The offline commands on an unattached disk, as functions of its superblock.</summary>
public sealed partial record SuperBlock
{
    /// <summary>
    /// outdate: the data are consistent but old; null if they are not consistent (nothing may be written then).
    /// </summary>
    public SuperBlock? Outdate() => Flags.HasFlag(SuperBlockFlags.Consistent)
        ? this with { Flags = Flags & ~SuperBlockFlags.WasUpToDate }
        : null;

    /// <summary>invalidate: the data are worthless, everything must come from the peer.</summary>
    public SuperBlock Invalidate() => this with
    {
        Flags = (Flags & ~(SuperBlockFlags.Consistent | SuperBlockFlags.WasUpToDate)) | SuperBlockFlags.FullSync,
    };

    /// <summary>dstate: the state that the disk would attach with, and what it knows of the peer's disk. Without the
    /// configuration the fencing policy is unknown, so a lone Consistent disk stays Consistent.</summary>
    public (DiskState Disk, DiskState PeerDisk) DiskStates(FencingPolicy fencing = FencingPolicy.ResourceOnly) =>
        (StateRules.DiskStateAtAttach((uint)Flags, fencing), StateRules.PeerDiskAtAttach((uint)Flags));
}
