using System.Net;
using BlockRepl.Core;
using BlockRepl.Core.MetaData;
using BlockRepl.Core.Options;
using BlockRepl.Platform.Loop;

namespace BlockRepl.Engine;

/// <summary>Where a volume's data and meta data lie.</summary>
/// <param name="Volume">Number of the volume.</param>
/// <param name="DiskPath">Block device or disk-image file.</param>
/// <param name="Kind">Where the meta data are.</param>
/// <param name="MetaDiskPath">Meta-data device for external meta data, else null.</param>
/// <param name="MetaIndex">Slot for indexed external meta data, else 0.</param>
public sealed record VolumeDisk(int Volume, string DiskPath, MetaDataKind Kind, string? MetaDiskPath, int MetaIndex);

/// <summary>
/// Runs a configured handler. Called off the loop; returns the exit code, 0 where none is configured.
/// </summary>
/// <param name="handler">Which one.</param>
/// <param name="volume">The volume concerned, or -1 for the whole resource.</param>
public delegate Task<int> HandlerRunner(HandlerKind handler, int volume);

/// <summary>Everything one resource needs to run on this node.</summary>
public sealed record ResourceEngineOptions
{
    public required ResourceOptions Resource { get; init; }

    /// <summary>The disks of the volumes; a volume without one stays diskless until it has one.</summary>
    public required IReadOnlyList<VolumeDisk> Disks { get; init; }

    /// <summary>
    /// Own replication address (IPv4 or IPv6): listened on, and the source of connects. Null: no network.
    /// </summary>
    public IPEndPoint? LocalAddress { get; init; }

    /// <summary>The peer's replication address. Streams from other hosts are refused.</summary>
    public IPEndPoint? PeerAddress { get; init; }

    public HandlerRunner? Handlers { get; init; }

    /// <summary>
    /// Folder, best in memory, for the records of writes under way: a process that follows a killed one then resyncs
    /// these blocks only. Null: none are kept.
    /// </summary>
    public string? RecordFolder { get; init; }

    public RingBackend Backend { get; init; }

    /// <summary>
    /// Called on the loop's thread after a broken invariant or an unexpected exception, when the flight recorder was
    /// written to the log: the resource has stopped and must not go on in this process. Null: the process fails fast.
    /// </summary>
    public Action<Exception>? Fault { get; init; }

    /// <summary>Fills returned payload buffers with a pattern and finds their misuse; for tests.</summary>
    public bool DiagnosticBuffers { get; init; }
}
