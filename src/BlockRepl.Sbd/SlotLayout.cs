namespace BlockRepl.Sbd;

/// <summary>
/// Where things are on a device: the header, then a slot and a mailbox for each node, one sector each.
/// </summary>
public static class SlotLayout
{
    public const int SlotCount = 255;
    public const long HeaderSector = 0;

    /// <summary>Sectors of a device that are used; a smaller device cannot be used.</summary>
    public const long SectorCount = 1 + (SlotStride * SlotCount);

    /// <summary>From one slot's sector to the next.</summary>
    public const int SlotStride = 2;

    /// <summary>Most slots that are read in one step.</summary>
    public const int SlotsAtOnce = 32;

    public static long SlotSector(int slot) => 1 + (SlotStride * slot);

    public static long MailboxSector(int slot) => 2 + (SlotStride * slot);
}
