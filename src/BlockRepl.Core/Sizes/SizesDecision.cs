using BlockRepl.Core.State;

namespace BlockRepl.Core.Sizes;

/// <summary>What a received P_SIZES is judged by. Sizes in sectors.</summary>
public readonly record struct SizesInput
{
    /// <summary>The volume's state before the packet.</summary>
    public VolumeState State { get; init; }

    /// <summary>Usable size of the own disk; 0 without a disk.</summary>
    public ulong OwnDiskSectors { get; init; }

    public ulong OwnLimitSectors { get; init; }

    public ulong LastAgreedSectors { get; init; }

    /// <summary>Present size of the replicated device; 0 = none yet.</summary>
    public ulong DeviceSectors { get; init; }

    /// <summary>The own backing device has another size than when it was last looked at.</summary>
    public bool BackingDiskChanged { get; init; }

    /// <summary>An own resize command waits for this answer.</summary>
    public bool ResizePending { get; init; }

    /// <summary>d_size.</summary>
    public ulong PeerDiskSectors { get; init; }

    /// <summary>u_size.</summary>
    public ulong PeerLimitSectors { get; init; }

    /// <summary>c_size; 0 = unknown, or "please answer".</summary>
    public ulong PeerDeviceSectors { get; init; }

    /// <summary>dds_flags 2.</summary>
    public bool NoResyncOfNewSpace { get; init; }
}

/// <summary>Why P_SIZES ends the connection (Disconnecting).</summary>
public enum SizesRefusal
{
    None,

    /// <summary>The peer's disk cannot hold the usable data of this node.</summary>
    PeerDiskTooSmall,

    /// <summary>The device of a diskless Primary would shrink under its users.</summary>
    WouldShrinkPrimary,
}

/// <summary>When newly grown space is resynced.</summary>
public enum NewSpaceResync
{
    None,

    /// <summary>Now, without bitmap exchange: Primary, or with equal roles the node with resolve-conflicts, is the source.</summary>
    Now,

    /// <summary>A disk is missing: remember "disk grew".</summary>
    AfterNegotiation,
}

/// <summary>What P_SIZES leads to.</summary>
/// <param name="DeviceSectors">Size of the device from now on.</param>
/// <param name="LimitSectors">The configured size in memory from now on.</param>
/// <param name="Resized">The device's size changes; with a disk the superblock must be written.</param>
/// <param name="MustReply">Send P_SIZES with the same flags.</param>
/// <param name="Warning">A sentence for the log if the nodes' sizes differ much or the limit is too large; else null.</param>
public readonly record struct SizesVerdict(
    ulong DeviceSectors,
    ulong LimitSectors,
    bool Resized,
    SizesRefusal Refusal,
    bool MustReply,
    NewSpaceResync Resync,
    string? Warning);

/// <summary>The decision about a received P_SIZES.</summary>
public static class SizesDecision
{
    public static SizesVerdict Receive(in SizesInput input) => throw new NotImplementedException();
}
