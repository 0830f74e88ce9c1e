using System.Buffers.Binary;

namespace BlockRepl.Iscsi.Protocol.Pdus;

// What a target sends. Fields that this initiator has no use for are not decoded; whether values make sense is judged
// by the session, which knows what was asked.

/// <summary>The sequence numbers that every PDU of a target carries.</summary>
internal readonly record struct TargetNumbers(uint StatSn, uint ExpCmdSn, uint MaxCmdSn)
{
    public static TargetNumbers Decode(ReadOnlySpan<byte> header) => new(
        BinaryPrimitives.ReadUInt32BigEndian(header[HeaderLayout.StatSn..]),
        BinaryPrimitives.ReadUInt32BigEndian(header[HeaderLayout.ExpCmdSn..]),
        BinaryPrimitives.ReadUInt32BigEndian(header[HeaderLayout.MaxCmdSn..]));
}

/// <summary>Login response; its text is the data segment.</summary>
internal readonly record struct LoginResponse(
    bool Transit, bool Continues, byte Stage, byte NextStage, byte ActiveVersion, ushort Tsih, uint TaskTag,
    byte StatusClass, byte StatusDetail)
{
    public static LoginResponse Decode(ReadOnlySpan<byte> header) => new(
        (header[HeaderLayout.Flags] & 0x80) != 0,
        (header[HeaderLayout.Flags] & 0x40) != 0,
        (byte)(header[HeaderLayout.Flags] >> 2 & 3),
        (byte)(header[HeaderLayout.Flags] & 3),
        header[3],
        BinaryPrimitives.ReadUInt16BigEndian(header[14..]),
        BinaryPrimitives.ReadUInt32BigEndian(header[HeaderLayout.TaskTag..]),
        header[36],
        header[37]);
}

/// <summary>What is missing from or too much in a transfer.</summary>
internal readonly record struct Residual(bool Overflow, bool Underflow, uint Count)
{
    public static Residual Decode(ReadOnlySpan<byte> header) => new(
        (header[HeaderLayout.Flags] & 0x04) != 0,
        (header[HeaderLayout.Flags] & 0x02) != 0,
        BinaryPrimitives.ReadUInt32BigEndian(header[44..]));
}

/// <summary>SCSI response; sense data are in the data segment.</summary>
internal readonly record struct ScsiResponse(byte Response, byte Status, uint TaskTag, Residual Residual)
{
    public static ScsiResponse Decode(ReadOnlySpan<byte> header) => new(
        header[2], header[3], BinaryPrimitives.ReadUInt32BigEndian(header[HeaderLayout.TaskTag..]),
        Residual.Decode(header));
}

/// <summary>A part of what a command reads, perhaps with the command's good end.</summary>
internal readonly record struct DataIn(
    bool HasStatus, byte Status, uint TaskTag, uint DataSn, uint Offset, Residual Residual)
{
    public static DataIn Decode(ReadOnlySpan<byte> header) => new(
        (header[HeaderLayout.Flags] & 0x01) != 0,
        header[3],
        BinaryPrimitives.ReadUInt32BigEndian(header[HeaderLayout.TaskTag..]),
        BinaryPrimitives.ReadUInt32BigEndian(header[36..]),
        BinaryPrimitives.ReadUInt32BigEndian(header[40..]),
        Residual.Decode(header));
}

/// <summary>R2T: the target asks for a part of what a command writes.</summary>
internal readonly record struct ReadyToTransfer(
    uint TaskTag, uint TransferTag, uint Number, uint Offset, uint Length)
{
    public static ReadyToTransfer Decode(ReadOnlySpan<byte> header) => new(
        BinaryPrimitives.ReadUInt32BigEndian(header[HeaderLayout.TaskTag..]),
        BinaryPrimitives.ReadUInt32BigEndian(header[HeaderLayout.TransferTag..]),
        BinaryPrimitives.ReadUInt32BigEndian(header[36..]),
        BinaryPrimitives.ReadUInt32BigEndian(header[40..]),
        BinaryPrimitives.ReadUInt32BigEndian(header[44..]));
}

/// <summary>The answer to a ping of ours, or a ping of the target's (with a transfer tag).</summary>
internal readonly record struct NopIn(ulong Lun, uint TaskTag, uint TransferTag)
{
    public static NopIn Decode(ReadOnlySpan<byte> header) => new(
        BinaryPrimitives.ReadUInt64BigEndian(header[HeaderLayout.Lun..]),
        BinaryPrimitives.ReadUInt32BigEndian(header[HeaderLayout.TaskTag..]),
        BinaryPrimitives.ReadUInt32BigEndian(header[HeaderLayout.TransferTag..]));
}

/// <summary>The answer to a logout.</summary>
internal readonly record struct LogoutResponse(byte Response, uint TaskTag)
{
    public static LogoutResponse Decode(ReadOnlySpan<byte> header) =>
        new(header[2], BinaryPrimitives.ReadUInt32BigEndian(header[HeaderLayout.TaskTag..]));
}

/// <summary>The target could not take a PDU of ours.</summary>
internal readonly record struct Reject(byte Reason)
{
    public static Reject Decode(ReadOnlySpan<byte> header) => new(header[2]);

    public string Words => Reason switch
    {
        0x02 => "the digest of our data did not fit",
        0x04 => "protocol error",
        0x05 => "command not supported",
        0x06 => "immediate command refused, too many of them",
        0x07 => "task in progress",
        0x09 => "invalid PDU field",
        0x0a => "long operation, out of resources",
        0x0c => "waiting for logout",
        _ => $"reason 0x{Reason:x2}",
    };
}

/// <summary>An event of the target that nobody asked for.</summary>
internal readonly record struct AsyncMessage(byte Event)
{
    public static AsyncMessage Decode(ReadOnlySpan<byte> header) => new(header[36]);

    /// <summary>Null for the events that leave the session as it is: sense data and the vendor's own.</summary>
    public string? EndOfSession => Event switch
    {
        1 => "the target asks for a logout",
        2 => "the target drops the connection",
        3 => "the target drops all connections of the session",
        4 => "the target wants to negotiate again",
        _ => null,
    };
}
