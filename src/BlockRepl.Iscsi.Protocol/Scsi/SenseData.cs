using System.Buffers.Binary;

namespace BlockRepl.Iscsi.Protocol.Scsi;

/// <summary>Sense keys that lead to a decision (SPC-4, 4.5.6).</summary>
internal enum SenseKey : byte
{
    None = 0,
    RecoveredError = 1,
    NotReady = 2,
    MediumError = 3,
    HardwareError = 4,
    IllegalRequest = 5,
    UnitAttention = 6,
    DataProtect = 7,
    AbortedCommand = 0xb,
    Miscompare = 0xe,
}

/// <summary>Why a command ended with check condition.</summary>
/// <param name="Code">Additional sense code and its qualifier: 0xccqq.</param>
internal readonly record struct SenseData(SenseKey Key, ushort Code)
{
    /// <summary>
    /// From the data segment of a SCSI response: a length of two bytes, then the sense data in fixed or descriptor
    /// format. What is cut short or of another format gives the parts that are there, in the end none.
    /// </summary>
    public static SenseData Decode(ReadOnlySpan<byte> segment)
    {
        if (segment.Length < 2)
        {
            return default;
        }

        int length = BinaryPrimitives.ReadUInt16BigEndian(segment);
        ReadOnlySpan<byte> sense = segment.Slice(2, Math.Min(length, segment.Length - 2));
        if (sense.Length < 1)
        {
            return default;
        }

        return (sense[0] & 0x7f) switch
        {
            0x70 or 0x71 => new((SenseKey)(At(sense, 2) & 0x0f), (ushort)(At(sense, 12) << 8 | At(sense, 13))),
            0x72 or 0x73 => new((SenseKey)(At(sense, 1) & 0x0f), (ushort)(At(sense, 2) << 8 | At(sense, 3))),
            _ => default,
        };
    }

    public override string ToString() => $"{KeyWords}, 0x{Code:x4}{CodeWords}";

    private string KeyWords => Key switch
    {
        SenseKey.None => "no sense",
        SenseKey.RecoveredError => "recovered error",
        SenseKey.NotReady => "not ready",
        SenseKey.MediumError => "medium error",
        SenseKey.HardwareError => "hardware error",
        SenseKey.IllegalRequest => "illegal request",
        SenseKey.UnitAttention => "unit attention",
        SenseKey.DataProtect => "data protect",
        SenseKey.AbortedCommand => "aborted command",
        SenseKey.Miscompare => "miscompare",
        _ => $"sense key {(int)Key}",
    };

    private string CodeWords => Code switch
    {
        0x0401 => " (becoming ready)",
        0x0403 => " (needs manual intervention)",
        0x0c00 => " (write error)",
        0x1100 => " (unrecovered read error)",
        0x2000 => " (command not supported)",
        0x2100 => " (beyond the end)",
        0x2400 => " (invalid field in the command)",
        0x2500 => " (no such logical unit)",
        0x2700 => " (write protected)",
        0x2900 => " (power on or reset)",
        0x2a09 => " (capacity has changed)",
        0x3a00 => " (no medium)",
        _ => "",
    };

    private static byte At(ReadOnlySpan<byte> sense, int index) => index < sense.Length ? sense[index] : (byte)0;
}
