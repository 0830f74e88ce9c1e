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

    /// <summary>
    /// The configured size is above what the disk holds, or the disk is smaller than the running device.
    /// </summary>
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
    public static ulong Compute(in SizeInput input, out bool limitIgnored)
    {
        ulong own = input.Own;
        ulong peer = !input.Connected && input.AssumePeerHasSpace ? own : input.Peer;
        ulong size;
        if (peer != 0 && own != 0)
        {
            size = Math.Min(peer, own);
        }
        else if (input.LastAgreed != 0)
        {
            // Alone nobody knows whether the other disk grew as well: never beyond what was agreed on.
            size = SmallerNonZero(SmallerNonZero(input.LastAgreed, own), peer);
        }
        else
        {
            size = own != 0 ? own : peer;
        }

        limitIgnored = input.Limit > size;
        return input.Limit == 0 || limitIgnored ? size : input.Limit;
    }

    /// <summary>Size for the resize command and for size changes by the peer.</summary>
    /// <param name="input">The inputs.</param>
    /// <param name="layoutChange">The administrator changes the activity log's layout with it.</param>
    public static SizeVerdict Determine(in SizeInput input, bool layoutChange)
    {
        ulong size = Compute(input, out bool limitIgnored);
        if (size < input.LastAgreed && layoutChange)
        {
            // A larger log takes the space from the data. Only a size that was asked for may do that.
            SizeError error = input.Limit == 0 ? SizeError.ImplicitShrink
                : limitIgnored ? SizeError.DoesNotFit
                : SizeError.None;
            if (error != SizeError.None)
            {
                return new SizeVerdict(input.LastAgreed, SizeChange.Unchanged, error, limitIgnored, Truncated: false);
            }
        }

        return new SizeVerdict(size, ChangeOf(size, input.LastAgreed), SizeError.None, limitIgnored, Truncated: false);
    }

    /// <summary>Size at attach. If it grew (not from zero), the new space is resynced after the negotiation.</summary>
    /// <param name="input">The inputs.</param>
    /// <param name="consistent">The superblock says CONSISTENT.</param>
    /// <param name="deviceSectors">Present size of the running device; 0 = none.</param>
    public static SizeVerdict Attach(in SizeInput input, bool consistent, ulong deviceSectors)
    {
        if (input.Limit > input.Own || input.Own < deviceSectors)
        {
            return new SizeVerdict(
                input.LastAgreed, SizeChange.Unchanged, SizeError.DiskTooSmall, LimitIgnored: false, Truncated: false);
        }

        ulong size = Compute(input, out bool limitIgnored);
        bool cutsData = consistent && size < input.LastAgreed;
        if (cutsData && size != input.Limit)
        {
            return new SizeVerdict(
                input.LastAgreed, SizeChange.Unchanged, SizeError.ImplicitShrink, limitIgnored, Truncated: false);
        }

        return new SizeVerdict(size, ChangeOf(size, input.LastAgreed), SizeError.None, limitIgnored, cutsData);
    }

    /// <summary>The smaller of two sizes; 0 means there is no such size.</summary>
    internal static ulong SmallerNonZero(ulong a, ulong b) => a == 0 ? b : b == 0 ? a : Math.Min(a, b);

    private static SizeChange ChangeOf(ulong size, ulong lastAgreed)
    {
        if (size == lastAgreed)
        {
            return SizeChange.Unchanged;
        }

        return size < lastAgreed ? SizeChange.Shrank
            : lastAgreed == 0 ? SizeChange.GrewFromZero
            : SizeChange.Grew;
    }
}
