namespace BlockRepl.Sbd;

/// <summary>How a read or write of a sector ended.</summary>
public enum SectorError
{
    None,

    /// <summary>Refused or failed by the device, or the device is gone.</summary>
    Failed,

    /// <summary>
    /// Not answered within the time given. It may still be carried out later; the device keeps its own copy of the
    /// data.
    /// </summary>
    TimedOut,
}

/// <summary>
/// A disk shared by the nodes, used one whole sector at a time. Used by one thread at a time. Every call returns
/// within the time given, also when the device hangs; later calls fail until it answers again.
/// </summary>
public interface ISectorDevice : IDisposable
{
    /// <summary>As the user gave it, without a password.</summary>
    string Name { get; }

    /// <summary>512 or 4096.</summary>
    int SectorSize { get; }

    long SectorCount { get; }

    /// <summary>Why the last call failed, in words.</summary>
    string? LastError { get; }

    /// <summary>Reads what is on the medium now, past every cache of this machine.</summary>
    SectorError Read(long sector, Span<byte> into, TimeSpan within);

    /// <summary>
    /// Reads several sectors, each a stride behind the one before, up to the first that fails. The time is given to
    /// each of them.
    /// </summary>
    /// <param name="count">How many were read.</param>
    SectorError ReadEach(long first, int stride, Span<byte> into, TimeSpan within, out int count);

    /// <summary>
    /// Writes; the sector is durable and visible to the other nodes when this returns without an error.
    /// </summary>
    SectorError Write(long sector, ReadOnlySpan<byte> from, TimeSpan within);
}
