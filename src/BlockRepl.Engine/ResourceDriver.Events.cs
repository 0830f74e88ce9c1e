using System.Net;
using BlockRepl.Core;
using BlockRepl.Core.Protocol;
using BlockRepl.FrontEnd;
using BlockRepl.Platform.Net;

namespace BlockRepl.Engine;

/// <summary>
/// Events on their way to the core: directly where they arrive outside of it, else at the end of the turn.
/// </summary>
internal sealed partial class ResourceDriver
{
    private readonly Queue<Completion> _completions = new(256);
    private readonly Queue<Deferred> _deferred = new(64);
    private readonly Queue<PendingHash> _hashes = new(64);
    private readonly List<IVolumeClient> _bufferWaiters = new(VolumeDevice.MaxClients);
    private readonly List<IVolumeClient> _bufferWaitersCalled = new(VolumeDevice.MaxClients);

    /// <summary>Pinned: results of <see cref="ICoreHost.Hash"/>, a ring by order of the calls.</summary>
    private readonly byte[] _hashResults = GC.AllocateArray<byte>(MaxHashes * DigestAlgorithms.MaxSize, pinned: true);
    private int _hashNext;
    private long _diskErrorSecond;
    private int _diskErrors;

    /// <summary>Hashes asked for in one turn: as many 4 KiB blocks as the core may hold buffers.</summary>
    private const int MaxHashes = CoreLimits.PeerReadBytes / 4096;

    private readonly record struct Completion(FrontEndToken Token, RequestError Error);

    private readonly record struct PendingHash(IoToken Token, int Place, int Bytes);

    /// <summary>
    /// An event that an effect caused: it may not reach the core from inside the effect. For disks the stream is the
    /// volume.
    /// </summary>
    private readonly record struct Deferred(DeferredKind Kind, StreamId Stream, ulong Token);

    private enum DeferredKind
    {
        SentAborted,
        StreamFailed,
        HandlerNotConfigured,
        DiskGone,
        MetaGone,
    }

    public void OnDiskDone(int volume, IoToken token, IoError error, int errno)
    {
        _recorder.Record(Loop.NowNs, Flight.DiskDone, volume, token.Value, (ulong)error);
        if (error == IoError.Failed)
        {
            LogDiskError(volume, "data I/O", errno);
        }

        _coreTouched = true;
        Core.OnDiskDone(Loop.NowNs, volume, token, error);
    }

    public void OnMetaDone(int volume, IoToken token, IoError error, int errno, ReadOnlySpan<byte> data)
    {
        _recorder.Record(Loop.NowNs, Flight.MetaDone, volume, token.Value, (ulong)error);
        if (error == IoError.Failed)
        {
            LogDiskError(volume, "meta-data I/O", errno);
        }

        _coreTouched = true;
        Core.OnMetaDone(Loop.NowNs, volume, token, error, data);
    }

    public void OnRequest(int volume, in FrontEndRequest request)
    {
        _recorder.Record(Loop.NowNs, Flight.Request, volume, request.Sector, request.Token.Value);
        _coreTouched = true;
        _requestsInFlight++;
        Core.OnRequest(Loop.NowNs, volume, request);
    }

    public void OnOpenCount(int volume, int count)
    {
        _recorder.Record(Loop.NowNs, Flight.OpenCount, volume, (ulong)count);
        _coreTouched = true;
        Core.OnOpenCount(Loop.NowNs, volume, count);
    }

    public void OnPacket(StreamId stream, in ReceivedPacket packet)
    {
        _recorder.Record(
            Loop.NowNs, Flight.Packet, stream.Value, (ulong)packet.Header.Command, (ulong)packet.PayloadBytes);
        _coreTouched = true;
        Core.OnPacket(Loop.NowNs, stream, packet);
    }

    public void OnViolation(StreamId stream, ProtocolViolation violation)
    {
        _recorder.Record(Loop.NowNs, Flight.Violation, stream.Value, (ulong)violation);
        _coreTouched = true;
        Core.OnViolation(Loop.NowNs, stream, violation);
    }

    public void OnStreamOpened(ResourceStream stream)
    {
        _recorder.Record(Loop.NowNs, Flight.StreamOpened, stream.Id.Value);
        _coreTouched = true;
        Core.OnStreamOpened(Loop.NowNs, stream.Id);
    }

    public void OnStreamClosed(ResourceStream stream, StreamCloseReason reason)
    {
        EndSending(stream, sendFirst: false);
        _recorder.Record(Loop.NowNs, Flight.StreamClosed, stream.Id.Value, (ulong)reason);
        _coreTouched = true;
        Core.OnStreamClosed(Loop.NowNs, stream.Id, reason);
    }

    /// <summary>The kernel has let go of the stream: its place is free.</summary>
    public void OnStreamReleased(ResourceStream stream) => _streams.Remove(stream.Id.Value);

    public void OnSent(SendToken token, bool aborted)
    {
        _recorder.Record(Loop.NowNs, Flight.Sent, aborted ? 1 : 0, token.Value);
        _coreTouched = true;
        Core.OnSent(Loop.NowNs, token, aborted);
    }

