namespace BlockRepl.FrontEnd.Fuse;

/// <summary>What is known of the kernel's FUSE protocol, version 7; numbers are in the machine's byte order.</summary>
internal static class FuseProtocol
{
    public const int Major = 7;

    /// <summary>7.28 brought the number of pages of a request; 7.31 is Linux 5.4.</summary>
    public const int LowestMinor = 28;
    public const int Minor = 31;

    /// <summary>The file that the mount consists of.</summary>
    public const ulong RootNode = 1;

    public const int RequestHeadBytes = 40;

    /// <summary>The head of a request with the longest fixed part that is looked at: a write's.</summary>
    public const int WriteHeadBytes = 80;
    public const int ReplyHeadBytes = 16;
    public const int AttributeReplyBytes = ReplyHeadBytes + 16 + 88;
    public const int InitReplyBytes = ReplyHeadBytes + 64;
    public const int OpenReplyBytes = ReplyHeadBytes + 16;
    public const int WriteReplyBytes = ReplyHeadBytes + 8;
    public const int StatFsReplyBytes = ReplyHeadBytes + 80;
    public const int LongestReplyHeadBytes = AttributeReplyBytes;

    /// <summary>
    /// A message without request, from 7.40 (Linux 6.9) on: give again what was taken and not answered.
    /// </summary>
    public const int ResendNotice = 7;

    /// <summary>A regular file, for root alone.</summary>
    public const uint FileMode = 0x8000 | 0x180;
}

/// <summary>The operations that mean something for a single file; every other is answered with ENOSYS.</summary>
internal enum FuseOpcode : uint
{
    Forget = 2,
    GetAttributes = 3,
    Open = 14,
    Read = 15,
    Write = 16,
    StatFs = 17,
    Release = 18,
    Fsync = 20,
    Flush = 25,
    Init = 26,
    Interrupt = 36,
    Destroy = 38,
    BatchForget = 42,
    Allocate = 43,
}

/// <summary>Errors as replies carry them, negated.</summary>
internal enum FuseError
{
    None = 0,
    InputOutput = 5,
    Invalid = 22,
    ReadOnly = 30,
    NoSystemCall = 38,
    Protocol = 71,
    NotSupported = 95,
}

/// <summary>Capabilities, asked for and granted by INIT.</summary>
[Flags]
internal enum FuseCapabilities : uint
{
    None = 0,
    AsyncRead = 1 << 0,
    BigWrites = 1 << 5,
    AsyncDirectIo = 1 << 15,
    MaxPages = 1 << 22,

    /// <summary>There are further capabilities.</summary>
    Extended = 1 << 30,
}

/// <summary>What a reply to OPEN says of the file.</summary>
[Flags]
internal enum FuseOpenFlags : uint
{
    DirectIo = 1 << 0,
    ParallelDirectWrites = 1 << 6,
}

/// <summary>What FALLOCATE shall do, as fallocate(2).</summary>
[Flags]
internal enum FuseAllocateMode : uint
{
    None = 0,
    KeepSize = 1,
    PunchHole = 2,
    ZeroRange = 16,
}
