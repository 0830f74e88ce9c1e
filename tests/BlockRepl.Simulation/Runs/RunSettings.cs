using BlockRepl.Core.Options;
using BlockRepl.Core.Protocol;
using BlockRepl.Simulation.Net;

namespace BlockRepl.Simulation.Runs;

/// <summary>
/// What one random run is made of, drawn from its seed. Rates are per run, so some runs have none of a kind.
/// </summary>
public sealed record RunSettings
{
    public required SimOptions Options { get; init; }

    /// <summary>How long things go wrong, in virtual time.</summary>
    public long ChaosNs { get; init; }

    /// <summary>The first sync is skipped by new-current-uuid --clear-bitmap.</summary>
    public bool SkipInitialSync { get; init; }

    /// <summary>Blocks that both disks hold beforehand, different on each.</summary>
    public int PresetBlocks { get; init; }

    public int MaxRequestsRunning { get; init; }

    public long MeanThinkNs { get; init; }

    public int MaxWriteBytes { get; init; }

    /// <summary>Writes go to so many places mostly; 0 = anywhere.</summary>
    public int HotSpots { get; init; }

    public int ReadPercent { get; init; }

    public int FlushPercent { get; init; }

    public int FuaPercent { get; init; }

    public int ZeroPercent { get; init; }

    /// <summary>Mean time between two acts of the operator.</summary>
    public long MeanActNs { get; init; }

    public int CrashWeight { get; init; }

    public int NetworkWeight { get; init; }

    public int DiskFaultWeight { get; init; }

    public int AdminWeight { get; init; }

    public int RoleWeight { get; init; }

    public int VerifyWeight { get; init; }

    public bool PowerLoss { get; init; }

    /// <summary>Once in the run both nodes are made Primary apart from each other.</summary>
    public bool SplitBrain { get; init; }

    public int FlipsPerMillion { get; init; }

    /// <summary>
    /// Both nodes are Primary whenever they are in sync, and write to the same few places. What the network does is
    /// rarer then: two Primaries without a link are two histories, and the operator takes his time over each.
    /// </summary>
    public bool TwoPrimaries { get; init; }

    /// <summary>The same run with two Primaries.</summary>
    public RunSettings WithTwoPrimaries() => this with
    {
        TwoPrimaries = true,
        HotSpots = 3,
        MaxWriteBytes = Math.Min(MaxWriteBytes, 65536),
        MeanThinkNs = 20 * Duration.Millisecond,
        NetworkWeight = Math.Min(NetworkWeight, 2),
        DiskFaultWeight = 0,
        AdminWeight = 0,
        SplitBrain = false,
        FlipsPerMillion = 0,
    };

    public static RunSettings Draw(Rng rng)
    {
        SimOptions options = DrawOptions(rng);
        bool large = options.DeviceBytes > 100 << 20;
        int Weight(int percent, int most) => rng.Percent(percent) ? 1 + rng.Below(most) : 0;
        return new RunSettings
        {
            Options = options,
            ChaosNs = rng.Pick(rng.Between(3, 15), rng.Between(5, 45)) * Duration.Second,
            SkipInitialSync = options.AgreedVersion >= 90 && (large || rng.Percent(40)),
            PresetBlocks = rng.Percent(60) ? rng.Below(200) : 0,
            MaxRequestsRunning = rng.Pick(1, 4, 8, 32),
            MeanThinkNs = rng.Pick(20, 50, 200, 500) * Duration.Millisecond,
            MaxWriteBytes = rng.Pick(4096, 16384, 65536, 65536, 1 << 20),
            HotSpots = rng.Percent(50) ? 1 + rng.Below(20) : 0,
            ReadPercent = rng.Pick(0, 20, 50),
            FlushPercent = rng.Pick(0, 2, 10),
            FuaPercent = rng.Pick(0, 0, 10, 50),
            ZeroPercent = rng.Pick(0, 0, 5),
            MeanActNs = rng.Pick(500, 1000, 3000) * Duration.Millisecond,
            CrashWeight = Weight(60, 6),
            NetworkWeight = Weight(70, 10),
            DiskFaultWeight = Weight(30, 3),
            AdminWeight = Weight(50, 5),
            RoleWeight = Weight(50, 5),
            VerifyWeight = Weight(20, 3),
            PowerLoss = rng.Percent(60),
            SplitBrain = rng.Percent(5),
            FlipsPerMillion = options.Net.IntegrityAlgorithm != DigestAlgorithm.None && rng.Percent(40) ? 3000 : 0,
        };
    }

