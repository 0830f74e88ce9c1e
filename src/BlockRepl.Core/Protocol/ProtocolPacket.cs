using System.Buffers.Binary;
using BlockRepl.Core.Options;

namespace BlockRepl.Core.Protocol;

/// <summary>Flags of P_PROTOCOL.</summary>
[Flags]
public enum ConnectionFlags : uint
{
    None = 0,
    DiscardMyData = 1,
    DryRun = 2,
}

// protocol (24 + name): A, B or C (4) | after-sb-0pri (4) | after-sb-1pri (4) | after-sb-2pri (4) | flags (4)
//   | two primaries (4) | from version 87 on: name of data-integrity-alg with its zero (1..64)

/// <summary>
/// P_PROTOCOL and P_PROTOCOL_UPDATE. The numbers are taken as they come: the handshake compares them with its own, and
/// whoever adopts an update asks <see cref="IsInRange"/> first.
/// </summary>
/// <param name="IntegrityAlgorithm">Linux name, "" = none; below version 87 always "".</param>
public readonly record struct ProtocolPacket(
    ReplicationProtocol Protocol,
    AfterSplitBrain After0,
    AfterSplitBrain After1,
    AfterSplitBrain After2,
    ConnectionFlags Flags,
    bool AllowTwoPrimaries,
    string IntegrityAlgorithm) : IPacketBody
{
    public const int FixedSize = 24;

    /// <summary>Whether protocol and policies are ones that exist.</summary>
    public bool IsInRange =>
        Protocol is >= ReplicationProtocol.A and <= ReplicationProtocol.C
        && Exists(After0) && Exists(After1) && Exists(After2);

    /// <returns>None, or BadContent if the name is no zero-terminated printable text.</returns>
    public static ProtocolViolation TryDecode(ReadOnlySpan<byte> body, in Framing framing, out ProtocolPacket packet)
    {
        string name = "";
        if (framing.AgreedVersion >= 87 && !AlgorithmName.TryRead(body[FixedSize..], out name))
        {
            packet = default;
            return ProtocolViolation.BadContent;
        }

        packet = new(
            (ReplicationProtocol)BinaryPrimitives.ReadInt32BigEndian(body),
            (AfterSplitBrain)BinaryPrimitives.ReadInt32BigEndian(body[4..]),
            (AfterSplitBrain)BinaryPrimitives.ReadInt32BigEndian(body[8..]),
            (AfterSplitBrain)BinaryPrimitives.ReadInt32BigEndian(body[12..]),
            (ConnectionFlags)BinaryPrimitives.ReadUInt32BigEndian(body[16..]),
            BinaryPrimitives.ReadUInt32BigEndian(body[20..]) != 0,
            name);
        return ProtocolViolation.None;
    }

    public int EncodedSize(in Framing framing) =>
        framing.AgreedVersion >= 87 ? FixedSize + AlgorithmName.Size(IntegrityAlgorithm) : FixedSize;

    public void Encode(Span<byte> destination, in Framing framing)
    {
        BinaryPrimitives.WriteInt32BigEndian(destination, (int)Protocol);
        BinaryPrimitives.WriteInt32BigEndian(destination[4..], (int)After0);
        BinaryPrimitives.WriteInt32BigEndian(destination[8..], (int)After1);
        BinaryPrimitives.WriteInt32BigEndian(destination[12..], (int)After2);
        BinaryPrimitives.WriteUInt32BigEndian(destination[16..], (uint)Flags);
        BinaryPrimitives.WriteUInt32BigEndian(destination[20..], AllowTwoPrimaries ? 1u : 0u);
        if (framing.AgreedVersion >= 87)
        {
            AlgorithmName.Write(destination[FixedSize..EncodedSize(framing)], IntegrityAlgorithm);
        }
    }

    private static bool Exists(AfterSplitBrain policy) =>
        policy is >= AfterSplitBrain.Disconnect and <= AfterSplitBrain.ViolentlyAs0Primaries;
}
