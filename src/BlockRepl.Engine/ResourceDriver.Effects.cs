using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using BlockRepl.Core;
using BlockRepl.Core.MetaData;
using BlockRepl.Core.Protocol;
using BlockRepl.Platform.Net;
using BlockRepl.Platform.Storage;
using Microsoft.Extensions.Logging;

namespace BlockRepl.Engine;

/// <summary>The effects: each only starts or queues something. None calls back into the core.</summary>
internal sealed partial class ResourceDriver
{
    private const long LingerNs = 1_000_000_000;
    private const long ListenRetryNs = 1_000_000_000;

    private StreamListener? _listener;
    private bool _listenWanted;
    private int _lastStreamId;

    public ulong NextRandom()
    {
        Span<byte> bytes = stackalloc byte[8];
        RandomNumberGenerator.Fill(bytes);
        return BinaryPrimitives.ReadUInt64LittleEndian(bytes);
    }

    public void ReadDisk(int volume, IoToken token, ulong sector, int byteCount, BufferHandle buffer)
    {
        _recorder.Record(Loop.NowNs, Flight.ReadDisk, volume, token.Value, sector);
        if (DiskOf(volume, token) is { } disk)
        {
            disk.Read(token.Value, (long)sector << 9, byteCount, buffer);
        }
    }

    public void WriteDisk(
        int volume, IoToken token, ulong sector, int byteCount, BufferHandle buffer, bool forceUnitAccess)
    {
        _recorder.Record(Loop.NowNs, Flight.WriteDisk, volume, token.Value, sector);
        if (DiskOf(volume, token) is { } disk)
        {
            disk.Write(token.Value, (long)sector << 9, byteCount, buffer, forceUnitAccess);
        }
    }

    public void ZeroDisk(int volume, IoToken token, ulong sector, int byteCount, ZeroMode mode)
    {
        _recorder.Record(Loop.NowNs, Flight.ZeroDisk, volume, token.Value, sector);
        if (DiskOf(volume, token) is { } disk)
        {
            disk.Zero(token.Value, (long)sector << 9, byteCount, mode);
        }
    }

    public BackingDisk? DiskFacts(int volume) => _volumes[volume].Disks?.Refresh();

    public void FlushDisk(int volume, IoToken token)
    {
        _recorder.Record(Loop.NowNs, Flight.FlushDisk, volume, token.Value);
        DiskOf(volume, token)?.Flush(token.Value);
    }

    public void ReadMeta(int volume, IoToken token, long byteOffset, int byteCount)
    {
        Invariant.Require(byteCount is > 0 and <= VolumeDisks.MaxMetaBytes, "a meta-data read of 1 byte to 1 MiB");
        _recorder.Record(Loop.NowNs, Flight.ReadMeta, volume, token.Value, (ulong)byteOffset);
        MetaOf(volume, token)?.ReadMeta(token.Value, byteOffset, byteCount);
    }

    public void WriteMeta(int volume, IoToken token, long byteOffset, ReadOnlySpan<byte> data)
    {
        Invariant.Require(data.Length is > 0 and <= VolumeDisks.MaxMetaBytes, "a meta-data write of 1 byte to 1 MiB");
        _recorder.Record(Loop.NowNs, Flight.WriteMeta, volume, token.Value, (ulong)byteOffset);
        MetaOf(volume, token)?.WriteMeta(token.Value, byteOffset, data);
    }

    public void FlushMeta(int volume, IoToken token)
    {
        _recorder.Record(Loop.NowNs, Flight.FlushMeta, volume, token.Value);
        MetaOf(volume, token)?.FlushMeta(token.Value);
    }

    public void CloseDisk(int volume)
    {
        _recorder.Record(Loop.NowNs, Flight.CloseDisk, volume);
        var device = _volumes[volume];
        device.Disks?.Close();
        device.Disks = null;
        device.Record?.End();
        device.Record?.Dispose();
        device.Record = null;
    }

    public void BeginRecord(int volume) => _volumes[volume].Record?.Begin();

    public void RecordFacts(int volume, in RecordFacts facts) => _volumes[volume].Record?.SetFacts(facts);

    public void RecordWrite(int volume, int slot, in WriteRange write) => _volumes[volume].Record?.Put(slot, write);

    public void ForgetWrite(int volume, int slot) => _volumes[volume].Record?.Remove(slot);

