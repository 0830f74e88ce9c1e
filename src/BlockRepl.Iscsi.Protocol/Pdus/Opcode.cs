namespace BlockRepl.Iscsi.Protocol.Pdus;

/// <summary>The low six bits of a PDU's first byte (RFC 7143, 11.2.1.2).</summary>
internal enum Opcode : byte
{
    NopOut = 0x00,
    ScsiCommand = 0x01,
    LoginRequest = 0x03,
    DataOut = 0x05,
    LogoutRequest = 0x06,
    NopIn = 0x20,
    ScsiResponse = 0x21,
    LoginResponse = 0x23,
    DataIn = 0x25,
    LogoutResponse = 0x26,
    ReadyToTransfer = 0x31,
    AsyncMessage = 0x32,
    Reject = 0x3f,
}

/// <summary>Where fields that most PDUs share are in the basic header of 48 bytes.</summary>
internal static class HeaderLayout
{
    public const int Size = 48;

    /// <summary>Before the opcode: deliver at once, whatever the command window says.</summary>
    public const byte Immediate = 0x40;

    /// <summary>In the flags: the last PDU of a sequence.</summary>
    public const byte Final = 0x80;

    public const int Flags = 1;
    public const int AhsWords = 4;
    public const int DataLength = 4;
    public const int Lun = 8;
    public const int TaskTag = 16;
    public const int TransferTag = 20;
    public const int StatSn = 24;
    public const int CmdSn = 24;
    public const int ExpStatSn = 28;
    public const int ExpCmdSn = 28;
    public const int MaxCmdSn = 32;

    /// <summary>A task or transfer tag that says "none".</summary>
    public const uint NoTag = 0xffffffff;
}

/// <summary>Which parts of a PDU are followed by their CRC32C.</summary>
internal readonly record struct Digests(bool Header, bool Data);
