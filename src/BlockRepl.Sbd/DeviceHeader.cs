using System.Buffers.Binary;

namespace BlockRepl.Sbd;

/// <summary>The first sector of a device, version 2.</summary>
public sealed record DeviceHeader(Guid Uuid, int SectorSize, Timeouts Timeouts)
{
    public const byte Version = 2;

    /// <summary>
    /// So many bytes tell two headers apart: the fields, with the UUID that each creation draws anew.
    /// </summary>
    public const int IdentityBytes = 52;

    /// <summary>0 on very old devices: then there is no UUID.</summary>
    public byte MinorVersion { get; init; } = 1;

    public byte SlotCount { get; init; } = SlotLayout.SlotCount;

    private static ReadOnlySpan<byte> Magic => "SBD_SBD_"u8;

    /// <summary>Reads a header; <paramref name="problem"/> says why a sector is none.</summary>
    public static DeviceHeader? Parse(ReadOnlySpan<byte> sector, out string problem)
    {
        problem = "";
        if (!sector.StartsWith(Magic))
        {
            problem = "there is no SBD header (the device was never created, or something has written over it)";
            return null;
        }

        if (sector[8] != Version)
        {
            problem = $"the header has version {sector[8]}; only version {Version} is known";
            return null;
        }

        var sectorSize = BinaryPrimitives.ReadUInt32BigEndian(sector[12..]);
        if (sectorSize != sector.Length)
        {
            problem = $"the header was made for sectors of {sectorSize} bytes, the device has {sector.Length}";
            return null;
        }

        return new DeviceHeader(new Guid(sector.Slice(33, 16), bigEndian: true), sector.Length, new Timeouts(
            BinaryPrimitives.ReadUInt32BigEndian(sector[16..]),
            BinaryPrimitives.ReadUInt32BigEndian(sector[20..]),
            BinaryPrimitives.ReadUInt32BigEndian(sector[24..]),
            BinaryPrimitives.ReadUInt32BigEndian(sector[28..])))
        {
            MinorVersion = sector[32],
            SlotCount = sector[9],
        };
    }

    /// <summary>The sector size that a header claims, 0 if the sector does not begin as one does.</summary>
    public static uint SectorSizeOf(ReadOnlySpan<byte> sector) =>
        sector.StartsWith(Magic) ? BinaryPrimitives.ReadUInt32BigEndian(sector[12..]) : 0;

    /// <summary>Writes the whole sector.</summary>
    public void WriteTo(Span<byte> sector)
    {
        sector.Clear();
        Magic.CopyTo(sector);
        sector[8] = Version;
        sector[9] = SlotCount;
        BinaryPrimitives.WriteUInt32BigEndian(sector[12..], (uint)SectorSize);
        BinaryPrimitives.WriteUInt32BigEndian(sector[16..], Timeouts.Watchdog);
        BinaryPrimitives.WriteUInt32BigEndian(sector[20..], Timeouts.Allocate);
        BinaryPrimitives.WriteUInt32BigEndian(sector[24..], Timeouts.Loop);
        BinaryPrimitives.WriteUInt32BigEndian(sector[28..], Timeouts.MessageWait);
        sector[32] = MinorVersion;
        Uuid.TryWriteBytes(sector.Slice(33, 16), bigEndian: true, out _);
    }
}
