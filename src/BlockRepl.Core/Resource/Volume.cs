using BlockRepl.Core.ActivityLog;
using BlockRepl.Core.Bitmap;
using BlockRepl.Core.Generations;
using BlockRepl.Core.MetaData;
using BlockRepl.Core.Options;
using BlockRepl.Core.State;

namespace BlockRepl.Core.Resource;

/// <summary>
/// One volume of the resource with its state, its disk, its device and its view of the peer's volume. Split by concern:
/// State, MetaData, Attach, ActivityLog, Requests, PeerRequests, Conflicts, Resync, Verify, BitmapExchange, Handshake.
/// </summary>
internal sealed partial class Volume
{
    private readonly ResourceCore _core;
    private readonly ICoreHost _host;

    public Volume(ResourceCore core, ICoreHost host, VolumeOptions options)
    {
        _core = core;
        _host = host;
        Options = options;
        ResyncSettings = options.Disk.Resync;
        LimitSectors = options.Disk.SizeSectors;
    }

    public VolumeOptions Options { get; private set; }

    public int Number => Options.Number;

    public VolumeState State { get; private set; } = VolumeState.Initial;

    /// <summary>Size of the replicated device in sectors; 0 = not known.</summary>
    public ulong SizeSectors { get; private set; }

    /// <summary>size of the configuration, as the handshake may lower it.</summary>
    public ulong LimitSectors { get; private set; }

    public BackingDisk? Disk { get; private set; }

    public MetaDataLayout? Layout { get; private set; }

    public OutOfSyncBitmap? Bitmap { get; private set; }

    public ActivityLogSet? Log { get; private set; }

    /// <summary>All bits are set and nobody is connected: writes need no activity log.</summary>
    public bool LogSuspended { get; private set; }

    /// <summary>The resync settings in force: the peer's replace the configured ones.</summary>
    public ResyncOptions ResyncSettings { get; set; }

    public int OpenCount { get; set; }

    public UuidSet Uuids { get; private set; }

    /// <summary>The generation that the application has seen ("ed"); 0 = none.</summary>
    public ulong ExposedUuid { get; private set; }

    public bool CrashedPrimary { get; private set; }

    public bool Degraded { get; private set; }

    public VolumeCounters Counters { get; } = new();

    /// <summary>Data operations on the backing disk that have not ended.</summary>
    public int DiskOperations { get; private set; }

    public int MetaOperations { get; private set; }

    /// <summary>A disk whose content may be used: Inconsistent or better.</summary>
    public bool HasDisk => State.Disk >= DiskState.Inconsistent;

    /// <summary>A disk that may still take meta data.</summary>
    private bool HasMetaData => Layout is not null && State.Disk > DiskState.Diskless;

    private Connection Connection => _core.Connection;

    private void LogLine(CoreLogLevel level, string text) => _host.Log(level, Number, text);

    public ulong OutOfSyncBits => HasDisk && Bitmap is not null ? Bitmap.SetCount : 0;
}

/// <summary>The counters of /proc/drbd, in sectors, and what is on its way.</summary>
internal sealed class VolumeCounters
{
    public ulong SentSectors { get; set; }
    public ulong ReceivedSectors { get; set; }
    public ulong WrittenSectors { get; set; }
    public ulong ReadSectors { get; set; }
    public ulong LogWrites { get; set; }

    /// <summary>Sectors of the backing disk that were read or written for the application, for c-min-rate.</summary>
    public long ApplicationSectors { get; set; }
    public int ApplicationPending { get; set; }

    /// <summary>Requests that the peer has not answered.</summary>
    public int PeerPending { get; private set; }

    /// <summary>Requests of the peer that this node has not answered.</summary>
    public int Unacknowledged { get; private set; }

    public void BeginPeerPending() => PeerPending++;

    public void BeginUnacknowledged() => Unacknowledged++;

    /// <summary>
    /// What an old connection began may end in the next one, which counts from zero: hence the floor.
    /// </summary>
    public void EndPeerPending(int count = 1) => PeerPending = Math.Max(0, PeerPending - count);

    public void EndUnacknowledged() => Unacknowledged = Math.Max(0, Unacknowledged - 1);

    public void ForgetPeer() => PeerPending = Unacknowledged = 0;
}
