namespace BlockRepl.Core;

/// <summary>Names one disk, meta-data, hash or handler operation; opaque to the host, echoed with its result.</summary>
public readonly record struct IoToken(ulong Value);

/// <summary>
/// Names one payload handed to a stream; opaque to the host, echoed by <see cref="ResourceCore.OnSent"/>.
/// </summary>
public readonly record struct SendToken(ulong Value);

/// <summary>Names one request of the front end; chosen by the front end, opaque to the core.</summary>
public readonly record struct FrontEndToken(ulong Value);

/// <summary>Names one administrator's command; chosen by the host, opaque to the core.</summary>
public readonly record struct CommandToken(ulong Value);

/// <summary>
/// Names one TCP stream for as long as it lives; chosen by the host, never used again. Zero means none.
/// </summary>
public readonly record struct StreamId(int Value)
{
    public static readonly StreamId None;

    public bool IsNone => Value == 0;
}

/// <summary>
/// An aligned buffer that the host owns. The core passes the handle about and never touches the bytes.
/// Zero means none.
/// </summary>
public readonly record struct BufferHandle(int Value)
{
    public static readonly BufferHandle None;

    public bool IsNone => Value == 0;
}
