namespace BlockRepl.Nodes;

/// <summary>How two nodes are set up; options are lines of drbd.conf.</summary>
public sealed record TwoNodesOptions
{
    public string Resource { get; init; } = "r0";

    public int Minor { get; init; }

    public long DiskBytes { get; init; } = 64 << 20;

    /// <summary>Options of the net section; they come in addition to short time-outs.</summary>
    public string Net { get; init; } = "protocol C;";

    /// <summary>Options of the disk section; the default lets a resync run as fast as it can.</summary>
    public string Disk { get; init; } = "c-max-rate 4000M; c-min-rate 0;";

    /// <summary>What gives the volumes devices; only root can.</summary>
    public string FrontEnd { get; init; } = "none";

    /// <summary>The meta-disk line; {folder} is replaced by the node's own folder.</summary>
    public string MetaDisk { get; init; } = "meta-disk internal;";

    /// <summary>
    /// Path of a node's disk, given its name and folder; the default is a file that is created there.
    /// </summary>
    public Func<string, string, string>? DiskPath { get; init; }
}
