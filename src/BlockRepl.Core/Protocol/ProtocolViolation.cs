namespace BlockRepl.Core.Protocol;

/// <summary>Named ways in which received bytes are no acceptable packet.</summary>
public enum ProtocolViolation
{
    None = 0,

    /// <summary>No known magic, or one that does not belong to the agreed version.</summary>
    BadMagic,

    /// <summary>The pad of a header100 is not zero.</summary>
    NonZeroPad,

    /// <summary>
    /// A command that does not exist or does not belong on this stream, in this version or in this phase.
    /// </summary>
    UnknownCommand,

    /// <summary>Length below the fixed part, or another than the command allows.</summary>
    BadLength,

    /// <summary>A payload or block size above its limit, zero, or not a multiple of 512 bytes.</summary>
    BadPayloadSize,

    /// <summary>A sector number that no device can have.</summary>
    BadSector,

    /// <summary>A string without its end, or a value outside its range.</summary>
    BadContent,

    /// <summary>A compressed bitmap in an encoding that does not exist.</summary>
    BadBitmapEncoding,

    /// <summary>A run length that is cut off by the end of its packet, or reaches into the pad bits.</summary>
    BadBitmapCode,

    /// <summary>Bitmap content beyond the last bit, or a bitmap packet after the end of the transfer.</summary>
    BitmapOverflow,
}
