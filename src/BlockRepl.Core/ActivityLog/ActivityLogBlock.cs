using System.Buffers.Binary;
using System.Numerics;
using System.Runtime.InteropServices;

namespace BlockRepl.Core.ActivityLog;

/// <summary>
/// One block of the activity log's ring, all numbers big endian:
/// <code>
///    0  u32       magic 0x69CB65A2
///    4  u32       transaction number
///    8  u32       crc32c of the block with this field zero; seed 0, result not inverted
///   12  u16       type: 0 update, 0xFFFF initialised (carries nothing)
///   14  u16       n_updates, 0..64
///   16  u16       context_size: slots of the writer
///   18  u16       context_start: slot of context[0]
///   20  16 bytes  zero
///   36  u16[64]   update_slot, unused 0xFFFF
///  164  u32[64]   update_extent: new content of that slot, unused 0xFFFFFFFF
///  420  u32[919]  context: content of the slots from context_start on before this transaction
/// </code>
/// </summary>
public static class ActivityLogBlock
{
    public const int Bytes = 4096;
    public const uint Magic = 0x69CB65A2;

    /// <summary>First word of each sector of the log that DRBD 8.3 and older wrote.</summary>
    public const uint Version83Magic = 0x83740267;

    public const int MaxUpdates = 64;
    public const int ContextSlots = 919;

    /// <summary>"No extent" in a slot.</summary>
    public const uint Free = 0xFFFFFFFF;

    /// <summary>"No slot" in an update.</summary>
    public const ushort NoSlot = 0xFFFF;

    /// <summary>Data under one extent, in sectors: 4 MiB.</summary>
    public const int SectorsPerExtent = 8192;

    internal const ushort TypeUpdate = 0;
    internal const ushort TypeInitialised = 0xFFFF;
    internal const int TransactionOffset = 4;
    internal const int CrcOffset = 8;
    internal const int TypeOffset = 12;
    internal const int UpdateCountOffset = 14;
    internal const int ContextSizeOffset = 16;
    internal const int ContextStartOffset = 18;
    internal const int UpdateSlotOffset = 36;
    internal const int UpdateExtentOffset = UpdateSlotOffset + MaxUpdates * 2;
    internal const int ContextOffset = UpdateExtentOffset + MaxUpdates * 4;

    /// <summary>Whether magic and checksum are right. Nothing else of a block is validated before it is used.</summary>
    public static bool IsValid(ReadOnlySpan<byte> block) =>
        block.Length == Bytes
        && BinaryPrimitives.ReadUInt32BigEndian(block) == Magic
        && BinaryPrimitives.ReadUInt32BigEndian(block[CrcOffset..]) == Checksum(block);

    /// <summary>Whether a valid block is of the type that carries updates and context.</summary>
    public static bool IsUpdate(ReadOnlySpan<byte> validBlock) =>
        BinaryPrimitives.ReadUInt16BigEndian(validBlock[TypeOffset..]) == TypeUpdate;

    public static uint TransactionNumber(ReadOnlySpan<byte> block) =>
        BinaryPrimitives.ReadUInt32BigEndian(block[TransactionOffset..]);

    /// <summary>Builds the block that offline tools fill the ring with: it says nothing about any slot.</summary>
    public static void BuildInitialised(Span<byte> block)
    {
        block = block[..Bytes];
        block.Clear();
        BinaryPrimitives.WriteUInt32BigEndian(block, Magic);
        BinaryPrimitives.WriteUInt16BigEndian(block[TypeOffset..], TypeInitialised);
        Seal(block);
    }

    /// <summary>Starts an update block without updates; the context is all free.</summary>
    internal static void Begin(Span<byte> block, uint transactionNumber, int contextSize, int contextStart)
    {
        block.Fill(0xFF);
        block[..UpdateSlotOffset].Clear();
        BinaryPrimitives.WriteUInt32BigEndian(block, Magic);
        BinaryPrimitives.WriteUInt32BigEndian(block[TransactionOffset..], transactionNumber);
        BinaryPrimitives.WriteUInt16BigEndian(block[ContextSizeOffset..], (ushort)contextSize);
        BinaryPrimitives.WriteUInt16BigEndian(block[ContextStartOffset..], (ushort)contextStart);
    }

    internal static void SetUpdate(Span<byte> block, int index, int slot, uint extent)
    {
        BinaryPrimitives.WriteUInt16BigEndian(block[(UpdateSlotOffset + index * 2)..], (ushort)slot);
        BinaryPrimitives.WriteUInt32BigEndian(block[(UpdateExtentOffset + index * 4)..], extent);
    }

    internal static void SetContext(Span<byte> block, int index, uint extent) =>
        BinaryPrimitives.WriteUInt32BigEndian(block[(ContextOffset + index * 4)..], extent);

    /// <summary>Ends a block: its number of updates and its checksum.</summary>
    internal static void Finish(Span<byte> block, int updates)
    {
        BinaryPrimitives.WriteUInt16BigEndian(block[UpdateCountOffset..], (ushort)updates);
        Seal(block);
    }

    internal static void Seal(Span<byte> block) =>
        BinaryPrimitives.WriteUInt32BigEndian(block[CrcOffset..], Checksum(block));

    /// <summary>
    /// CRC-32C as the log wants it: seed 0, not inverted, over the block with its checksum field as zero.
    /// </summary>
    internal static uint Checksum(ReadOnlySpan<byte> block)
    {
        uint crc = RawCrc32C(0, block[..CrcOffset]);
        crc = BitOperations.Crc32C(crc, 0u);
        return RawCrc32C(crc, block[(CrcOffset + 4)..Bytes]);
    }

    internal static uint RawCrc32C(uint crc, ReadOnlySpan<byte> data)
    {
        foreach (ulong word in MemoryMarshal.Cast<byte, ulong>(data))
        {
            // The instruction takes the lowest byte first, so on a big-endian machine the word has to be turned round.
            crc = BitOperations.Crc32C(
                crc, BitConverter.IsLittleEndian ? word : BinaryPrimitives.ReverseEndianness(word));
        }

        foreach (byte value in data[(data.Length & ~7)..])
        {
            crc = BitOperations.Crc32C(crc, value);
        }

        return crc;
    }
}
