using System.Buffers;
using BlockRepl.Core;
using BlockRepl.Core.Protocol;
using BlockRepl.Simulation.Net;

namespace BlockRepl.Simulation.Nodes;

/// <summary>The host's streams.</summary>
public sealed partial class SimHost
{
    private readonly SortedDictionary<int, SimStream> _streams = [];
    private readonly List<SimStream> _waiting = [];

    public void Listen(bool on) => _cluster.Network.Listen(Node.Index, on ? this : null);

    public StreamId OpenStream()
    {
        long timeout = Core.Options.Net.ConnectIntervalSeconds * Duration.Second;
        return Add(_cluster.Network.Connect(Node.Index, this, timeout)).Id;
    }

    public void CloseStream(StreamId stream, bool sendFirst)
    {
        Note(TraceKind.Stream, (ulong)stream.Value, sendFirst ? 1u : 0u, () => $"close stream {stream.Value}");
        if (!_streams.TryGetValue(stream.Value, out SimStream? found))
        {
            return;
        }

        found.Closed = true;
        if (sendFirst && found.End is null && !found.Socket.IsClosed)
        {
            found.DrainThenClose = true;
            _cluster.Queue.After(Duration.Second, () => Finish(found));
            Pump(found);
        }
        else
        {
            Finish(found);
        }
    }

    public void SetFraming(StreamId stream, in Framing framing)
    {
        if (_streams.TryGetValue(stream.Value, out SimStream? found))
        {
            found.Reader.Framing = framing;
        }
    }

    public void Send(StreamId stream, ReadOnlySpan<byte> packet)
    {
        SimStream? target = StreamToSend(stream);
        if (target is null)
        {
            return;
        }

        byte[] bytes = packet.ToArray();
        _cluster.Wire.OnSend(Node, target.Socket, bytes, default);
        target.Enqueue(new OutgoingItem(bytes, BufferHandle.None, bytes.Length, default, false));
        Pump(target);
    }

    public void SendPayload(
        StreamId stream, ReadOnlySpan<byte> head, DigestAlgorithm digest, BufferHandle buffer, int byteCount,
        SendToken token)
    {
        SimStream? target = StreamToSend(stream);
        Buffers.Pin(buffer);
        if (target is null)
        {
            Sent(buffer, token, aborted: true);
            return;
        }

        byte[] bytes = new byte[head.Length + digest.Size()];
        head.CopyTo(bytes);
        ReadOnlySpan<byte> payload = Buffers.Bytes(buffer).AsSpan(0, byteCount);
        Digests.Compute(digest, payload, bytes.AsSpan(head.Length));
        _cluster.Wire.OnSend(Node, target.Socket, bytes, payload);
        target.Enqueue(new OutgoingItem(bytes, BufferHandle.None, bytes.Length, default, false));
        byte[]? flipped = digest == DigestAlgorithm.None ? null : _cluster.TryFlip(payload);
        target.Enqueue(new OutgoingItem(flipped, buffer, byteCount, token, true));
        Pump(target);
    }

    public StreamBacklog GetBacklog(StreamId stream) =>
        _streams.TryGetValue(stream.Value, out SimStream? found)
            ? new StreamBacklog(found.QueuedBytes, found.Socket.WrittenBytes)
            : default;

    // ---- what the network tells ----

    public void OnConnected(SimSocket socket)
    {
        if (Usable(socket) is { } stream)
        {
            Note(TraceKind.Stream, (ulong)socket.Id, 2, () => $"stream {socket.Id} opened");
            Deliver(core => core.OnStreamOpened(NowNs, stream.Id));
        }
    }

    public void OnConnectFailed(SimSocket socket)
    {
        if (Usable(socket) is { } stream)
        {
            _streams.Remove(socket.Id);
            Deliver(core => core.OnStreamClosed(NowNs, stream.Id, StreamCloseReason.ConnectFailed));
        }
    }

    public void OnAccepted(SimSocket socket)
    {
        if (IsDead)
        {
            return;
        }

        SimStream stream = Add(socket);
        Note(TraceKind.Stream, (ulong)socket.Id, 3, () => $"stream {socket.Id} accepted");
        Deliver(core => core.OnStreamAccepted(NowNs, stream.Id));
    }

    public void OnBytes(SimSocket socket)
    {
        if (Usable(socket) is { } stream)
        {
            ReadPackets(stream);
        }
    }

    public void OnWritable(SimSocket socket)
    {
        if (!IsDead && _streams.TryGetValue(socket.Id, out SimStream? stream))
        {
            Pump(stream);
        }
    }

    public void OnEnd(SimSocket socket, SocketEnd end)
    {
        if (!IsDead && _streams.TryGetValue(socket.Id, out SimStream? stream))
        {
            stream.End = end;
            Note(TraceKind.Stream, (ulong)socket.Id, (ulong)end + 10, () => $"stream {socket.Id} ended: {end}");
            ReadPackets(stream);
        }
    }

