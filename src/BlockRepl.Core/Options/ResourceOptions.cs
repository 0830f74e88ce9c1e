using BlockRepl.Core.Protocol;

namespace BlockRepl.Core.Options;

/// <summary>
/// The configuration of one resource on one node, as far as the core needs it. Units are in the names.
/// </summary>
public sealed record ResourceOptions
{
    public required string Name { get; init; }

    /// <summary>The volumes in ascending order of their numbers.</summary>
    public required IReadOnlyList<VolumeOptions> Volumes { get; init; }

    public NetOptions Net { get; init; } = new();

    /// <summary>options { on-no-data-accessible }.</summary>
    public OnNoData OnNoDataAccessible { get; init; } = OnNoData.IoError;
}

/// <summary>One volume: its number and its disk options.</summary>
public sealed record VolumeOptions
{
    /// <summary>0..65535; a resource without volume sections has volume 0.</summary>
    public required int Number { get; init; }

    public required int Minor { get; init; }

    public DiskOptions Disk { get; init; } = new();
}

/// <summary>disk { } options. Defaults are DRBD's.</summary>
public sealed record DiskOptions
{
    /// <summary>size: use only so much, in sectors; 0 = all.</summary>
    public ulong SizeSectors { get; init; }
    public OnIoError OnIoError { get; init; } = OnIoError.Detach;
    public FencingPolicy Fencing { get; init; } = FencingPolicy.DontCare;
    public bool DiskBarrier { get; init; }
    public bool DiskFlushes { get; init; } = true;
    public bool DiskDrain { get; init; } = true;
    public bool MetaDataFlushes { get; init; } = true;
    public bool ActivityLogUpdates { get; init; } = true;
    public int ActivityLogExtents { get; init; } = 1237;
    public ResyncOptions Resync { get; init; } = new();

    /// <summary>resync-after: number of the volume (of this resource) that must be in sync first; -1 = none.</summary>
    public int ResyncAfterVolume { get; init; } = -1;

    /// <summary>disk-timeout in 0.1 s; 0 = off.</summary>
    public int DiskTimeoutDeciseconds { get; init; }
    public ReadBalancing ReadBalancing { get; init; } = ReadBalancing.PreferLocal;

    /// <summary>rs-discard-granularity in bytes; 0 = off.</summary>
    public int ResyncDiscardGranularityBytes { get; init; }
    public bool DiscardZeroesIfAligned { get; init; } = true;

    /// <summary>The same in what is settled when a disk is attached.</summary>
    public bool AttachesLike(DiskOptions other) =>
        (SizeSectors, ActivityLogUpdates, ActivityLogExtents)
        == (other.SizeSectors, other.ActivityLogUpdates, other.ActivityLogExtents);
}

/// <summary>The resync controller's settings; exchanged at every handshake, the peer's replace ours.</summary>
public sealed record ResyncOptions
{
    public int RateKiBPerSecond { get; init; } = 250;

    /// <summary>c-plan-ahead in 0.1 s; 0 = fixed rate.</summary>
    public int PlanAheadDeciseconds { get; init; } = 20;

    /// <summary>c-delay-target in 0.1 s.</summary>
    public int DelayTargetDeciseconds { get; init; } = 10;
    public int FillTargetSectors { get; init; } = 100;
    public int MaxRateKiBPerSecond { get; init; } = 102400;

    /// <summary>c-min-rate; local only, never exchanged; 0 = never throttle.</summary>
    public int MinRateKiBPerSecond { get; init; } = 250;
}

/// <summary>net { } options. Defaults are DRBD's.</summary>
public sealed record NetOptions
{
    public ReplicationProtocol Protocol { get; init; } = ReplicationProtocol.C;

    /// <summary>Lowest and highest protocol version to offer, 86..101; narrowed only by tests.</summary>
    public int MinVersion { get; init; } = 86;
    public int MaxVersion { get; init; } = 101;

    /// <summary>timeout in 0.1 s.</summary>
    public int TimeoutDeciseconds { get; init; } = 60;
    public int ConnectIntervalSeconds { get; init; } = 10;
    public int PingIntervalSeconds { get; init; } = 10;

    /// <summary>ping-timeout in 0.1 s.</summary>
    public int PingTimeoutDeciseconds { get; init; } = 5;