    public void Listen(bool on)
    {
        _recorder.Record(Loop.NowNs, Flight.Listen, on ? 1 : 0);
        _listenWanted = on;
        if (on)
        {
            TryListen();
        }
        else
        {
            _listener?.Close();
            _listener = null;
        }
    }

    public StreamId OpenStream()
    {
        var stream = AddStream();
        _recorder.Record(Loop.NowNs, Flight.OpenStream, stream.Id.Value);
        var remote = Options.PeerAddress;
        Invariant.Require(remote is not null, "a stream is opened although the resource has no peer address");
        var local = Options.LocalAddress is { } own ? new System.Net.IPEndPoint(own.Address, 0) : null;
        var timeoutNs = Core.Options.Net.ConnectIntervalSeconds * 1_000_000_000L;
        stream.Socket = StreamSocket.Connect(Loop, Accounts.Pool, remote, local, timeoutNs, StreamOptions, stream);
        return stream.Id;
    }

    public void CloseStream(StreamId stream, bool sendFirst)
    {
        _recorder.Record(Loop.NowNs, Flight.CloseStream, stream.Value, sendFirst ? 1u : 0);
        if (_streams.TryGetValue(stream.Value, out var entry) && !entry.IsEnded)
        {
            EndSending(entry, sendFirst);
            entry.Close(sendFirst ? LingerNs : 0);
        }
    }

    public void SetFraming(StreamId stream, in Framing framing)
    {
        _recorder.Record(
            Loop.NowNs, Flight.SetFraming, stream.Value, (ulong)framing.AgreedVersion, (ulong)framing.PeerDigest);
        if (_streams.TryGetValue(stream.Value, out var entry))
        {
            entry.SetFraming(framing);
        }
    }

    public void Send(StreamId stream, ReadOnlySpan<byte> packet)
    {
        _recorder.Record(Loop.NowNs, Flight.Send, stream.Value, (ulong)packet.Length);
        if (!_streams.TryGetValue(stream.Value, out var entry) || entry.IsEnded)
        {
            return;
        }

        if (entry.Held.Count > 0)
        {
            entry.Held.Add(packet, DigestAlgorithm.None, BufferHandle.None, 0, default);
        }
        else if (!entry.Socket.Send(packet))
        {
            _deferred.Enqueue(new Deferred(DeferredKind.StreamFailed, stream, 0));
        }
    }

    public void SendPayload(
        StreamId stream,
        ReadOnlySpan<byte> head,
        DigestAlgorithm digest,
        BufferHandle buffer,
        int byteCount,
        SendToken token)
    {
        _recorder.Record(Loop.NowNs, Flight.SendPayload, stream.Value, token.Value, (ulong)byteCount);
        if (!_streams.TryGetValue(stream.Value, out var entry) || entry.IsEnded)
        {
            _deferred.Enqueue(new Deferred(DeferredKind.SentAborted, stream, token.Value));
        }
        else if (digest == DigestAlgorithm.None && entry.Held.Count == 0)
        {
            SendNow(entry, head, digest, buffer, byteCount, token);
        }
        else
        {
            entry.Held.Add(head, digest, buffer, byteCount, token);
        }
    }

    public StreamBacklog GetBacklog(StreamId stream) =>
        _streams.TryGetValue(stream.Value, out var entry)
            ? new StreamBacklog(entry.Socket.QueuedBytes + entry.Held.Bytes, entry.Socket.SentBytes)
            : default;

    private void SendNow(
        ResourceStream stream,
        ReadOnlySpan<byte> head,
        DigestAlgorithm digest,
        BufferHandle buffer,
        int byteCount,
        SendToken token)
    {
        if (!stream.Socket.SendPayload(head, digest.Size(), buffer, byteCount, token.Value, out var gap))
        {
            _deferred.Enqueue(new Deferred(DeferredKind.SentAborted, stream.Id, token.Value));
            _deferred.Enqueue(new Deferred(DeferredKind.StreamFailed, stream.Id, 0));
        }
        else if (digest != DigestAlgorithm.None)
        {
            _sendDigests.Add(digest, Accounts.Pool.GetAddress(buffer), byteCount, gap);
        }
    }