    private static SimOptions DrawOptions(Rng rng)
    {
        bool volatileCache = rng.Percent(80);
        bool canDiscard = rng.Percent(40);
        int peerMax = rng.Percent(75) ? 101 : rng.Percent(70) ? (int)rng.Between(96, 100) : (int)rng.Between(86, 95);
        bool large = peerMax >= 90 && rng.Percent(15);
        return new SimOptions
        {
            DeviceBytes = large
                ? 400L << 20
                : rng.Pick(9, 9, 17, 32) * (1L << 20) + (rng.Percent(20) ? 512 * rng.Below(100) : 0),
            Volumes = peerMax >= 100 && rng.Percent(15) ? 2 : 1,
            ExternalMetaData = rng.Percent(30),
            VolatileCache = volatileCache,
            MaxDiskLatencyNs = rng.Pick(200, 2000, 10000) * Duration.Microsecond,
            CanDiscard = canDiscard,
            DiscardZeroes = canDiscard && rng.Percent(70),
            PeerMaxVersion = peerMax,
            Net = DrawNet(rng),
            Disk = DrawDisk(rng, volatileCache),
            Network = DrawNetwork(rng),
        };
    }

    private static NetOptions DrawNet(Rng rng)
    {
        ReplicationProtocol protocol =
            rng.Pick(ReplicationProtocol.C, ReplicationProtocol.C, ReplicationProtocol.B, ReplicationProtocol.A);
        return new NetOptions
        {
            Protocol = protocol,
            IntegrityAlgorithm =
                rng.Pick(DigestAlgorithm.None, DigestAlgorithm.None, DigestAlgorithm.Md5, DigestAlgorithm.Crc32c),
            VerifyAlgorithm = rng.Pick(DigestAlgorithm.Md5, DigestAlgorithm.Crc32c, DigestAlgorithm.Sha1),
            ChecksumAlgorithm = rng.Percent(30)
                ? rng.Pick(DigestAlgorithm.Md5, DigestAlgorithm.Crc32c)
                : DigestAlgorithm.None,
            ChecksumsAfterCrashOnly = rng.Percent(30),
            AuthAlgorithm = rng.Percent(30)
                ? rng.Pick(DigestAlgorithm.Md5, DigestAlgorithm.Sha1, DigestAlgorithm.Sha256)
                : DigestAlgorithm.None,
            SharedSecret = "a secret",
            UseRunLengthEncoding = rng.Percent(70),
            ConnectIntervalSeconds = (int)rng.Between(1, 10),
            PingIntervalSeconds = (int)rng.Between(1, 10),
            MaxEpochSizeWrites = rng.Pick(2048, 2048, 20, 1),
            MaxBuffersPages = rng.Pick(2048, 128, 512),
            AfterSplitBrain0Primaries = rng.Pick(
                AfterSplitBrain.Disconnect, AfterSplitBrain.DiscardYoungerPrimary, AfterSplitBrain.DiscardOlderPrimary,
                AfterSplitBrain.DiscardZeroChanges, AfterSplitBrain.DiscardLeastChanges),
            AfterSplitBrain1Primary = rng.Pick(
                AfterSplitBrain.Disconnect, AfterSplitBrain.Consensus, AfterSplitBrain.DiscardSecondary),
            OnCongestion = protocol == ReplicationProtocol.A && rng.Percent(40)
                ? OnCongestion.PullAhead
                : OnCongestion.Block,
            CongestionFillSectors = 256,
            CongestionExtents = rng.Pick(1237, 67),
        };
    }

    private static DiskOptions DrawDisk(Rng rng, bool volatileCache) => new()
    {
        OnIoError = rng.Pick(OnIoError.Detach, OnIoError.Detach, OnIoError.PassOn),
        DiskFlushes = volatileCache || rng.Percent(50),
        MetaDataFlushes = volatileCache || rng.Percent(50),
        ActivityLogExtents = rng.Pick(67, 67, 127, 1237),
        ActivityLogUpdates = rng.Percent(95),
        Resync = new ResyncOptions
        {
            PlanAheadDeciseconds = rng.Pick(20, 20, 5, 0),
            RateKiBPerSecond = rng.Pick(4096, 65536),
            FillTargetSectors = rng.Pick(100, 0, 2000),
            MinRateKiBPerSecond = rng.Pick(250, 0, 10000),
        },
    };

    private static NetworkSettings DrawNetwork(Rng rng) => new()
    {
        MaxLatencyNs = rng.Pick(100, 500, 5000) * Duration.Microsecond,
        SendBufferBytes = rng.Pick(16, 128, 512) << 10,
        ReceiveWindowBytes = rng.Pick(16, 128) << 10,
        MaxChunkBytes = rng.Pick(1500, 16384, 65536, 65536),
        TinyChunkPercent = rng.Pick(0, 2, 10),
    };
}