    /// <summary>socket-check-timeout in 0.1 s; 0 = use ping-timeout.</summary>
    public int SocketCheckTimeoutDeciseconds { get; init; }
    public int KoCount { get; init; } = 7;

    /// <summary>max-buffers in 4 KiB pages.</summary>
    public int MaxBuffersPages { get; init; } = 2048;
    public int MaxEpochSizeWrites { get; init; } = 2048;
    public int SendBufferBytes { get; init; }
    public int ReceiveBufferBytes { get; init; }
    public bool AllowTwoPrimaries { get; init; }

    /// <summary>cram-hmac-alg; None = no authentication.</summary>
    public DigestAlgorithm AuthAlgorithm { get; init; }
    public string SharedSecret { get; init; } = "";
    public DigestAlgorithm IntegrityAlgorithm { get; init; }
    public DigestAlgorithm VerifyAlgorithm { get; init; }
    public DigestAlgorithm ChecksumAlgorithm { get; init; }
    public bool ChecksumsAfterCrashOnly { get; init; }
    public AfterSplitBrain AfterSplitBrain0Primaries { get; init; }
    public AfterSplitBrain AfterSplitBrain1Primary { get; init; }
    public AfterSplitBrain AfterSplitBrain2Primaries { get; init; }
    public bool AlwaysAfterSplitBrain { get; init; }
    public ResyncRoleConflict ResyncRoleConflict { get; init; }
    public OnCongestion OnCongestion { get; init; }
    public int CongestionFillSectors { get; init; }
    public int CongestionExtents { get; init; } = 1237;
    public bool UseRunLengthEncoding { get; init; } = true;

    /// <summary>The same in what is agreed on with the peer, or given to the streams, when nodes connect.</summary>
    public bool ConnectsLike(NetOptions other) =>
        (Protocol, MinVersion, MaxVersion, AllowTwoPrimaries, UseRunLengthEncoding)
        == (other.Protocol, other.MinVersion, other.MaxVersion, other.AllowTwoPrimaries, other.UseRunLengthEncoding)
        && (AuthAlgorithm, SharedSecret, IntegrityAlgorithm, VerifyAlgorithm, ChecksumAlgorithm)
        == (other.AuthAlgorithm, other.SharedSecret, other.IntegrityAlgorithm, other.VerifyAlgorithm,
            other.ChecksumAlgorithm)
        && (AfterSplitBrain0Primaries, AfterSplitBrain1Primary, AfterSplitBrain2Primaries)
        == (other.AfterSplitBrain0Primaries, other.AfterSplitBrain1Primary, other.AfterSplitBrain2Primaries)
        && (SendBufferBytes, ReceiveBufferBytes) == (other.SendBufferBytes, other.ReceiveBufferBytes);
}

/// <summary>after-sb-0pri, -1pri and -2pri policies with their numbers on the wire.</summary>
public enum AfterSplitBrain
{
    Disconnect = 0,
    DiscardYoungerPrimary = 1,
    DiscardOlderPrimary = 2,
    DiscardZeroChanges = 3,
    DiscardLeastChanges = 4,
    DiscardLocal = 5,
    DiscardRemote = 6,
    Consensus = 7,
    DiscardSecondary = 8,
    CallPrimaryLostAfterSplitBrain = 9,
    ViolentlyAs0Primaries = 10,
}

/// <summary>rr-conflict.</summary>
public enum ResyncRoleConflict
{
    Disconnect,
    CallPrimaryLost,
    Violently,
}

/// <summary>on-congestion.</summary>
public enum OnCongestion
{
    Block,
    PullAhead,
    Disconnect,
}

/// <summary>on-io-error, with DRBD's numbers.</summary>
public enum OnIoError
{
    PassOn = 0,
    CallLocalIoError = 1,
    Detach = 2,
}

/// <summary>fencing; the order matters.</summary>
public enum FencingPolicy
{
    DontCare = 0,
    ResourceOnly = 1,
    ResourceAndStonith = 2,
}

/// <summary>on-no-data-accessible.</summary>
public enum OnNoData
{
    IoError = 0,
    SuspendIo = 1,
}

/// <summary>read-balancing.</summary>
public enum ReadBalancing
{
    PreferLocal,
    PreferRemote,
    RoundRobin,
    LeastPending,
    WhenCongestedRemote,
    Striping32K,
    Striping64K,
    Striping128K,
    Striping256K,
    Striping512K,
    Striping1M,
}
