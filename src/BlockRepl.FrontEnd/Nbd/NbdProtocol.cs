namespace BlockRepl.FrontEnd.Nbd;

/// <summary>
/// Numbers of the NBD protocol (all fields big-endian), with the protocol document's names in C# casing.
/// </summary>
internal static class NbdProtocol
{
    public const ulong InitMagic = 0x4e42444d41474943;
    public const ulong OptionMagic = 0x49484156454f5054;
    public const ulong OptionReplyMagic = 0x0003e889045565a9;
    public const uint RequestMagic = 0x25609513;
    public const uint SimpleReplyMagic = 0x67446698;

    public const int ClientFlagsBytes = 4;
    public const int OptionHeaderBytes = 16;
    public const int RequestBytes = 28;
    public const int SimpleReplyBytes = 16;

    /// <summary>Reads and writes of up to this size are accepted.</summary>
    public const int MaxRequestBytes = 32 << 20;
    public const int PreferredBlockBytes = 4096;
}

[Flags]
internal enum NbdHandshakeFlags : ushort
{
    FixedNewstyle = 1,
    NoZeroes = 2,
}

[Flags]
internal enum NbdTransmissionFlags : ushort
{
    HasFlags = 1 << 0,
    ReadOnly = 1 << 1,
    SendFlush = 1 << 2,
    SendFua = 1 << 3,
    Rotational = 1 << 4,
    SendTrim = 1 << 5,
    SendWriteZeroes = 1 << 6,
    CanMultiConn = 1 << 8,
    SendFastZero = 1 << 11,

    /// <summary>
    /// What each export offers. Several connections may share one export: they end in one core, so a flush on one
    /// covers the writes answered on all, and a read on one sees what was answered on another.
    /// </summary>
    Export = HasFlags | SendFlush | SendFua | SendTrim | SendWriteZeroes | CanMultiConn | SendFastZero,
}

internal enum NbdOption : uint
{
    ExportName = 1,
    Abort = 2,
    List = 3,
    StartTls = 5,
    Info = 6,
    Go = 7,
    StructuredReply = 8,
}

internal enum NbdOptionReply : uint
{
    Ack = 1,
    Server = 2,
    Info = 3,
    ErrorUnsupported = 0x80000001,
    ErrorPolicy = 0x80000002,
    ErrorInvalid = 0x80000003,
    ErrorPlatform = 0x80000004,
    ErrorUnknown = 0x80000006,
    ErrorTooBig = 0x80000009,
}

internal enum NbdInfo : ushort
{
    Export = 0,
    Name = 1,
    Description = 2,
    BlockSize = 3,
}

internal enum NbdCommand : ushort
{
    Read = 0,
    Write = 1,
    Disconnect = 2,
    Flush = 3,
    Trim = 4,
    Cache = 5,
    WriteZeroes = 6,
    BlockStatus = 7,
}

[Flags]
internal enum NbdCommandFlags : ushort
{
    None = 0,
    Fua = 1 << 0,
    NoHole = 1 << 1,
    DontFragment = 1 << 2,
    RequestOne = 1 << 3,
    FastZero = 1 << 4,
}

/// <summary>Errors on the wire: Linux errno values.</summary>
internal enum NbdError : uint
{
    None = 0,
    NotPermitted = 1,
    InputOutput = 5,
    Invalid = 22,
    NoSpace = 28,
    NotSupported = 95,
    Shutdown = 108,
}
