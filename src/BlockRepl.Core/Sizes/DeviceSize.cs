namespace BlockRepl.Core.Sizes;

/// <summary>What the size of the replicated device follows from. All in sectors; 0 = none or unknown.</summary>
/// <param name="Own">Usable size of the own disk; 0 without a disk.</param>
/// <param name="Peer">d_size of the peer's last P_SIZES; 0 if unknown or diskless.</param>
/// <param name="LastAgreed">la_size of the superblock.</param>
/// <param name="Limit">Configured size.</param>
/// <param name="Connected">Connection is Connected or better.</param>
/// <param name="AssumePeerHasSpace">Not connected, but take the peer's disk to be as large as the own.</param>
public readonly record struct SizeInput(
    ulong Own, ulong Peer, ulong LastAgreed, ulong Limit, bool Connected, bool AssumePeerHasSpace);

/// <summary>How a size compares with the last agreed one.</summary>
public enum SizeChange
{
    Unchanged,
    Grew,

    /// <summary>There never was an agreed size before.</summary>
    GrewFromZero,
    Shrank,
}

/// <summary>Why a size cannot be taken, with DRBD's error codes.</summary>
public enum SizeError
{
    None = 0,

    /// <summary>The configured size is above what the disk holds, or the disk is smaller than the running device.</summary>
    DiskTooSmall = 111,

    /// <summary>An activity-log layout change leaves less room than the wanted size.</summary>
    DoesNotFit = 169,

    /// <summary>Usable data would be cut off without anybody having asked for it.</summary>
    ImplicitShrink = 170,
}

/// <summary>A determined size.</summary>
/// <param name="Sectors">The size; the old one if there is an error.</param>
/// <param name="LimitIgnored">The configured size is larger than possible and was ignored: worth a log line.</param>
/// <param name="Truncated">An attach cuts off data because the configured size says so: worth a warning.</param>
public readonly record struct SizeVerdict(
    ulong Sectors, SizeChange Change, SizeError Error, bool LimitIgnored, bool Truncated);

/// <summary>The size function and its uses by attach and resize.</summary>
public static class DeviceSize
{
    /// <summary>The size both nodes come to from the same inputs.</summary>
    public static ulong Compute(in SizeInput input, out bool limitIgnored) => throw new NotImplementedException();

    /// <summary>Size for the resize command and for size changes by the peer.</summary>
    /// <param name="input">The inputs.</param>
    /// <param name="layoutChange">The administrator changes the activity log's layout with it.</param>
    public static SizeVerdict Determine(in SizeInput input, bool layoutChange) => throw new NotImplementedException();

    /// <summary>Size at attach. If it grew (not from zero), the new space is resynced after the negotiation.</summary>
    /// <param name="input">The inputs.</param>
    /// <param name="consistent">The superblock says CONSISTENT.</param>
    /// <param name="deviceSectors">Present size of the running device; 0 = none.</param>
    public static SizeVerdict Attach(in SizeInput input, bool consistent, ulong deviceSectors) =>
        throw new NotImplementedException();
}