    /// <summary>
    /// Hands what the streams hold back to their sockets, unless it pays to wait: another payload of a client is
    /// arriving or will, so that its digest can be computed together with these. A lone write never waits: nothing
    /// comes behind it.
    /// </summary>
    private void ReleaseHeldSends()
    {
        _gatherDeadlineNs = long.MaxValue;
        foreach (var stream in _streams.Values)
        {
            var held = stream.Held;
            if (held.Count == 0)
            {
                continue;
            }

            if (held.FirstNs == 0)
            {
                held.FirstNs = Loop.NowNs;
            }

            var deadlineNs = held.FirstNs + DigestQueue.GatherNs(held.Payloads, held.Bytes);
            var enough = DigestQueue.IsEnough(held.Payloads, held.Bytes);
            var moreComes = PayloadsArriving > 0 || LooksAgain(held) || OthersWillFollow(held);
            if (!enough && moreComes && Loop.NowNs < deadlineNs)
            {
                held.LookedInTurn = PayloadsArriving > 0 ? 0 : held.LookedInTurn;
                _gatherDeadlineNs = Math.Min(_gatherDeadlineNs, deadlineNs);
                continue;
            }

            ReleaseHeldSends(stream);
        }

        _sendDigests.Run();
    }

    /// <summary>
    /// Clients have as many requests elsewhere: when those are answered they write again, and that is worth waiting
    /// for. With more held than elsewhere the peer would soon have nothing to do.
    /// </summary>
    private bool OthersWillFollow(HeldSends held) =>
        held.Bytes >= DigestQueue.LookBytes && _requestsInFlight >= 2 * held.Payloads;

    /// <summary>Once per payload: a turn without sleeping, see <see cref="DigestQueue.LookBytes"/>.</summary>
    private bool LooksAgain(HeldSends held)
    {
        if (held.LookedInTurn == 0 && held.Bytes >= DigestQueue.LookBytes)
        {
            held.LookedInTurn = TurnNumber;
            LookAgain();
        }

        return held.LookedInTurn == TurnNumber;
    }

    private void ReleaseHeldSends(ResourceStream stream)
    {
        var held = stream.Held;
        for (var i = 0; i < held.Count; i++)
        {
            var send = held[i];
            if (!send.Buffer.IsNone)
            {
                SendNow(stream, held.Head(send), send.Digest, send.Buffer, send.PayloadBytes, send.Token);
            }
            else if (!stream.Socket.Send(held.Head(send)))
            {
                _deferred.Enqueue(new Deferred(DeferredKind.StreamFailed, stream.Id, 0));
            }
        }

        held.Clear();
    }

    /// <summary>
    /// Before a stream is closed: what is held goes out or is given up, and no digest is outstanding for its queue.
    /// </summary>
    private void EndSending(ResourceStream stream, bool sendFirst)
    {
        if (sendFirst)
        {
            ReleaseHeldSends(stream);
        }
        else
        {
            DropHeldSends(stream);
        }

        _sendDigests.Run();
    }

    private void DropHeldSends(ResourceStream stream)
    {
        var held = stream.Held;
        for (var i = 0; i < held.Count; i++)
        {
            if (!held[i].Buffer.IsNone)
            {
                _deferred.Enqueue(new Deferred(DeferredKind.SentAborted, stream.Id, held[i].Token.Value));
            }
        }

        held.Clear();
    }

    public BufferHandle RentBuffer(int byteCount)
    {
        var rented = Accounts.TryRent(BufferOwner.Core, byteCount, out var buffer);
        _recorder.Record(Loop.NowNs, Flight.RentBuffer, byteCount, (ulong)buffer.Value);
        Invariant.Require(rented, "the core rents more than its share of the buffer pool");
        return buffer;
    }

    public void ReleaseBuffer(BufferHandle buffer)
    {
        _recorder.Record(Loop.NowNs, Flight.ReleaseBuffer, 0, (ulong)buffer.Value);
        Accounts.Return(buffer);
    }

    public void CopyBuffer(BufferHandle from, BufferHandle to, int byteCount) =>
        Accounts.Pool.GetSpan(from, byteCount).CopyTo(Accounts.Pool.GetSpan(to, byteCount));

    public bool IsZero(BufferHandle buffer, int byteCount) =>
        !Accounts.Pool.GetSpan(buffer, byteCount).ContainsAnyExcept((byte)0);