    private SimStream Add(SimSocket socket)
    {
        SimStream stream = new(socket);
        _streams.Add(socket.Id, stream);
        return stream;
    }

    private SimStream? Usable(SimSocket socket) =>
        !IsDead && _streams.TryGetValue(socket.Id, out SimStream? stream) && !stream.Closed ? stream : null;

    private SimStream? StreamToSend(StreamId id) =>
        _streams.TryGetValue(id.Value, out SimStream? stream) && !stream.Closed && !stream.Socket.IsClosed
            ? stream
            : null;

    private void Pump(SimStream stream)
    {
        stream.Pump(Buffers, item => Sent(item.Buffer, item.Token, aborted: false));
        if (stream.DrainThenClose && !stream.HasQueued)
        {
            Finish(stream);
        }
    }

    /// <summary>The stream is over for this host: nothing of it is sent any more.</summary>
    private void Finish(SimStream stream)
    {
        if (IsDead || !_streams.Remove(stream.Socket.Id))
        {
            return;
        }

        foreach (OutgoingItem item in stream.DropQueue())
        {
            Sent(item.Buffer, item.Token, aborted: true);
        }

        stream.Socket.Close();
    }

    private void Sent(BufferHandle buffer, SendToken token, bool aborted) =>
        After(_rng.Between(0, 20) * Duration.Microsecond, core =>
        {
            Buffers.Unpin(buffer);
            core.OnSent(NowNs, token, aborted);
        });

    /// <summary>The core may want packets now that it did not want before.</summary>
    private void ReadWhatWaited()
    {
        _waiting.Clear();
        foreach (SimStream stream in _streams.Values)
        {
            if (stream.Socket.Input.Length > 0 || stream.End is not null)
            {
                _waiting.Add(stream);
            }
        }

        foreach (SimStream stream in _waiting)
        {
            ReadPackets(stream);
        }
    }

    private void ReadPackets(SimStream stream)
    {
        while (!IsDead && !stream.Closed && !stream.Violated && TryReadPacket(stream))
        {
        }

        if (stream.End is { } end && !stream.Closed && !IsDead)
        {
            stream.Closed = true;
            Finish(stream);
            Deliver(core => core.OnStreamClosed(
                NowNs, stream.Id, end == SocketEnd.Finished ? StreamCloseReason.EndOfStream : StreamCloseReason.Error));
        }
    }

    private bool TryReadPacket(SimStream stream)
    {
        SimSocket socket = stream.Socket;
        if (!stream.PayloadPending)
        {
            bool wanted = Core.WantsPacket(stream.Id);
            socket.ReceivePaused = !wanted;
            if (!wanted || socket.Input.Length == 0)
            {
                return false;
            }

            ReadOnlySequence<byte> input = new(socket.InputMemory);
            ReadStatus status = stream.Reader.Read(ref input);
            socket.TakeInput((int)(socket.Input.Length - input.Length));
            if (status == ReadStatus.Violation)
            {
                stream.Violated = true;
                Deliver(core => core.OnViolation(NowNs, stream.Id, stream.Reader.Violation));
                return false;
            }

            if (status == ReadStatus.NeedMore)
            {
                return false;
            }

            stream.PayloadPending = true;
        }

        if (socket.Input.Length < stream.Reader.PayloadLength)
        {
            return false;
        }

        stream.PayloadPending = false;
        DeliverPacket(stream);
        return true;
    }

    private void DeliverPacket(SimStream stream)
    {
        PacketReader reader = stream.Reader;
        BufferHandle buffer = BufferHandle.None;
        bool matches = true;
        int count = reader.PayloadLength;
        if (count > 0)
        {
            buffer = Buffers.Rent(count, byCore: false);
            Span<byte> payload = Buffers.Bytes(buffer).AsSpan(0, count);
            stream.Socket.Input[..count].CopyTo(payload);
            stream.Socket.TakeInput(count);
            Span<byte> digest = stackalloc byte[DigestAlgorithms.MaxSize];
            int size = reader.Digest.Length == 0 ? 0 : Digests.Compute(reader.Framing.PeerDigest, payload, digest);
            matches = digest[..size].SequenceEqual(reader.Digest);
        }

        PacketHeader header = reader.Header;
        Note(
            TraceKind.Receive, (ulong)header.Command, (ulong)header.Length,
            () => $"< {header.Command} volume {header.Volume} length {header.Length} on {stream.Socket.Id}");
        Deliver(core => core.OnPacket(
            NowNs, stream.Id, new ReceivedPacket(header, reader.Body, buffer, count, matches)));
    }
}