    public void OnAccepted(StreamListener listener, int descriptor, EndPoint? remote)
    {
        var peer = Options.PeerAddress;
        if (remote is not IPEndPoint address || peer is null || !SameHost(address.Address, peer.Address))
        {
            Log.StreamRefused(
                _logger, Options.Resource.Name, remote?.ToString() ?? "?", "it is not the peer's address");
            StreamListener.Refuse(descriptor);
            return;
        }

        if (_streams.Count >= MaxStreams)
        {
            Log.StreamRefused(_logger, Options.Resource.Name, address.ToString(), "too many connections are open");
            StreamListener.Refuse(descriptor);
            return;
        }

        var stream = AddStream();
        stream.Socket = StreamSocket.Adopt(Loop, Accounts.Pool, descriptor, StreamOptions, stream);
        _recorder.Record(Loop.NowNs, Flight.StreamAccepted, stream.Id.Value);
        _coreTouched = true;
        Core.OnStreamAccepted(Loop.NowNs, stream.Id);
    }

    /// <summary>Calls the client when front-end buffers came back.</summary>
    public void AddBufferWaiter(IVolumeClient client)
    {
        if (!_bufferWaiters.Contains(client))
        {
            _bufferWaiters.Add(client);
        }
    }

    /// <summary>
    /// A failing disk must not flood the log: ten lines in a second, then the number of those left out.
    /// </summary>
    private void LogDiskError(int volume, string operation, int errno)
    {
        const int linesPerSecond = 10;
        var second = Loop.NowNs / 1_000_000_000;
        if (second != _diskErrorSecond)
        {
            if (_diskErrors > linesPerSecond)
            {
                Log.DiskErrorsLeftOut(_logger, Options.Resource.Name, _diskErrors - linesPerSecond);
            }

            (_diskErrorSecond, _diskErrors) = (second, 0);
        }

        if (++_diskErrors <= linesPerSecond)
        {
            Log.DiskError(_logger, Options.Resource.Name, volume, operation, errno);
        }
    }

    private static bool SameHost(IPAddress a, IPAddress b) =>
        (a.IsIPv4MappedToIPv6 ? a.MapToIPv4() : a).Equals(b.IsIPv4MappedToIPv6 ? b.MapToIPv4() : b);

    private bool DeliverPackets()
    {
        var delivered = false;
        foreach (var stream in _streams.Values)
        {
            // Removing during the enumeration does not disturb it; adding would, and nothing here adds: streams are
            // opened in EndBatch and OnTimer or accepted by the loop.
            delivered |= !stream.IsEnded && stream.Flush();
        }

        return delivered;
    }

    private bool DeliverHashes()
    {
        if (_hashes.Count == 0)
        {
            return false;
        }

        ReceiveDigests.Run();
        Span<byte> digest = stackalloc byte[DigestAlgorithms.MaxSize];
        for (var left = _hashes.Count; left > 0; left--)
        {
            var hash = _hashes.Dequeue();
            _hashResults.AsSpan(hash.Place * DigestAlgorithms.MaxSize, hash.Bytes).CopyTo(digest);
            _recorder.Record(Loop.NowNs, Flight.HashDone, hash.Bytes, hash.Token.Value);
            _coreTouched = true;
            Core.OnHashDone(Loop.NowNs, hash.Token, digest[..hash.Bytes]);
        }

        return true;
    }

    private bool DeliverDeferred()
    {
        var any = _deferred.Count > 0;
        for (var left = _deferred.Count; left > 0; left--)
        {
            var item = _deferred.Dequeue();
            switch (item.Kind)
            {
                case DeferredKind.SentAborted:
                    OnSent(new SendToken(item.Token), aborted: true);
                    break;
                case DeferredKind.StreamFailed:
                    FailStream(item.Stream);
                    break;
                case DeferredKind.HandlerNotConfigured:
                    OnHandlerDone(new IoToken(item.Token), 0);
                    break;
                case DeferredKind.DiskGone:
                    OnDiskDone(item.Stream.Value, new IoToken(item.Token), IoError.Failed, 0);
                    break;
                default:
                    OnMetaDone(item.Stream.Value, new IoToken(item.Token), IoError.Failed, 0, []);
                    break;
            }
        }

        return any;
    }

    /// <summary>
    /// The send queue overflowed, or the socket could not be made: for the core the stream has ended.
    /// </summary>
    private void FailStream(StreamId id)
    {
        if (_streams.TryGetValue(id.Value, out var stream) && !stream.IsEnded)
        {
            EndSending(stream, sendFirst: false);
            stream.Close(lingerNs: 0);
            OnStreamClosed(stream, StreamCloseReason.Error);
        }
    }

    private void OnHandlerDone(IoToken token, int exitCode)
    {
        _recorder.Record(Loop.NowNs, Flight.HandlerDone, exitCode, token.Value);
        _coreTouched = true;
        Core.OnHandlerDone(Loop.NowNs, token, exitCode);
    }

    private bool DeliverCompletions()
    {
        var any = _completions.Count > 0;
        for (var left = _completions.Count; left > 0; left--)
        {
            var (token, error) = _completions.Dequeue();
            _requestsInFlight--;
            _devices[token.Value >> 48].Complete(token.Value, error);
        }

        return any;
    }

    /// <summary>Tells who waits for buffers. Each is called once and may ask again from inside the call.</summary>
    private bool WakeBufferWaiters()
    {
        if (!Accounts.FrontEndReturned)
        {
            return false;
        }

        Accounts.FrontEndReturned = false;
        if (_bufferWaiters.Count == 0)
        {
            return false;
        }

        _bufferWaitersCalled.AddRange(_bufferWaiters);
        _bufferWaiters.Clear();
        foreach (var client in _bufferWaitersCalled)
        {
            client.OnBuffersAvailable();
        }

        _bufferWaitersCalled.Clear();
        return true;
    }
}
