using System.Buffers.Binary;

namespace BlockRepl.Core.Protocol;

/// <summary>
/// The fixed part of a packet. Implemented by structs only and called through constrained generics: no boxing.
/// </summary>
public interface IPacketBody
{
    /// <summary>Bytes that <see cref="Encode"/> writes.</summary>
    int EncodedSize(in Framing framing);

    /// <summary>Writes exactly <see cref="EncodedSize"/> bytes to the start of the destination.</summary>
    void Encode(Span<byte> destination, in Framing framing);
}

/// <summary>Values of block_id that are no cookie of a requester.</summary>
public static class BlockIds
{
    /// <summary>Resync and verify traffic; no own cookie may have this value.</summary>
    public const ulong Syncer = ulong.MaxValue;

    /// <summary>In P_OV_RESULT: the block is the same on both nodes.</summary>
    public const ulong InSync = 4711;

    /// <summary>In P_OV_RESULT: the block differs.</summary>
    public const ulong OutOfSync = 4712;
}

/// <summary>Reading of sizes that hostile bytes may exceed.</summary>
internal static class WireNumber
{
    /// <summary>A 32-bit unsigned number; from 2^31 on int.MaxValue, so that no size ever becomes negative.</summary>
    public static int ReadSize(ReadOnlySpan<byte> source)
    {
        uint value = BinaryPrimitives.ReadUInt32BigEndian(source);
        return value > int.MaxValue ? int.MaxValue : (int)value;
    }
}
