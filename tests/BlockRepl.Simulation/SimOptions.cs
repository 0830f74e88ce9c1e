using BlockRepl.Core.MetaData;
using BlockRepl.Core.Options;
using BlockRepl.Simulation.Disk;
using BlockRepl.Simulation.Net;

namespace BlockRepl.Simulation;

/// <summary>Everything about a pair of nodes that does not change while it runs.</summary>
public sealed record SimOptions
{
    /// <summary>Size of each backing device; internal meta data lie in it.</summary>
    public long DeviceBytes { get; init; } = 32L << 20;

    /// <summary>At the end of each backing device; it is there only after it grew.</summary>
    public long GrowthBytes { get; init; }

    public int Volumes { get; init; } = 1;

    /// <summary>Meta data on a device of their own; else internal.</summary>
    public bool ExternalMetaData { get; init; }

    public NetOptions Net { get; init; } = new();

    public DiskOptions Disk { get; init; } = new();

    public NetworkSettings Network { get; init; } = new();

    /// <summary>
    /// Completed writes are lost by a power failure until flushed; false = the disks have no such cache.
    /// </summary>
    public bool VolatileCache { get; init; } = true;

    public long MaxDiskLatencyNs { get; init; } = 2 * Duration.Millisecond;

    public bool CanDiscard { get; init; }

    public bool DiscardZeroes { get; init; }

    /// <summary>Agreed versions are narrowed on node b only.</summary>
    public int PeerMaxVersion { get; init; } = 101;

    /// <summary>The highest version both nodes can agree on.</summary>
    public int AgreedVersion => Math.Min(Net.MaxVersion, PeerMaxVersion);

    public DiskSettings DataDisk => new()
    {
        Bytes = DeviceBytes,
        MaxLatencyNs = MaxDiskLatencyNs,
        VolatileCache = VolatileCache,
        CanDiscard = CanDiscard,
        DiscardZeroes = DiscardZeroes,
    };

    public DiskSettings MetaDisk => new()
    {
        Bytes = 4L << 20,
        MaxLatencyNs = MaxDiskLatencyNs,
        VolatileCache = VolatileCache,
    };

    public BackingDisk Facts => FactsOf(DeviceBytes - GrowthBytes);

    public BackingDisk GrownFacts => FactsOf(DeviceBytes);

    private BackingDisk FactsOf(long bytes) => new(
        (ulong)bytes / 512,
        (ulong)(ExternalMetaData ? MetaDisk.Bytes : bytes) / 512,
        ExternalMetaData ? MetaDataKind.FlexibleExternal : MetaDataKind.Internal,
        0,
        512,
        CanDiscard,
        CanDiscard && DiscardZeroes);

    /// <summary>The configuration of one node.</summary>
    public ResourceOptions Resource(int node) => new()
    {
        Name = "r0",
        Volumes =
        [
            .. Enumerable.Range(0, Volumes).Select(v => new VolumeOptions { Number = v, Minor = v, Disk = Disk }),
        ],
        Net = node == 0 ? Net : Mirrored(Net with { MaxVersion = Math.Min(Net.MaxVersion, PeerMaxVersion) }),
    };

    /// <summary>What is "local" on one node is "remote" on the other.</summary>
    private static NetOptions Mirrored(NetOptions net) => net with
    {
        AfterSplitBrain0Primaries = net.AfterSplitBrain0Primaries switch
        {
            AfterSplitBrain.DiscardLocal => AfterSplitBrain.DiscardRemote,
            AfterSplitBrain.DiscardRemote => AfterSplitBrain.DiscardLocal,
            AfterSplitBrain other => other,
        },
    };
}
