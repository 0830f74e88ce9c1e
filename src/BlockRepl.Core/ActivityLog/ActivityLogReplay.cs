using System.Buffers.Binary;

namespace BlockRepl.Core.ActivityLog;

/// <summary>What a ring says about the active set.</summary>
public enum ReplayStatus
{
    /// <summary>The ring is initialised and holds no transaction: no extent was active.</summary>
    NothingToDo,

    /// <summary>The active set was read.</summary>
    Replayed,

    /// <summary>Not one block is valid: the active set is unknown.</summary>
    NoValidBlocks,

    /// <summary>Blocks are damaged and the rest holds no transaction: the active set is unknown.</summary>
    Damaged,
}

/// <summary>Result of reading a ring.</summary>
/// <param name="Status">What was found.</param>
/// <param name="Extents">The active 4 MiB extents, ascending, without repetition; empty unless replayed.</param>
/// <param name="ValidBlocks">Blocks with the right magic and checksum.</param>
/// <param name="InvalidBlocks">All others.</param>
/// <param name="NewestTransaction">Number of the newest transaction, if replayed.</param>
public sealed record ReplayResult(
    ReplayStatus Status, IReadOnlyList<uint> Extents, int ValidBlocks, int InvalidBlocks, uint NewestTransaction)
{
    /// <summary>
    /// The active set is unknown: a node that was Primary must take every block for out of sync. (A node that was not
    /// has nothing in the log that counts.)
    /// </summary>
    public bool IsActiveSetUnknown => Status is ReplayStatus.NoValidBlocks or ReplayStatus.Damaged;
}

/// <summary>Finds the active set that a crash left in the activity log.</summary>
public static class ActivityLogReplay
{
    private const int Version83SectorBytes = 512;

    /// <summary>
    /// Reads a whole ring. The result counts only if PRIMARY_IND is set in the superblock; that is for the caller to
    /// decide.
    /// </summary>
    /// <param name="wholeRing">All blocks of the log as they lie on disk; any content is survived.</param>
    /// <param name="stripes">al_stripes.</param>
    /// <param name="stripeSize4k">al_stripe_size_4k.</param>
    public static ReplayResult Replay(ReadOnlySpan<byte> wholeRing, int stripes, int stripeSize4k)
    {
        if (!ActivityLogRing.IsValid(stripes, stripeSize4k))
        {
            throw new ArgumentException("no ring has these stripes");
        }

        var ring = new ActivityLogRing(stripes, stripeSize4k);
        if (wholeRing.Length != ring.Blocks * ActivityLogBlock.Bytes)
        {
            throw new ArgumentException("the whole ring is needed", nameof(wholeRing));
        }

        RingSurvey survey = Survey(wholeRing, ring);
        if (survey.Oldest < 0)
        {
            return Nothing(survey, ring.Blocks);
        }

        uint[] slots = ReadSlots(wholeRing, ring, survey);
        uint[] extents = DistinctExtents(slots);
        uint newest = ActivityLogBlock.TransactionNumber(BlockAt(wholeRing, ring, survey.Newest));
        return new ReplayResult(ReplayStatus.Replayed, extents, survey.Valid, ring.Blocks - survey.Valid, newest);
    }

    /// <summary>
    /// Whether a ring looks like one of DRBD 8.3: sectors of its own form, and no block of the present form at the
    /// start. Ask only where that can be: normal magic, log not clean, default ring.
    /// </summary>
    public static bool IsVersion83Log(ReadOnlySpan<byte> wholeRing)
    {
        for (int block = 0; block < 2; block++)
        {
            if (wholeRing.Length < (block + 1) * ActivityLogBlock.Bytes
                || FirstWord(wholeRing[(block * ActivityLogBlock.Bytes)..]) == ActivityLogBlock.Magic)
            {
                return false;
            }
        }

        for (int offset = 0; offset + Version83SectorBytes <= wholeRing.Length; offset += Version83SectorBytes)
        {
            if (IsVersion83Sector(wholeRing.Slice(offset, Version83SectorBytes)))
            {
                return true;
            }
        }

        return false;
    }

    /// <summary>
    /// Positions of the oldest and newest update in ring order, -1 without any, and what else was seen.
    /// </summary>
    private readonly record struct RingSurvey(int Oldest, int Newest, int Valid, bool FirstPositionInvalid);

    private static RingSurvey Survey(ReadOnlySpan<byte> wholeRing, ActivityLogRing ring)
    {
        int oldest = -1;
        int newest = -1;
        int valid = 0;
        bool firstInvalid = false;
        uint oldestNumber = 0;
        uint newestNumber = 0;
        for (int position = 0; position < ring.Blocks; position++)
        {
            ReadOnlySpan<byte> block = BlockAt(wholeRing, ring, position);
            if (!ActivityLogBlock.IsValid(block))
            {
                firstInvalid |= position == 0;
                continue;
            }

            valid++;
            if (!ActivityLogBlock.IsUpdate(block))
            {
                continue;
            }

            uint number = ActivityLogBlock.TransactionNumber(block);
            if (newest < 0 || IsAfter(number, newestNumber))
            {
                newest = position;
                newestNumber = number;
            }

            if (oldest < 0 || IsAfter(oldestNumber, number))
            {
                oldest = position;
                oldestNumber = number;
            }
        }

        return new RingSurvey(oldest, newest, valid, firstInvalid);
    }

