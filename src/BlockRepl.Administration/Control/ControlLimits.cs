namespace BlockRepl.Administration.Control;

/// <summary>Bounds of the control socket.</summary>
public static class ControlLimits
{
    /// <summary>Bytes of a request's line: far more than any command needs.</summary>
    public const int RequestBytes = 16 << 10;

    /// <summary>Bytes of a reply's line: the status of some thousand volumes.</summary>
    public const int ReplyBytes = 8 << 20;

    /// <summary>Clients at one time; a wait-connect holds its place while it waits.</summary>
    public const int Clients = 64;

    /// <summary>A client that does not finish its request line within so long is cut off.</summary>
    public static readonly TimeSpan RequestTime = TimeSpan.FromSeconds(10);
}
