using BlockRepl.Core.Options;
using BlockRepl.Core.Protocol;
using BlockRepl.Core.Resource;
using BlockRepl.Core.State;

namespace BlockRepl.Core;

/// <summary>
/// The replication logic of one resource: events in through the On… methods, effects out through
/// <see cref="ICoreHost"/>. One thread at a time. <c>nowNs</c> is a monotonic time in nanoseconds and never goes back.
/// After a batch of events the host calls <see cref="EndBatch"/>, then looks at <see cref="NextDeadlineNs"/>.
/// </summary>
public sealed partial class ResourceCore
{
    /// <summary>Requests under way at one time; more make their tables grow.</summary>
    private const int UsualDepth = 256;

    private readonly ICoreHost _host;
    private readonly Volume[] _volumes;
    private readonly ScriptQueue _commands = new();
    private readonly List<(IoBatch Batch, int Into)> _batchOperations = [];
    private readonly Stack<int> _freeBatchOperations = new();
    private readonly Dictionary<int, Action<int>> _handlerWaiters = [];
    private int _lastHandler;
    private ulong _order;
    private bool _wake;

    public ResourceCore(ICoreHost host, ResourceOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        Invariant.Require(options.Volumes.Count > 0, "a resource has at least one volume");
        _host = host;
        Options = options;
        _volumes = new Volume[options.Volumes.Count];
        for (int i = 0; i < _volumes.Length; i++)
        {
            _volumes[i] = new Volume(this, host, options.Volumes[i]);
        }

        // An epoch is remembered whole until the peer has confirmed it.
        Requests = new(index => new Request(index), options.Net.MaxEpochSizeWrites + UsualDepth);
        Connection = new Connection(this, host);
    }

    public ResourceOptions Options { get; private set; }

    internal Connection Connection { get; }

    /// <summary>Planted defects; see there.</summary>
    internal CoreFaults Faults { get; set; } = new();

    /// <summary>
    /// The bits of a volume as they are in memory; null without a disk. For the simulator's checkers.
    /// </summary>
    internal Bitmap.OutOfSyncBitmap? GetBitmap(int volume) => RequireVolume(volume).Bitmap;

    internal Volume[] Volumes => _volumes; // an array: going through it allocates nothing

    /// <summary>Follow-up work of state changes, strictly in their order.</summary>
    internal ScriptQueue Worker { get; } = new();

    internal Pool<Request> Requests { get; }

    internal Pool<PeerRequest> PeerRequests { get; } = new(index => new PeerRequest(index), UsualDepth);

    internal long NowNs { get; private set; }

    /// <summary>Bytes of buffers rented for reads on behalf of the peer.</summary>
    internal int PeerReadBytes { get; set; }

    internal bool HasPeerRequests => PeerRequestCount > 0;

    internal int PeerRequestCount
    {
        get
        {
            int count = 0;
            foreach (Volume volume in _volumes)
            {
                count += volume.PeerRequestCount;
            }

            return count;
        }
    }

    internal ulong NextOrder() => ++_order;

    /// <summary>
    /// Something changed that held back requests may have waited for; they are tried at the end of the batch.
    /// </summary>
    internal void WakeBlocked() => _wake = true;

    internal Volume? FindVolume(int number)
    {
        foreach (Volume volume in _volumes)
        {
            if (volume.Number == number)
            {
                return volume;
            }
        }

        return null;
    }

    internal bool IsPeerPrimaryElsewhere(Volume volume)
    {
        foreach (Volume other in _volumes)
        {
            if (other != volume && other.State.PeerRole == Role.Primary)
            {
                return true;
            }
        }

        return false;
    }

    internal void ReplaceNetOptions(NetOptions net) => Options = Options with { Net = net };

    private void ReplaceOptions(ResourceOptions options)
    {
        Options = options;
        for (int i = 0; i < _volumes.Length; i++)
        {
            _volumes[i].ReplaceOptions(options.Volumes[i]);
        }
    }

    /// <summary>Books an operation of a script; false if the volume has no disk, which counts as a failure.</summary>
    internal bool StartBatchOperation(Volume volume, IoBatch batch, int into, out IoToken token)
    {
        if (volume.Layout is null && volume.State.Disk != DiskState.Attaching)
        {
            batch.Failed = true;
            token = default;
            return false;
        }

        if (!_freeBatchOperations.TryPop(out int index))
        {
            index = _batchOperations.Count;
            _batchOperations.Add(default);
        }

        batch.Pending++;
        _batchOperations[index] = (batch, into);
        token = CoreToken.Io(TokenKind.Batch, index);
        return true;
    }

