using BlockRepl.Core.Protocol;

namespace BlockRepl.Core.Resource;

/// <summary>What is done on behalf of the peer, or for a resync or verify.</summary>
internal enum PeerRequestKind
{
    /// <summary>P_DATA: written here.</summary>
    Write,

    /// <summary>P_TRIM, P_ZEROES.</summary>
    Zero,

    /// <summary>P_DATA_REQUEST: read here, answered with P_DATA_REPLY.</summary>
    Read,

    /// <summary>SyncSource: P_RS_DATA_REQUEST, P_RS_THIN_REQ or P_CSUM_RS_REQUEST.</summary>
    SourceRead,

    /// <summary>SyncTarget: P_RS_DATA_REPLY or P_RS_DEALLOCATED.</summary>
    TargetWrite,

    /// <summary>SyncTarget with checksums: the own block, to be hashed before asking.</summary>
    TargetChecksum,

    /// <summary>VerifyT: P_OV_REQUEST.</summary>
    VerifyTargetRead,

    /// <summary>VerifyS: the own block, after P_OV_REPLY.</summary>
    VerifySourceRead,
}

/// <summary>One piece of work for the peer.</summary>
internal sealed class PeerRequest(int index) : ILinkedRequest<PeerRequest>
{
    public int Index { get; } = index;
    public Volume Volume { get; set; } = null!;
    public PeerRequestKind Kind { get; set; }
    public ulong Sector { get; set; }
    public int ByteCount { get; set; }
    public BufferHandle Buffer { get; set; }
    public ulong BlockId { get; set; }
    public DataFlags Flags { get; set; }
    public Command Command { get; set; }
    public ZeroMode ZeroMode { get; set; }
    public bool ForceUnitAccess { get; set; }

    /// <summary>
    /// The peer had no usable disk when it sent this: no bit and no activity log of its own will name the blocks.
    /// </summary>
    public bool IsOnlyCopy { get; set; }

    /// <summary>The connection it belongs to; answers are dropped when that one has ended.</summary>
    public uint Connection { get; set; }
    public ulong Order { get; set; }

    /// <summary>SourceRead and TargetWrite: the resync to which they belong.</summary>
    public uint Resync { get; set; }
    public bool Started { get; set; }
    /// <summary>
    /// The set that holds this request's extents hot; null = none. Of the disk that was attached then.
    /// </summary>
    public ActivityLog.ActivityLogSet? HeldLog { get; set; }
    public bool WaitsForCommit { get; set; }

    /// <summary>A resync request that c-min-rate lets through.</summary>
    public bool IsServed { get; set; }

    /// <summary>A buffer of the core's own bound, to be given back to it.</summary>
    public bool CountsAsPeerRead { get; set; }

    /// <summary>Writes and zeroes: its number in the peer's packet sequence.</summary>
    public uint SequenceNumber { get; set; }

    /// <summary>
    /// With two Primaries: whether it is written at all is not known yet; it is not, if the connection ended meanwhile.
    /// </summary>
    public bool Undecided { get; set; }

    /// <summary>It won over own writes, which wait for its data.</summary>
    public bool EndsConflicts { get; set; }

    /// <summary>Writes and zeroes: the epoch it counts in.</summary>
    public ReceiveEpoch? Epoch { get; set; }

    /// <summary>The digest that came with P_OV_REPLY or P_CSUM_RS_REQUEST.</summary>
    public byte[] Digest { get; } = new byte[64];
    public int DigestBytes { get; set; }
    public PeerRequest? Next { get; set; }
    public PeerRequest? Previous { get; set; }

    public ulong EndSector => Sector + ((ulong)ByteCount >> 9);

    public bool Writes => Kind is PeerRequestKind.Write or PeerRequestKind.Zero or PeerRequestKind.TargetWrite;

    public uint FirstExtent => (uint)(Sector >> 13);

    public uint LastExtent => (uint)((EndSector - 1) >> 13);

    public bool Overlaps(ulong sector, ulong endSector) => Sector < endSector && sector < EndSector;

    public void Reset()
    {
        Buffer = BufferHandle.None;
        HeldLog = null;
        BlockId = 0;
        Flags = DataFlags.None;
        Started = WaitsForCommit = CountsAsPeerRead = ForceUnitAccess = false;
        IsOnlyCopy = Undecided = EndsConflicts = IsServed = false;
        Epoch = null;
        DigestBytes = 0;
        Next = Previous = null;
    }
}

/// <summary>The writes that the peer sent between two barriers, over all volumes of the connection.</summary>
internal sealed class ReceiveEpoch
{
    public int Writes { get; set; }
    public int Active { get; set; }
    public bool BarrierReceived { get; set; }
    public uint Barrier { get; set; }

    /// <summary>Flushes of the volumes' disks that are still under way; -1 = not begun.</summary>
    public int FlushesPending { get; set; } = -1;

    public void Reset()
    {
        Writes = Active = 0;
        BarrierReceived = false;
        FlushesPending = -1;
    }
}
