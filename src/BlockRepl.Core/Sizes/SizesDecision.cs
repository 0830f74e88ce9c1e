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

    /// <summary>
    /// Now, without bitmap exchange: Primary, or with equal roles the node with resolve-conflicts, is the source.
    /// </summary>
    Now,

    /// <summary>A disk is missing: remember "disk grew".</summary>
    AfterNegotiation,
}

/// <summary>What P_SIZES leads to.</summary>
/// <param name="DeviceSectors">Size of the device from now on.</param>
/// <param name="LimitSectors">The configured size in memory from now on.</param>
/// <param name="Resized">The device's size changes; with a disk the superblock must be written.</param>
/// <param name="MustReply">Send P_SIZES with the same flags.</param>
/// <param name="Warning">A sentence for the log if the nodes' sizes differ much or the limit is too large; else
/// null.</param>
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
    public static SizesVerdict Receive(in SizesInput input) =>
        input.State.Disk >= DiskState.Inconsistent ? WithDisk(input) : WithoutDisk(input);

    private static SizesVerdict WithDisk(in SizesInput input)
    {
        bool handshake = input.State.Connection == ConnectionState.WFReportParams;
        ulong limit = handshake
            ? DeviceSize.SmallerNonZero(input.OwnLimitSectors, input.PeerLimitSectors)
            : input.PeerLimitSectors;
        bool connected = input.State.Connection >= ConnectionState.Connected;
        SizeInput sizes = new(
            input.OwnDiskSectors, input.PeerDiskSectors, input.LastAgreedSectors, limit, connected,
            AssumePeerHasSpace: false);
        ulong size = DeviceSize.Compute(sizes, out bool limitIgnored);

        // Neither connecting nor a disk that comes late may cut off usable data; a shrink while connected is wanted.
        bool joins = !connected || input.State.PeerDisk == DiskState.Diskless;
        if (size < input.DeviceSectors && input.State.Disk >= DiskState.Outdated && joins)
        {
            return Refuse(input, SizesRefusal.PeerDiskTooSmall);
        }

        return Accept(input, size, limit, WarningFor(input, limitIgnored));
    }

    private static SizesVerdict WithoutDisk(in SizesInput input)
    {
        ulong size = FirstNonZero(input.PeerDeviceSectors, input.PeerLimitSectors, input.PeerDiskSectors);
        bool peerKnowsNothing = size == 0 || (input.DeviceSectors != 0 && input.PeerDiskSectors == 0);
        if (peerKnowsNothing)
        {
            size = input.DeviceSectors;
        }

        return size < input.DeviceSectors && input.State.Role == Role.Primary
            ? Refuse(input, SizesRefusal.WouldShrinkPrimary)
            : Accept(input, size, input.OwnLimitSectors, warning: null);
    }

    private static SizesVerdict Accept(in SizesInput input, ulong size, ulong limit, string? warning)
    {
        bool beyondHandshake = input.State.Connection > ConnectionState.WFReportParams;
        bool mustReply = beyondHandshake && (input.PeerDeviceSectors != size || input.BackingDiskChanged);
        return new SizesVerdict(
            size,
            limit,
            size != input.DeviceSectors,
            SizesRefusal.None,
            mustReply,
            beyondHandshake ? ResyncOf(input, size) : NewSpaceResync.None,
            warning);
    }

    private static NewSpaceResync ResyncOf(in SizesInput input, ulong size)
    {
        bool grew = input.LastAgreedSectors != 0 && size > input.LastAgreedSectors;
        bool wanted = input.ResizePending || (grew && input.State.Connection == ConnectionState.Connected);
        if (!wanted)
        {
            return NewSpaceResync.None;
        }

        bool bothDisks = input.State.Disk >= DiskState.Inconsistent && input.State.PeerDisk >= DiskState.Inconsistent;
        if (!bothDisks)
        {
            return NewSpaceResync.AfterNegotiation;
        }

        return input.NoResyncOfNewSpace ? NewSpaceResync.None : NewSpaceResync.Now;
    }

    private static SizesVerdict Refuse(in SizesInput input, SizesRefusal refusal) => new(
        input.DeviceSectors, input.OwnLimitSectors, Resized: false, refusal, MustReply: false, NewSpaceResync.None,
        Warning: null);

    private static ulong FirstNonZero(ulong a, ulong b, ulong c) => a != 0 ? a : b != 0 ? b : c;

    private static string? WarningFor(in SizesInput input, bool limitIgnored)
    {
        if (limitIgnored)
        {
            return "the configured size is larger than the smaller disk: it is ignored";
        }

        if (DifferMuch(input.OwnDiskSectors, input.PeerDiskSectors))
        {
            return $"the disks differ much: {input.OwnDiskSectors} sectors here, {input.PeerDiskSectors} on the peer";
        }

        return DifferMuch(input.OwnLimitSectors, input.PeerLimitSectors)
            ? $"the configured sizes differ much: {input.OwnLimitSectors} sectors here, "
                + $"{input.PeerLimitSectors} on the peer"
            : null;
    }

    /// <summary>By more than an eighth of either; unknown sizes do not count.</summary>
    private static bool DifferMuch(ulong a, ulong b)
    {
        if (a == 0 || b == 0)
        {
            return false;
        }

        ulong difference = a > b ? a - b : b - a;
        return difference > a >> 3 || difference > b >> 3;
    }
}
