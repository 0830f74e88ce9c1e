using System.Buffers.Binary;

namespace BlockRepl.Core.Protocol;

// features (72): lowest version (4) | feature flags (4) | highest version (4) | pad (4) | reserved (56); the rest is
// sent as zero and ignored when received: DRBD 9 puts node ids there.

/// <summary>P_CONNECTION_FEATURES, always with header80.</summary>
/// <param name="MaxVersion">0 stands for <paramref name="MinVersion"/>: very old nodes have only one.</param>
public readonly record struct FeaturesPacket(int MinVersion, FeatureFlags Flags, int MaxVersion) : IPacketBody
{
    public const int Size = 72;

    public static FeaturesPacket Decode(ReadOnlySpan<byte> body, in Framing framing) => new(
        WireNumber.ReadSize(body),
        (FeatureFlags)BinaryPrimitives.ReadUInt32BigEndian(body[4..]),
        WireNumber.ReadSize(body[8..]));

    public int EncodedSize(in Framing framing) => Size;

    public void Encode(Span<byte> destination, in Framing framing)
    {
        destination[..Size].Clear();
        BinaryPrimitives.WriteInt32BigEndian(destination, MinVersion);
        BinaryPrimitives.WriteUInt32BigEndian(destination[4..], (uint)Flags);
        BinaryPrimitives.WriteInt32BigEndian(destination[8..], MaxVersion);
    }
}
