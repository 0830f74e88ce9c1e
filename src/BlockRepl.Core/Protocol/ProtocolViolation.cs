namespace BlockRepl.Core.Protocol;

/// <summary>Named ways in which received bytes are no acceptable packet.</summary>
public enum ProtocolViolation
{
    None = 0,

    /// <summary>No known magic, or one that does not belong to the agreed version.</summary>
    BadMagic,

    /// <summary>The pad of a header100 is not zero.</summary>
    NonZeroPad,

    /// <summary>A command that does not exist or does not belong on this stream.</summary>
    UnknownCommand,

    /// <summary>Length below the fixed part, or another than the command allows.</summary>
    BadLength,

    /// <summary>A payload above 1 MiB or not a multiple of 512 bytes.</summary>
    BadPayloadSize,

    /// <summary>A string without its end, or a value outside its range.</summary>
    BadContent,
}
