using System.Text;

namespace BlockRepl.Core.State;

/// <summary>
/// The whole state of one volume on one node. The suspend flags belong to the resource and are the same in all its
/// volumes; the connection is common to all volumes below Connected. As a 32-bit word (P_STATE, P_STATE_CHG_REQ):
/// <code>
///   0-1 role   2-3 peer role   4-8 connection   9-12 disk   13-16 peer disk
///   17 susp   18 aftr_isp   19 peer_isp   20 user_isp   21 susp_nod   22 susp_fen   23-31 zero
/// </code>
/// </summary>
public readonly record struct VolumeState
{
    internal const int PeerRoleShift = 2;
    internal const int ConnectionShift = 4;
    internal const int DiskShift = 9;
    internal const int PeerDiskShift = 13;

    internal const uint RoleMask = 0x3;
    internal const uint PeerRoleMask = 0x3 << PeerRoleShift;
    internal const uint ConnectionMask = 0x1f << ConnectionShift;
    internal const uint DiskMask = 0xf << DiskShift;
    internal const uint PeerDiskMask = 0xf << PeerDiskShift;
    internal const uint SuspendedBit = 1 << 17;
    internal const uint PausedByDependencyBit = 1 << 18;
    internal const uint PausedByPeerBit = 1 << 19;
    internal const uint PausedByUserBit = 1 << 20;
    internal const uint SuspendedNoDataBit = 1 << 21;
    internal const uint SuspendedFencingBit = 1 << 22;

    /// <summary>A volume that was just configured: Secondary, without network and disk.</summary>
    public static readonly VolumeState Initial = new() { Role = Role.Secondary, PeerDisk = DiskState.DUnknown };

    public Role Role { get; init; }

    public Role PeerRole { get; init; }

    public ConnectionState Connection { get; init; }

    public DiskState Disk { get; init; }

    public DiskState PeerDisk { get; init; }

    /// <summary>susp: the administrator suspended I/O.</summary>
    public bool Suspended { get; init; }

    /// <summary>susp_nod: I/O waits because no up-to-date data can be reached.</summary>
    public bool SuspendedNoData { get; init; }

    /// <summary>susp_fen: I/O waits until the peer is known to be fenced.</summary>
    public bool SuspendedFencing { get; init; }

    /// <summary>aftr_isp: the resync waits for another volume (resync-after).</summary>
    public bool PausedByDependency { get; init; }

    /// <summary>peer_isp: the resync is paused on the peer.</summary>
    public bool PausedByPeer { get; init; }

    /// <summary>user_isp: the administrator paused the resync here.</summary>
    public bool PausedByUser { get; init; }

    public bool IsSuspended => Suspended || SuspendedNoData || SuspendedFencing;

    public bool IsPaused => PausedByDependency || PausedByPeer || PausedByUser;

    public uint ToWord() =>
        (uint)Role
        | ((uint)PeerRole << PeerRoleShift)
        | ((uint)Connection << ConnectionShift)
        | ((uint)Disk << DiskShift)
        | ((uint)PeerDisk << PeerDiskShift)
        | (Suspended ? SuspendedBit : 0)
        | (PausedByDependency ? PausedByDependencyBit : 0)
        | (PausedByPeer ? PausedByPeerBit : 0)
        | (PausedByUser ? PausedByUserBit : 0)
        | (SuspendedNoData ? SuspendedNoDataBit : 0)
        | (SuspendedFencing ? SuspendedFencingBit : 0);

    /// <summary>
    /// Reads a word as it is; values without a name stay as they are, see <see cref="IsWellFormed"/>.
    /// </summary>
    public static VolumeState FromWord(uint word) => new()
    {
        Role = (Role)(word & RoleMask),
        PeerRole = (Role)((word & PeerRoleMask) >> PeerRoleShift),
        Connection = (ConnectionState)((word & ConnectionMask) >> ConnectionShift),
        Disk = (DiskState)((word & DiskMask) >> DiskShift),
        PeerDisk = (DiskState)((word & PeerDiskMask) >> PeerDiskShift),
        Suspended = (word & SuspendedBit) != 0,
        PausedByDependency = (word & PausedByDependencyBit) != 0,
        PausedByPeer = (word & PausedByPeerBit) != 0,
        PausedByUser = (word & PausedByUserBit) != 0,
        SuspendedNoData = (word & SuspendedNoDataBit) != 0,
        SuspendedFencing = (word & SuspendedFencingBit) != 0,
    };

    /// <summary>Whether every field of a received word has a value with a name.</summary>
    public static bool IsWellFormed(uint word)
    {
        VolumeState s = FromWord(word);
        return s.ToWord() == word
            && s.Role <= Role.Secondary
            && s.PeerRole <= Role.Secondary
            && s.Connection <= ConnectionState.Behind
            && s.Disk <= DiskState.UpToDate
            && s.PeerDisk <= DiskState.UpToDate;
    }

    /// <summary>
    /// As an operator knows it: <c>Secondary/Primary Connected UpToDate/UpToDate</c>, then the flags that are set.
    /// </summary>
    public override string ToString()
    {
        StringBuilder text = new();
        text.Append(Role).Append('/').Append(PeerRole).Append(' ').Append(Connection).Append(' ');
        text.Append(Disk).Append('/').Append(PeerDisk);
        AppendFlag(text, Suspended, "susp");
        AppendFlag(text, SuspendedNoData, "susp_nod");
        AppendFlag(text, SuspendedFencing, "susp_fen");
        AppendFlag(text, PausedByDependency, "aftr_isp");
        AppendFlag(text, PausedByPeer, "peer_isp");
        AppendFlag(text, PausedByUser, "user_isp");
        return text.ToString();
    }

    private static void AppendFlag(StringBuilder text, bool set, string name)
    {
        if (set)
        {
            text.Append(' ').Append(name);
        }
    }
}
