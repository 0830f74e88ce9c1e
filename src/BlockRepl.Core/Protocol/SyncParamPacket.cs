using System.Buffers.Binary;

namespace BlockRepl.Core.Protocol;

// version <= 87: resync rate (4)                                                                        =   4
// version 88:    resync rate (4) | verify-alg with its zero (1..64)
// version 89-94: resync rate (4) | verify-alg (64) | csums-alg (64)                                     = 132
// version >= 95: the same | plan ahead (4) | delay target (4) | fill target (4) | max rate (4)          = 148
// Names are padded with zeroes, at least one.

/// <summary>
/// P_SYNC_PARAM (up to version 88) and P_SYNC_PARAM89. What a version does not carry is left out when written, and is 0
/// or "" when read.
/// </summary>
/// <param name="ResyncRate">KiB/s.</param>
/// <param name="VerifyAlgorithm">Linux name, "" = none.</param>
/// <param name="ChecksumAlgorithm">Linux name, "" = none.</param>
/// <param name="PlanAhead">0.1 s.</param>
/// <param name="DelayTarget">0.1 s.</param>
/// <param name="FillTarget">Sectors.</param>
/// <param name="MaxRate">KiB/s.</param>
public readonly record struct SyncParamPacket(
    int ResyncRate,
    string VerifyAlgorithm,
    string ChecksumAlgorithm,
    int PlanAhead,
    int DelayTarget,
    int FillTarget,
    int MaxRate) : IPacketBody
{
    private const int ChecksumOffset = 4 + AlgorithmName.MaxSize;
    private const int ControllerOffset = ChecksumOffset + AlgorithmName.MaxSize;

    /// <summary>The command that carries these values.</summary>
    public static Command CommandFor(int agreedVersion) =>
        agreedVersion >= 89 ? Command.SyncParam89 : Command.SyncParam;

    /// <returns>
    /// None, or BadContent: a name that is no zero-terminated printable text, or a number from 2^31 on.
    /// </returns>
    public static ProtocolViolation TryDecode(ReadOnlySpan<byte> body, in Framing framing, out SyncParamPacket packet)
    {
        packet = default;
        int version = framing.AgreedVersion;
        string verify = "";
        string checksum = "";
        if (version == 88 && !AlgorithmName.TryRead(body[4..], out verify))
        {
            return ProtocolViolation.BadContent;
        }

        if (version >= 89
            && (!AlgorithmName.TryRead(body[4..ChecksumOffset], out verify)
                || !AlgorithmName.TryRead(body[ChecksumOffset..ControllerOffset], out checksum)))
        {
            return ProtocolViolation.BadContent;
        }

        ReadOnlySpan<byte> controller = version >= 95 ? body[ControllerOffset..] : stackalloc byte[16];
        packet = new(
            BinaryPrimitives.ReadInt32BigEndian(body),
            verify,
            checksum,
            BinaryPrimitives.ReadInt32BigEndian(controller),
            BinaryPrimitives.ReadInt32BigEndian(controller[4..]),
            BinaryPrimitives.ReadInt32BigEndian(controller[8..]),
            BinaryPrimitives.ReadInt32BigEndian(controller[12..]));
        int signs = packet.ResyncRate | packet.PlanAhead | packet.DelayTarget | packet.FillTarget | packet.MaxRate;
        return signs < 0 ? ProtocolViolation.BadContent : ProtocolViolation.None;
    }

    public int EncodedSize(in Framing framing) => framing.AgreedVersion switch
    {
        <= 87 => 4,
        88 => 4 + AlgorithmName.Size(VerifyAlgorithm),
        <= 94 => ControllerOffset,
        _ => ControllerOffset + 16,
    };

    public void Encode(Span<byte> destination, in Framing framing)
    {
        int version = framing.AgreedVersion;
        BinaryPrimitives.WriteInt32BigEndian(destination, ResyncRate);
        if (version == 88)
        {
            AlgorithmName.Write(destination[4..EncodedSize(framing)], VerifyAlgorithm);
        }

        if (version >= 89)
        {
            AlgorithmName.Write(destination[4..ChecksumOffset], VerifyAlgorithm);
            AlgorithmName.Write(destination[ChecksumOffset..ControllerOffset], ChecksumAlgorithm);
        }

        if (version >= 95)
        {
            BinaryPrimitives.WriteInt32BigEndian(destination[ControllerOffset..], PlanAhead);
            BinaryPrimitives.WriteInt32BigEndian(destination[(ControllerOffset + 4)..], DelayTarget);
            BinaryPrimitives.WriteInt32BigEndian(destination[(ControllerOffset + 8)..], FillTarget);
            BinaryPrimitives.WriteInt32BigEndian(destination[(ControllerOffset + 12)..], MaxRate);
        }
    }
}
