using System.Buffers.Binary;

namespace BlockRepl.Iscsi.Protocol.Scsi;

/// <summary>A SCSI command with the data that go out with it and the room for those that come in.</summary>
internal sealed class ScsiCommand
{
    private const byte ForceUnitAccess = 0x08;

    private ScsiCommand(string name, byte[] cdb, int readLength = 0, ReadOnlyMemory<byte> dataOut = default)
    {
        Name = name;
        cdb.CopyTo(Cdb, 0);
        DataIn = readLength == 0 ? [] : new byte[readLength];
        DataOut = dataOut;
    }

    public string Name { get; }

    public byte[] Cdb { get; } = new byte[16];

    /// <summary>What the target sends goes here; how much came tells <see cref="ScsiResult"/>.</summary>
    public byte[] DataIn { get; }

    public ReadOnlyMemory<byte> DataOut { get; }

    public static ScsiCommand TestUnitReady() => new("TEST UNIT READY", [0x00]);

    public static ScsiCommand Inquiry() => new("INQUIRY", [0x12, 0, 0, 0, InquiryData.Size], InquiryData.Size);

    /// <summary>Page 0x3f, all pages: only the header with its write-protect and FUA bits is wanted.</summary>
    public static ScsiCommand ModeSense6() =>
        new("MODE SENSE(6)", [0x1a, 0x08, 0x3f, 0, ModeHeader.Size], ModeHeader.Size);

    public static ScsiCommand ReadCapacity10() => new("READ CAPACITY(10)", [0x25], DiskCapacity.Size10);

    public static ScsiCommand ReadCapacity16()
    {
        var command = new ScsiCommand("READ CAPACITY(16)", [0x9e, 0x10], DiskCapacity.Size16);
        BinaryPrimitives.WriteUInt32BigEndian(command.Cdb.AsSpan(10), DiskCapacity.Size16);
        return command;
    }

    /// <summary>Everything, and answered only when done.</summary>
    public static ScsiCommand SynchronizeCache10() => new("SYNCHRONIZE CACHE(10)", [0x35]);

    /// <summary>READ(10), or READ(16) beyond its reach.</summary>
    public static ScsiCommand Read(ulong sector, int sectors, int bytes) =>
        IsShort(sector)
            ? Addressed10(new("READ(10)", [0x28], bytes), sector, sectors)
            : Addressed16(new("READ(16)", [0x88], bytes), sector, sectors);

    /// <summary>WRITE(10), or WRITE(16) beyond its reach.</summary>
    public static ScsiCommand Write(ulong sector, int sectors, ReadOnlyMemory<byte> data, bool throughCache)
    {
        byte flags = throughCache ? ForceUnitAccess : (byte)0;
        return IsShort(sector)
            ? Addressed10(new("WRITE(10)", [0x2a, flags], 0, data), sector, sectors)
            : Addressed16(new("WRITE(16)", [0x8a, flags], 0, data), sector, sectors);
    }

    private static bool IsShort(ulong sector) => sector <= uint.MaxValue;

    private static ScsiCommand Addressed10(ScsiCommand command, ulong sector, int sectors)
    {
        BinaryPrimitives.WriteUInt32BigEndian(command.Cdb.AsSpan(2), (uint)sector);
        BinaryPrimitives.WriteUInt16BigEndian(command.Cdb.AsSpan(7), checked((ushort)sectors));
        return command;
    }

    private static ScsiCommand Addressed16(ScsiCommand command, ulong sector, int sectors)
    {
        BinaryPrimitives.WriteUInt64BigEndian(command.Cdb.AsSpan(2), sector);
        BinaryPrimitives.WriteUInt32BigEndian(command.Cdb.AsSpan(10), (uint)sectors);
        return command;
    }
}

/// <summary>How a command ended.</summary>
/// <param name="Status">SCSI status; 0 = good.</param>
/// <param name="Received">Bytes that came into <see cref="ScsiCommand.DataIn"/>.</param>
internal readonly record struct ScsiResult(byte Status, int Received, SenseData Sense);

/// <summary>The parts of INQUIRY's standard answer that say what the logical unit is.</summary>
/// <param name="Qualifier">0 = connected; 3 = there is no such unit.</param>
/// <param name="DeviceType">0 = disk; 0x1f = none.</param>
internal readonly record struct InquiryData(int Qualifier, int DeviceType)
{
    public const int Size = 36;

    public static InquiryData Decode(ReadOnlySpan<byte> data) =>
        data.IsEmpty
            ? throw IscsiException.Violation("an empty answer to INQUIRY")
            : new(data[0] >> 5, data[0] & 0x1f);
}

/// <summary>MODE SENSE(6)'s header for disks.</summary>
/// <param name="HasFua">DPOFUA: a write may ask to go through the cache.</param>
internal readonly record struct ModeHeader(bool IsWriteProtected, bool HasFua)
{
    public const int Size = 4;

    /// <summary>An answer that is too short promises nothing.</summary>
    public static ModeHeader Decode(ReadOnlySpan<byte> data) =>
        data.Length < Size ? default : new((data[2] & 0x80) != 0, (data[2] & 0x10) != 0);
}

/// <summary>The size of a disk.</summary>
internal readonly record struct DiskCapacity(ulong SectorCount, int SectorSize)
{
    public const int Size10 = 8;
    public const int Size16 = 32;

    /// <summary>Null if the disk is too large for this form of the answer.</summary>
    public static DiskCapacity? Decode10(ReadOnlySpan<byte> data)
    {
        Require(data, Size10);
        uint last = BinaryPrimitives.ReadUInt32BigEndian(data);
        return last == uint.MaxValue ? null : Of(last, BinaryPrimitives.ReadUInt32BigEndian(data[4..]));
    }

    public static DiskCapacity Decode16(ReadOnlySpan<byte> data)
    {
        Require(data, 12);
        return Of(BinaryPrimitives.ReadUInt64BigEndian(data), BinaryPrimitives.ReadUInt32BigEndian(data[8..]));
    }

    private static DiskCapacity Of(ulong lastSector, uint sectorSize)
    {
        if (sectorSize is not (512 or 4096))
        {
            throw new IscsiException(
                IscsiError.NotADisk, $"its sectors have {sectorSize} bytes; only 512 and 4096 are supported");
        }

        return lastSector < (ulong)long.MaxValue / sectorSize
            ? new DiskCapacity(lastSector + 1, (int)sectorSize)
            : throw IscsiException.Violation($"a disk whose last sector is {lastSector}");
    }

    private static void Require(ReadOnlySpan<byte> data, int size)
    {
        if (data.Length < size)
        {
            throw IscsiException.Violation($"{data.Length} bytes as the answer to READ CAPACITY");
        }
    }
}
