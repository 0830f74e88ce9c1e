using BlockRepl.Core.Options;

namespace BlockRepl.Core.State;

/// <summary>What a state means for meta data and for I/O.</summary>
public static partial class StateRules
{
    /// <summary>
    /// The superblock flags that a state change recomputes or (AL_CLEAN) clears; the others are kept.
    /// </summary>
    public const uint MetaDataFlagsMask = 0x0f7;

    private const uint ConsistentFlag = 0x001;
    private const uint PrimaryIndicatorFlag = 0x002;
    private const uint ConnectedIndicatorFlag = 0x004;
    private const uint WasUpToDateFlag = 0x010;
    private const uint PeerOutDatedFlag = 0x020;
    private const uint CrashedPrimaryFlag = 0x040;

    /// <summary>
    /// The superblock flags of a state; only meaningful while the own disk is Inconsistent or better (worse: leave the
    /// superblock alone).
    /// </summary>
    public static uint MetaDataFlags(VolumeState state, bool crashedPrimary)
    {
        bool primary = state.Role == Role.Primary
            || (state.PeerRole == Role.Primary && state.PeerDisk < DiskState.Inconsistent);
        bool peerOutDated = state.PeerDisk is DiskState.Inconsistent or DiskState.Outdated;
        return (state.Disk > DiskState.Inconsistent ? ConsistentFlag : 0)
            | (primary ? PrimaryIndicatorFlag : 0)
            | (state.Connection > ConnectionState.WFReportParams ? ConnectedIndicatorFlag : 0)
            | (state.Disk > DiskState.Outdated ? WasUpToDateFlag : 0)
            | (peerOutDated ? PeerOutDatedFlag : 0)
            | (crashedPrimary ? CrashedPrimaryFlag : 0);
    }

    /// <summary>State of a disk that is being attached, from its superblock flags.</summary>
    public static DiskState DiskStateAtAttach(uint flags, FencingPolicy fencing)
    {
        if ((flags & ConsistentFlag) == 0)
        {
            return DiskState.Inconsistent;
        }

        if ((flags & WasUpToDateFlag) == 0)
        {
            return DiskState.Outdated;
        }

        bool alone = (flags & PeerOutDatedFlag) != 0 || fencing == FencingPolicy.DontCare;
        return alone ? DiskState.UpToDate : DiskState.Consistent;
    }

    /// <summary>What is known of the peer's disk when a disk is attached without a connection.</summary>
    public static DiskState PeerDiskAtAttach(uint flags) =>
        (flags & PeerOutDatedFlag) != 0 ? DiskState.Outdated : DiskState.DUnknown;

    /// <summary>Whether a write of this Primary goes to the peer as data.</summary>
    public static bool IsReplicating(VolumeState state) =>
        state.PeerDisk == DiskState.UpToDate
        || (state.PeerDisk >= DiskState.Inconsistent
            && state.Connection >= ConnectionState.WFBitMapT
            && state.Connection < ConnectionState.Ahead);

    /// <summary>Whether a write sets bits here and the peer is told which (P_OUT_OF_SYNC).</summary>
    public static bool SendsOutOfSync(VolumeState state, int agreedVersion) =>
        state.Connection == ConnectionState.Ahead
        || (state.Connection == ConnectionState.WFBitMapS && agreedVersion >= 96);

    /// <summary>A copy that may answer writes with success: one of the two disks is UpToDate.</summary>
    public static bool HasUpToDateData(VolumeState state) =>
        state.Disk == DiskState.UpToDate || state.PeerDisk == DiskState.UpToDate;

    /// <summary>
    /// Whether new application I/O may be started: nothing suspends it, no bitmap exchange that must not see writes is
    /// under way and no disk is being attached.
    /// </summary>
    public static bool AllowsApplicationIo(VolumeState state, int agreedVersion)
    {
        if (state.IsSuspended || state.Disk is DiskState.Attaching or DiskState.Negotiating)
        {
            return false;
        }

        return state.Connection switch
        {
            ConnectionState.WFBitMapT or ConnectionState.WFSyncUUID => false,
            ConnectionState.WFBitMapS => agreedVersion >= 96,
            _ => true,
        };
    }
}