    public void Hash(IoToken token, DigestAlgorithm algorithm, BufferHandle buffer, int byteCount)
    {
        _recorder.Record(Loop.NowNs, Flight.Hash, byteCount, token.Value);
        Invariant.Require(_hashes.Count < MaxHashes, "more hashes at one time than the core may ask for");
        var place = _hashNext++ % MaxHashes;
        var output = Marshal.UnsafeAddrOfPinnedArrayElement(_hashResults, place * DigestAlgorithms.MaxSize);
        ReceiveDigests.Add(algorithm, Accounts.Pool.GetAddress(buffer), byteCount, output);
        _hashes.Enqueue(new PendingHash(token, place, algorithm.Size()));
    }

    public void CompleteRequest(FrontEndToken token, RequestError error)
    {
        _recorder.Record(Loop.NowNs, Flight.CompleteRequest, (int)error, token.Value);
        _completions.Enqueue(new Completion(token, error));
    }

    public void DeviceChanged(int volume)
    {
        _recorder.Record(Loop.NowNs, Flight.DeviceChanged, volume);
        _volumes[volume].IsChanged = true;
        _statusDirty = true;
    }

    public void RunHandler(IoToken token, HandlerKind handler, int volume)
    {
        _recorder.Record(Loop.NowNs, Flight.RunHandler, (int)handler, token.Value);
        if (Options.Handlers is { } run)
        {
            _ = RunHandlerAsync(run, token, handler, volume);
        }
        else
        {
            _deferred.Enqueue(new Deferred(DeferredKind.HandlerNotConfigured, default, token.Value));
        }
    }

    void ICoreHost.Log(CoreLogLevel level, int volume, string message)
    {
        _statusDirty |= level >= CoreLogLevel.Information;
        var logLevel = level switch
        {
            CoreLogLevel.Debug => LogLevel.Debug,
            CoreLogLevel.Information => LogLevel.Information,
            CoreLogLevel.Warning => LogLevel.Warning,
            _ => LogLevel.Error,
        };
        if (_logger.IsEnabled(logLevel))
        {
            var name = volume < 0 || _devices.Length == 1 ? Options.Resource.Name : _volumes[volume].Name;
            BlockRepl.Engine.Log.Core(_logger, logLevel, name, message);
        }
    }

    private BlockDevice? DiskOf(int volume, IoToken token)
    {
        var disk = _volumes[volume].Disks?.Data;
        if (disk is null)
        {
            _deferred.Enqueue(new Deferred(DeferredKind.DiskGone, new StreamId(volume), token.Value));
        }

        return disk;
    }

    private BlockDevice? MetaOf(int volume, IoToken token)
    {
        var disk = _volumes[volume].Disks?.Meta;
        if (disk is null)
        {
            _deferred.Enqueue(new Deferred(DeferredKind.MetaGone, new StreamId(volume), token.Value));
        }

        return disk;
    }

    private ResourceStream AddStream()
    {
        var stream = new ResourceStream(this, new StreamId(++_lastStreamId));
        _streams.Add(stream.Id.Value, stream);
        return stream;
    }

    private void TryListen()
    {
        if (_listener is not null || Options.LocalAddress is not { } address)
        {
            return;
        }

        try
        {
            _listener = StreamListener.Listen(Loop, address, StreamOptions, this);
        }
        catch (ListenException e)
        {
            // The address may appear later: a network interface that comes up after us, a predecessor that is still
            // ending.
            BlockRepl.Engine.Log.ListenFailed(_logger, Options.Resource.Name, address.ToString(), e.Message);
            _ = RetryListenAsync();
        }
    }

    private async Task RetryListenAsync()
    {
        await Task.Delay(TimeSpan.FromTicks(ListenRetryNs / 100)).ConfigureAwait(false);
        Loop.Post(() =>
        {
            if (_listenWanted)
            {
                TryListen();
            }
        });
    }

    private async Task RunHandlerAsync(HandlerRunner run, IoToken token, HandlerKind handler, int volume)
    {
        int exitCode;
        try
        {
            exitCode = await Task.Run(() => run(handler, volume)).ConfigureAwait(false);
        }
        catch (Exception e)
        {
            BlockRepl.Engine.Log.HandlerFailed(_logger, Options.Resource.Name, handler.ToString(), e.Message);
            exitCode = 127; // as a shell says for a command that it cannot run
        }

        Loop.Post(() => OnHandlerDone(token, exitCode));
    }
}