    /// <summary>
    /// Numbers wrap at 2^32, and a ring holds far fewer than 2^31: the sign of the difference tells the order.
    /// </summary>
    private static bool IsAfter(uint a, uint b) => unchecked((int)(a - b)) > 0;

    private static ReplayResult Nothing(RingSurvey survey, int blocks)
    {
        int invalid = blocks - survey.Valid;
        ReplayStatus status;
        if (survey.Valid == 0)
        {
            status = ReplayStatus.NoValidBlocks;
        }
        else if (invalid == 0 || (invalid == 1 && survey.FirstPositionInvalid))
        {
            // Only the very first transaction of a session can be torn with nothing but initialised blocks around it,
            // and its data writes were never submitted.
            status = ReplayStatus.NothingToDo;
        }
        else
        {
            status = ReplayStatus.Damaged;
        }

        return new ReplayResult(status, [], survey.Valid, invalid, 0);
    }

    private static uint[] ReadSlots(ReadOnlySpan<byte> wholeRing, ActivityLogRing ring, RingSurvey survey)
    {
        var slots = new uint[ActivityLogRing.MaxSlots];
        Array.Fill(slots, ActivityLogBlock.Free);
        int position = survey.Oldest;
        while (true)
        {
            ReadOnlySpan<byte> block = BlockAt(wholeRing, ring, position);
            if (ActivityLogBlock.IsValid(block) && ActivityLogBlock.IsUpdate(block))
            {
                ApplyContext(block, slots);
                ApplyUpdates(block, slots);
            }

            if (position == survey.Newest)
            {
                return slots;
            }

            position = position + 1 == ring.Blocks ? 0 : position + 1;
        }
    }

    /// <summary>
    /// A free entry takes an older extent off its slot; beyond the writer's slots it only pads the block.
    /// </summary>
    private static void ApplyContext(ReadOnlySpan<byte> block, uint[] slots)
    {
        int size = BinaryPrimitives.ReadUInt16BigEndian(block[ActivityLogBlock.ContextSizeOffset..]);
        int start = BinaryPrimitives.ReadUInt16BigEndian(block[ActivityLogBlock.ContextStartOffset..]);
        for (int k = 0; k < ActivityLogBlock.ContextSlots; k++)
        {
            uint extent = BinaryPrimitives.ReadUInt32BigEndian(block[(ActivityLogBlock.ContextOffset + k * 4)..]);
            int slot = start + k;
            bool padding = extent == ActivityLogBlock.Free && slot >= size;
            if (!padding && slot < slots.Length)
            {
                slots[slot] = extent;
            }
        }
    }

    private static void ApplyUpdates(ReadOnlySpan<byte> block, uint[] slots)
    {
        int count = BinaryPrimitives.ReadUInt16BigEndian(block[ActivityLogBlock.UpdateCountOffset..]);
        for (int k = 0; k < ActivityLogBlock.MaxUpdates; k++)
        {
            int slot = BinaryPrimitives.ReadUInt16BigEndian(block[(ActivityLogBlock.UpdateSlotOffset + k * 2)..]);
            bool unused = k >= count && slot == ActivityLogBlock.NoSlot;
            if (!unused && slot < slots.Length)
            {
                slots[slot] =
                    BinaryPrimitives.ReadUInt32BigEndian(block[(ActivityLogBlock.UpdateExtentOffset + k * 4)..]);
            }
        }
    }

    private static uint[] DistinctExtents(uint[] slots)
    {
        uint[] extents = Array.FindAll(slots, extent => extent != ActivityLogBlock.Free);
        Array.Sort(extents);
        int count = 0;
        foreach (uint extent in extents)
        {
            if (count == 0 || extents[count - 1] != extent)
            {
                extents[count++] = extent;
            }
        }

        return extents[..count];
    }

    private static ReadOnlySpan<byte> BlockAt(ReadOnlySpan<byte> wholeRing, ActivityLogRing ring, int position) =>
        wholeRing.Slice(ring.BlockOf((uint)position) * ActivityLogBlock.Bytes, ActivityLogBlock.Bytes);

    private static uint FirstWord(ReadOnlySpan<byte> bytes) => BinaryPrimitives.ReadUInt32BigEndian(bytes);

    /// <summary>
    /// A sector of the older log: magic, number, 62 pairs of slot and extent from byte 8, exclusive or of the extents
    /// at 504.
    /// </summary>
    private static bool IsVersion83Sector(ReadOnlySpan<byte> sector)
    {
        if (FirstWord(sector) != ActivityLogBlock.Version83Magic)
        {
            return false;
        }

        uint checksum = 0;
        for (int pair = 0; pair < 62; pair++)
        {
            checksum ^= FirstWord(sector[(8 + pair * 8 + 4)..]);
        }

        return checksum == FirstWord(sector[504..]);
    }
}