    private void EndBatchOperation(Volume volume, int index, IoError error, ReadOnlySpan<byte> data, bool meta)
    {
        (IoBatch batch, int into) = _batchOperations[index];
        _batchOperations[index] = default;
        _freeBatchOperations.Push(index);
        volume.OnBatchOperationDone(meta);
        batch.Pending--;
        batch.Failed |= error != IoError.None;
        if (error == IoError.None && data.Length > 0)
        {
            data.CopyTo(batch.Data.AsSpan(into));
        }
    }

    /// <summary>resync-after: a volume pauses while one that it depends on resyncs or is paused itself.</summary>
    internal void RecomputeDependencies()
    {
        foreach (Volume volume in _volumes)
        {
            Volume? first = FindVolume(volume.Options.Disk.ResyncAfterVolume);
            if (first is not null)
            {
                volume.SetPausedByDependency(first.IsResyncing || first.State.IsPaused);
            }
        }
    }

    internal void ThawNoData()
    {
        foreach (Volume volume in _volumes)
        {
            volume.SetSuspended(noData: false);
            volume.Thaw();
        }
    }

    internal void ThawFencing()
    {
        foreach (Volume volume in _volumes)
        {
            volume.SetSuspended(fencing: false);
            volume.Thaw();
        }
    }

    /// <summary>
    /// The connection was lost while Primary: the fence-peer handler finds out about the peer, or ends it.
    /// </summary>
    internal void FenceIfPrimary()
    {
        foreach (Volume volume in _volumes)
        {
            if (Fencing.IsWanted(volume))
            {
                FencePeer(volume, OnFenced);
                return;
            }
        }
    }

    /// <summary>
    /// Runs the fence-peer handler and believes it. 1. the link is lost; 2. the handler outdates the peer's disk;
    /// 3. the peer comes back, is brought up to date, and is lost again; 4. what the handler of step 2 says comes only
    /// now: it is void. Whoever is without the peer then has asked again.
    /// </summary>
    /// <param name="then">Is told whether the peer is out of the way.</param>
    internal void FencePeer(Volume volume, Action<bool> then)
    {
        uint connections = Connection.TimesOperational;
        RunHandler(HandlerKind.FencePeer, volume, exitCode =>
        {
            bool valid = connections == Connection.TimesOperational;
            bool success = valid && TakeFencing(exitCode);
            string meaning = success ? "the peer is out of the way"
                : valid ? "that does not put the peer out of the way"
                : "the peer has been here meanwhile";
            _host.Log(
                success ? CoreLogLevel.Information : CoreLogLevel.Error, -1,
                $"fence-peer handler ended with {exitCode}: {meaning}");
            then(success);
        });
    }

    internal void RunHandler(HandlerKind handler, Volume volume, Action<int> then)
    {
        _handlerWaiters.Add(++_lastHandler, then);
        _host.RunHandler(CoreToken.Io(TokenKind.Handler, _lastHandler), handler, volume.Number);
    }

    private bool TakeFencing(int exitCode)
    {
        bool success = true;
        foreach (Volume volume in _volumes)
        {
            if (Fencing.IsConcerned(volume))
            {
                success &= Fencing.Interpret(exitCode, volume) is { } change && volume.Change(change).Succeeded()
                    && volume.State.PeerDisk <= DiskState.Outdated;
            }
        }

        return success;
    }

    private void OnFenced(bool success)
    {
        if (success)
        {
            Worker.Add("fenced", AfterFenced());
        }
    }

    private IEnumerable<Func<bool>> AfterFenced()
    {
        foreach (Volume volume in _volumes)
        {
            foreach (Func<bool> wait in volume.RotateIfWanted())
            {
                yield return wait;
            }
        }

        ThawFencing();
    }
}

/// <summary>One packet as the host cut it from a stream. Spans are valid during the call only.</summary>
/// <param name="header">The decoded header.</param>
/// <param name="body">Everything after the header but the bulk payload and its digest.</param>
/// <param name="payload">The bulk payload (P_DATA, P_DATA_REPLY, P_RS_DATA_REPLY), now the core's; or None.</param>
/// <param name="payloadBytes">Bytes of payload.</param>
/// <param name="digestMatches">False if the payload's digest did not fit; true without a digest.</param>
public readonly ref struct ReceivedPacket(
    PacketHeader header, ReadOnlySpan<byte> body, BufferHandle payload, int payloadBytes, bool digestMatches)
{
    public PacketHeader Header { get; } = header;

    public ReadOnlySpan<byte> Body { get; } = body;

    public BufferHandle Payload { get; } = payload;

    public int PayloadBytes { get; } = payloadBytes;

    public bool DigestMatches { get; } = digestMatches;
}
