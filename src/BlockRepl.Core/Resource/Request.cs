namespace BlockRepl.Core.Resource;

/// <summary>What the peer said of a write that met one of its own.</summary>
internal enum WriteConflict
{
    None,

    /// <summary>P_SUPERSEDED: the peer's write lies over it and counts as the later one.</summary>
    Superseded,

    /// <summary>P_RETRY_WRITE: to be sent again after the peer's write.</summary>
    Retry,
}

/// <summary>
/// One request of the application on this node. Its local and its network half go their own ways; it is answered when
/// neither is pending, and forgotten when the network half is done for good: at the barrier ack, not at the write ack.
/// </summary>
internal sealed class Request(int index) : ILinkedRequest<Request>
{
    public int Index { get; } = index;

    /// <summary>Counts the uses of this object, so that an old cookie is not taken for a new one.</summary>
    public uint Generation { get; set; }

    public Volume Volume { get; set; } = null!;
    public RequestKind Kind { get; set; }
    public ulong Sector { get; set; }
    public int ByteCount { get; set; }
    public BufferHandle Buffer { get; set; }
    public bool ForceUnitAccess { get; set; }
    public FrontEndToken Token { get; set; }

    /// <summary>Order of arrival; overlapping writes start in this order.</summary>
    public ulong Order { get; set; }
    public bool Started { get; set; }
    /// <summary>
    /// The set that holds this request's extents hot; null = none. Of the disk that was attached then.
    /// </summary>
    public ActivityLog.ActivityLogSet? HeldLog { get; set; }

    /// <summary>Waits for the running activity-log transaction.</summary>
    public bool WaitsForCommit { get; set; }
    public bool LocalPending { get; set; }
    public bool LocalOk { get; set; }
    public bool LocalTried { get; set; }

    /// <summary>
    /// The disk does not answer (disk-timeout, detach --force): nobody waits for it but the buffer's release.
    /// </summary>
    public bool LocalAborted { get; set; }
    public long LocalStartedNs { get; set; }

    /// <summary>The payload is queued or on its way to TCP; its buffer is in use.</summary>
    public bool SendPending { get; set; }

    /// <summary>An ack, a reply or (protocol A) the hand-over to TCP is still expected.</summary>
    public bool NetPending { get; set; }

    /// <summary>The peer has it, as far as the protocol asks for.</summary>
    public bool NetOk { get; set; }

    /// <summary>
    /// Nothing about the peer's copy can change any more: barrier ack, connection lost, or never sent.
    /// </summary>
    public bool NetDone { get; set; }

    /// <summary>Sent to the peer as data; it stands in the transfer log.</summary>
    public bool Replicated { get; set; }

    /// <summary>The peer said that its write also brought the blocks in sync.</summary>
    public bool PeerSetInSync { get; set; }

    /// <summary>A negative ack came: the peer's copy of these blocks is bad whatever else comes.</summary>
    public bool PeerRefused { get; set; }

    /// <summary>The verdict has come, the peer's own write not yet; out of the transfer log meanwhile.</summary>
    public WriteConflict Conflict { get; set; }
    public bool Answered { get; set; }
    public uint Epoch { get; set; }
    public long SentAtNs { get; set; }

    /// <summary>A flush that waits for the barrier acks of epochs up to <see cref="Epoch"/>.</summary>
    public bool WaitsForEpochs { get; set; }

    // Links of the volume's list of unanswered requests and of the connection's transfer log.
    public Request? Next { get; set; }
    public Request? Previous { get; set; }
    public Request? NextInLog { get; set; }

    public ulong EndSector => Sector + ((ulong)ByteCount >> 9);

    public bool IsWrite => Kind is not (RequestKind.Read or RequestKind.Flush);

    public bool IsZero =>
        Kind is RequestKind.Discard or RequestKind.WriteZeroesMayUnmap or RequestKind.WriteZeroesNoUnmap;

    public uint FirstExtent => (uint)(Sector >> 13);

    public uint LastExtent => (uint)((EndSector - 1) >> 13);

    public ulong BlockId => ((ulong)Generation << 32) | (uint)Index;

    public bool Overlaps(ulong sector, ulong endSector) => Sector < endSector && sector < EndSector;

    /// <summary>It lost against the peer's write and is to be sent again; to be finished whatever is held.</summary>
    public bool Retries { get; set; }

    /// <summary>It was started once: it cannot be refused any more without marking its blocks.</summary>
    public bool MayBeOnDisk { get; set; }

    /// <summary>A discard that the disk cannot do: it is zeroed.</summary>
    public bool ZeroesInstead { get; set; }

    /// <summary>
    /// As if it had just come in, but for its place in the order; answers to the old cookie are not for it.
    /// </summary>
    public void BeginAnew()
    {
        ZeroesInstead = false;
        Generation = (Generation + 1) & 0x7fffffff;
        Started = LocalOk = LocalTried = LocalAborted = false;
        NetOk = NetDone = Replicated = PeerSetInSync = PeerRefused = false;
    }

    public void Reset()
    {
        BeginAnew();
        WaitsForCommit = LocalPending = SendPending = NetPending = Answered = WaitsForEpochs = false;
        Conflict = WriteConflict.None;
        Retries = MayBeOnDisk = false;
        Buffer = BufferHandle.None;
        HeldLog = null;
        Next = Previous = NextInLog = null;
        Epoch = 0;
    }
}
