namespace BlockRepl.Sbd;

/// <summary>What a procedure wants next.</summary>
public enum StepKind
{
    /// <summary>The sector's content, in <see cref="Exchange.Sector"/>.</summary>
    Read,

    /// <summary>
    /// Sectors of slots, in <see cref="Exchange.Slot"/>: as many as could be read, up to the first error.
    /// </summary>
    ReadSlots,

    /// <summary>The sector written with <see cref="Exchange.Sector"/>.</summary>
    Write,

    /// <summary>Time to pass.</summary>
    Wait,
}

/// <summary>One step of a procedure: I/O of one sector, or waiting.</summary>
public readonly record struct DeviceStep(StepKind Kind, long Sector, TimeSpan Time, int Count = 1)
{
    public static DeviceStep Read(long sector) => new(StepKind.Read, sector, default);

    public static DeviceStep ReadSlots(int first, int count) =>
        new(StepKind.ReadSlots, SlotLayout.SlotSector(first), default, count);

    public static DeviceStep Write(long sector) => new(StepKind.Write, sector, default);

    public static DeviceStep Wait(long seconds) => new(StepKind.Wait, 0, TimeSpan.FromSeconds(seconds));
}

/// <summary>
/// What a procedure and its driver share. A procedure is an iterator: it yields a step, the driver carries it out,
/// leaves the result here and goes on with the iterator. So the daemon, the commands and the simulator run the same
/// code, the last with steps of many nodes in any order.
/// </summary>
public sealed class Exchange(int sectorSize)
{
    public byte[] Sector { get; } = new byte[sectorSize];

    /// <summary>Sectors of slots that a step has read; not in between mailboxes.</summary>
    public byte[] Slots { get; } = new byte[SlotLayout.SlotsAtOnce * sectorSize];

    public int SlotsRead { get; set; }

    public SectorError Error { get; set; }

    /// <summary>When the last step began, in nanoseconds of a clock that never goes back.</summary>
    public long StartedNs { get; set; }

    /// <summary>When it ended.</summary>
    public long EndedNs { get; set; }

    public ReadOnlySpan<byte> Slot(int index) => Slots.AsSpan(index * sectorSize, sectorSize);

    public bool Failed => Error != SectorError.None;
}
