using BlockRepl.Core;
using BlockRepl.Platform.Loop;
using BlockRepl.Platform.Native;

namespace BlockRepl.Platform.Net;

/// <content>The sending side: everything queued in a turn leaves with one system call at its end.</content>
public sealed unsafe partial class StreamSocket
{
    /// <summary>More in one send would only make the kernel hold the rest of the turn's work longer.</summary>
    private const long MaxSendBytes = 4 << 20;

    private readonly SendQueue _sendQueue;
    private readonly FlushAtEndOfTurn _flush;
    private readonly NativeIovec* _iovecs;
    private ulong _sendOperation;
    private bool _sending;
    private bool _flushAsked;
    private bool _finSent;

    /// <summary>Bytes queued and not yet handed to the kernel, packets and payloads.</summary>
    public long QueuedBytes => _sendQueue.QueuedBytes;

    /// <summary>Bytes handed to the kernel so far.</summary>
    public long SentBytes { get; private set; }

    /// <summary>
    /// Queues a packet, copied before the call returns; sent at the end of the turn. False: the queue is full or the
    /// stream closed.
    /// </summary>
    public bool Send(ReadOnlySpan<byte> packet)
    {
        if (!HasRoom(packet.Length))
        {
            return false;
        }

        _sendQueue.Append(packet);
        AskForFlush();
        return true;
    }

    /// <summary>
    /// Queues a packet with a payload: head, a gap of <paramref name="digestBytes"/>, the payload. The gap's address is
    /// given back; it is to be filled before the end of the batch. False as for <see cref="Send"/>; then no OnSent
    /// follows.
    /// </summary>
    public bool SendPayload(
        ReadOnlySpan<byte> head,
        int digestBytes,
        BufferHandle buffer,
        int byteCount,
        ulong token,
        out nint digestAddress)
    {
        digestAddress = 0;
        if (!HasRoom(head.Length + digestBytes))
        {
            return false;
        }

        Invariant.Require(byteCount <= _pool.GetCapacity(buffer), "a buffer holds the payload that is sent from it");
        _sendQueue.Append(head);
        if (digestBytes > 0)
        {
            digestAddress = _sendQueue.AppendGap(digestBytes);
        }

        _sendQueue.AppendPayload(_pool.GetAddress(buffer), byteCount, token);
        AskForFlush();
        return true;
    }

    private bool HasRoom(int packetBytes) =>
        _state <= State.Open && _sendQueue.PacketBytes + packetBytes <= _options.MaxQueuedPacketBytes;

    private void AskForFlush()
    {
        if (!_flushAsked && !_sending)
        {
            _flushAsked = true;
            _loop.DeferFlush(_flush);
        }
    }

    private void Flush()
    {
        _flushAsked = false;
        if (_sending || _state is not (State.Open or State.Lingering))
        {
            return;
        }

        if (_sendQueue.IsEmpty)
        {
            EndSending();
            return;
        }

        var count = _sendQueue.Describe(_iovecs, NativeMethods.MaxIovecs, MaxSendBytes);
        var op = new NativeOp
        {
            Kind = NativeOpKind.Send,
            Descriptor = _descriptor,
            Address = (ulong)_iovecs,
            Length = (ulong)count,
        };
        _sending = true;
        _sendOperation = _loop.Submit(op, _sendResults, 0);
    }

    /// <summary>
    /// A lingering stream that has sent everything says so to the peer, and waits for the peer's end: a close with
    /// unread bytes would reset the connection, and the peer could lose what it had not read yet.
    /// </summary>
    private void EndSending()
    {
        if (_state != State.Lingering)
        {
            return;
        }

        if (!_finSent)
        {
            _finSent = true;
            _ = NativeMethods.SocketShutdown(_descriptor, 0);
        }

        if (_peerEnded)
        {
            Finish();
        }
    }

    private void OnSendDone(int result)
    {
        _sending = false;
        if (_state == State.Closed)
        {
            // Consumed nonetheless: what was handed over counts as sent, not as aborted.
            ConsumeSent(Math.Max(0, result));
            Defer();
            return;
        }

        if (result < 0)
        {
            Fail(StreamCloseReason.Error, -result);
            return;
        }

        ConsumeSent(result);
        if (!_sendQueue.IsEmpty || _state == State.Lingering)
        {
            AskForFlush();
        }
        else if (_heir is not null)
        {
            Defer();
        }
    }

    private void ConsumeSent(int bytes)
    {
        SentBytes += bytes;
        while (_sendQueue.Consume(ref bytes, out var token))
        {
            _handler.OnSent(this, token, aborted: false);
        }
    }

    private sealed class FlushAtEndOfTurn(StreamSocket stream) : IDeferred
    {
        public void RunDeferred() => stream.Flush();
    }
}
