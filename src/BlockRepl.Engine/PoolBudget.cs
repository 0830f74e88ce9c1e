using BlockRepl.Core;

namespace BlockRepl.Engine;

/// <summary>
/// Who rented a payload buffer; each class has its share of the pool, so that none can starve another.
/// </summary>
internal enum BufferOwner : byte
{
    /// <summary>Front-end requests, from the arrival of a write's payload to its release by the core.</summary>
    FrontEnd,

    /// <summary>Payloads that the peer sends, from the receive to the release by the core.</summary>
    Peer,

    /// <summary>Reads that the core does for the peer, for resync and verify.</summary>
    Core,
}

/// <summary>
/// The size of a resource's buffer pool as the sum of all who can hold buffers at one time. Address space only: memory
/// becomes resident when it is first used.
/// </summary>
internal static class PoolBudget
{
    /// <summary>
    /// Front ends. Two connections at their limit of 8 MiB (NbdSession.MaxBytes); more connections share. A request
    /// holds its buffer until its write is done on both nodes, so this bounds the application's bytes in flight.
    /// </summary>
    public const int FrontEndBytes = 16 << 20;

    /// <summary>
    /// The peer's payloads: what it may send ahead by max-buffers (2048 pages = 8 MiB by default), twice, because
    /// buffers come in powers of two. When it is used up the data stream is not read, which TCP tells the peer.
    /// </summary>
    public const int PeerBytes = 16 << 20;

    /// <summary>Reads on behalf of the peer: the core keeps within this, counted in requested bytes.</summary>
    public const int CoreBytes = CoreLimits.PeerReadBytes;

    /// <summary>
    /// Rounding to powers of two (the core's requests may just miss one), and room so that a 1 MiB buffer is found
    /// although small buffers lie scattered.
    /// </summary>
    public const int SlackBytes = 16 << 20;

    public const int TotalBytes = FrontEndBytes + PeerBytes + CoreBytes + SlackBytes;
}
