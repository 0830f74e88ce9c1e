using System.Buffers.Binary;

namespace BlockRepl.Core.Protocol;

/// <summary>Flags of P_SIZES.</summary>
[Flags]
public enum DeviceSizeFlags : ushort
{
    None = 0,

    /// <summary>Assume that the peer has the space.</summary>
    Forced = 1,

    /// <summary>Newly grown space is not resynced.</summary>
    NoResync = 2,
}

// queue limits (24): physical block (4) | logical block (4) | alignment offset (4) | io_min (4) | io_opt (4)
//   | discard (1) | discard zeroes (1) | write same (1) | zero (1)

/// <summary>
/// Properties of the sender's device, sent if the feature WriteSame is agreed. Kernels of today ignore them.
/// </summary>
public readonly record struct QueueLimits(
    uint PhysicalBlockBytes,
    uint LogicalBlockBytes,
    uint AlignmentOffset,
    uint MinIoBytes,
    uint OptimalIoBytes,
    bool DiscardEnabled,
    bool DiscardZeroesData,
    bool WriteSameCapable)
{
    public const int Size = 24;

    internal static QueueLimits Decode(ReadOnlySpan<byte> source) => new(
        BinaryPrimitives.ReadUInt32BigEndian(source),
        BinaryPrimitives.ReadUInt32BigEndian(source[4..]),
        BinaryPrimitives.ReadUInt32BigEndian(source[8..]),
        BinaryPrimitives.ReadUInt32BigEndian(source[12..]),
        BinaryPrimitives.ReadUInt32BigEndian(source[16..]),
        source[20] != 0,
        source[21] != 0,
        source[22] != 0);

    internal void Encode(Span<byte> destination)
    {
        BinaryPrimitives.WriteUInt32BigEndian(destination, PhysicalBlockBytes);
        BinaryPrimitives.WriteUInt32BigEndian(destination[4..], LogicalBlockBytes);
        BinaryPrimitives.WriteUInt32BigEndian(destination[8..], AlignmentOffset);
        BinaryPrimitives.WriteUInt32BigEndian(destination[12..], MinIoBytes);
        BinaryPrimitives.WriteUInt32BigEndian(destination[16..], OptimalIoBytes);
        destination[20] = DiscardEnabled ? (byte)1 : (byte)0;
        destination[21] = DiscardZeroesData ? (byte)1 : (byte)0;
        destination[22] = WriteSameCapable ? (byte)1 : (byte)0;
        destination[23] = 0;
    }
}

// sizes (32 or 56): disk (8) | user limit (8) | current (8) | largest I/O (4) | queue order, 0 (2) | flags (2)
//   | queue limits (24) if the feature WriteSame is agreed

/// <summary>P_SIZES.</summary>
/// <param name="DiskSectors">What the backing disk could offer; 0 = no disk.</param>
/// <param name="UserSectors">Limit set by the user; 0 = none.</param>
/// <param name="CurrentSectors">Size of the device now; 0 = unknown, or "please answer".</param>
/// <param name="Limits">Default without the feature WriteSame.</param>
public readonly record struct SizesPacket(
    ulong DiskSectors,
    ulong UserSectors,
    ulong CurrentSectors,
    uint MaxIoBytes,
    DeviceSizeFlags Flags,
    QueueLimits Limits) : IPacketBody
{
    private const int BaseSize = 32;

    public static SizesPacket Decode(ReadOnlySpan<byte> body, in Framing framing) => new(
        BinaryPrimitives.ReadUInt64BigEndian(body),
        BinaryPrimitives.ReadUInt64BigEndian(body[8..]),
        BinaryPrimitives.ReadUInt64BigEndian(body[16..]),
        BinaryPrimitives.ReadUInt32BigEndian(body[24..]),
        (DeviceSizeFlags)BinaryPrimitives.ReadUInt16BigEndian(body[30..]),
        body.Length >= BaseSize + QueueLimits.Size ? QueueLimits.Decode(body[BaseSize..]) : default);

    public int EncodedSize(in Framing framing) => Size(framing);

    public void Encode(Span<byte> destination, in Framing framing)
    {
        BinaryPrimitives.WriteUInt64BigEndian(destination, DiskSectors);
        BinaryPrimitives.WriteUInt64BigEndian(destination[8..], UserSectors);
        BinaryPrimitives.WriteUInt64BigEndian(destination[16..], CurrentSectors);
        BinaryPrimitives.WriteUInt32BigEndian(destination[24..], MaxIoBytes);
        BinaryPrimitives.WriteUInt16BigEndian(destination[28..], 0);
        BinaryPrimitives.WriteUInt16BigEndian(destination[30..], (ushort)Flags);
        if (Size(framing) > BaseSize)
        {
            Limits.Encode(destination[BaseSize..]);
        }
    }

    internal static int Size(in Framing framing) =>
        (framing.Features & FeatureFlags.WriteSame) != 0 ? BaseSize + QueueLimits.Size : BaseSize;
}
