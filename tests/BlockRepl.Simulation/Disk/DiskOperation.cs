using BlockRepl.Core;

namespace BlockRepl.Simulation.Disk;

internal enum DiskOperationKind
{
    Read,
    Write,
    Zero,
    Flush,
}

/// <summary>One operation that a disk has under way.</summary>
internal sealed class DiskOperation(DiskOperationKind kind, long offset, int count, Action<IoError> done)
{
    public DiskOperationKind Kind { get; } = kind;

    public long Offset { get; } = offset;

    public int Count { get; } = count;

    public Action<IoError> Done { get; } = done;

    public byte[] Buffer { get; init; } = [];

    public bool ForceUnitAccess { get; init; }

    public ZeroMode Mode { get; init; }

    /// <summary>A flush covers the writes up to here.</summary>
    public long Sequence { get; init; }

    public bool Cancelled { get; set; }

    public bool IsWrite => Kind is DiskOperationKind.Write or DiskOperationKind.Zero;

    public bool Overlaps(DiskOperation other) => Offset < other.Offset + other.Count && other.Offset < Offset + Count;

    public override string ToString() => $"{Kind} {Offset:x}+{Count:x}";
}
