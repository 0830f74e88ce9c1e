using System.Buffers;
using BlockRepl.Core;
using BlockRepl.Platform.Net;
using Microsoft.Extensions.Logging;

namespace BlockRepl.FrontEnd.Nbd;

/// <summary>
/// One NBD connection in its transmission phase, on the loop of the volume's resource. Requests are cut from the
/// stream's pipe, a write's payload goes into a pooled buffer, replies leave together at the end of the loop's turn.
/// Nothing is allocated per request: all state of a request is a slot of a fixed table.
/// </summary>
/// <remarks>
/// The core takes reads and writes of up to 1 MiB and zeroes of up to 128 MiB (less towards an old peer); a larger
/// request runs as several parts. Parts of a write run side by side, parts of a zero one after the other. A large read
/// runs alone, see NbdSession.LargeRead.cs.
/// </remarks>
internal sealed partial class NbdSession : IStreamHandler, IVolumeClient
{
    /// <summary>Requests of one connection that are carried out at one time.</summary>
    public const int MaxRequests = 128;

    /// <summary>
    /// Bytes of buffers that one connection holds at most, so that several share the front ends' part of the pool.
    /// </summary>
    public const int MaxBytes = 8 << 20;

    private const long LingerNs = 1_000_000_000;
    private const ulong PayloadToken = 1;
    private const ulong DrainToken = 2;
    private const int SlotMask = 0xff;

    private readonly IVolumeDevice _device;
    private readonly ILogger _logger;
    private readonly Action<NbdSession> _ended;
    private readonly NbdSlotTable _slots = new(MaxRequests);
    private readonly byte[] _replyHead = new byte[NbdProtocol.SimpleReplyBytes];
    private StreamSocket? _stream;
    private VolumeFacts _facts;

    /// <summary>The write whose payload is being received, or -1, and the buffer of its current part.</summary>
    private int _receivingSlot = -1;
    private BufferHandle _receivingBuffer;
    private int _receivingBytes;
    private bool _receivePending;
    private bool _arriving;

    /// <summary>A valid request that waits for a slot, for buffers, or for being alone.</summary>
    private NbdRequest _waiting;
    private bool _hasWaiting;

    private ulong _drainCookie;
    private NbdError _drainError;
    private readonly BufferShare _buffers;
    private bool _stopped;
    private bool _closing;
    private bool _released;

    /// <summary>Who gets the connection when what was begun is answered; no request is cut any more.</summary>
    private Action<int, byte[]>? _heir;
    private bool _deviceClosed;

    /// <summary>
    /// The volume is no more: requests under way are never completed, and nothing is given back to it.
    /// </summary>
    private bool _gone;

    /// <param name="ended">Told, on the loop's thread, that the session is over and the device closed.</param>
    public NbdSession(IVolumeDevice device, ILogger logger, Action<NbdSession> ended)
    {
        _device = device;
        _logger = logger;
        _ended = ended;
        _buffers = new BufferShare(device, this, MaxBytes);
    }

    public IVolumeDevice Device => _device;

    /// <summary>Opens the device for this session; on the loop's thread.</summary>
    public bool TryOpen(out VolumeFacts facts, out string refusal)
    {
        var opened = _device.TryOpen(this, out facts, out refusal);
        _facts = facts;
        return opened;
    }

    /// <summary>Takes over the connection after the negotiation; on the loop's thread.</summary>
    /// <param name="inherited">What another session received from it and did not begin with.</param>
    public void Begin(int descriptor, ReadOnlySpan<byte> inherited = default)
    {
        Invariant.Require(_stream is null, "a session begins once");
        if (_deviceClosed || _stopped)
        {
            StreamListener.Refuse(descriptor);
            Abandon();
            return;
        }

        var options = new StreamSocketOptions { PauseInputBytes = 256 << 10, ResumeInputBytes = 128 << 10 };
        _stream = StreamSocket.Adopt(_device.Loop, _device.Buffers, descriptor, options, this, inherited);
    }

    /// <summary>Gives the device back without a connection: the client went away during the negotiation.</summary>
    public void Abandon()
    {
        Invariant.Require(_stream is null, "a session with a connection ends with it");
        CloseDevice();
    }

    /// <summary>Ends the connection as soon as what runs was answered; on the loop's thread.</summary>
    public void Stop()
    {
        _stopped = true;
        if (_stream is null || _closing)
        {
            return;
        }

        if (_receivePending || _largeRead >= 0)
        {
            Break("the volume was taken away in the middle of a request");
            return;
        }

        AbortReceiving();
        MaybeFinish();
    }

    /// <summary>
    /// Answers what was begun and gives the connection away, so that a session of another process can go on with it:
    /// the descriptor, and what was received. Never, if the connection ends before. On the loop's thread.
    /// </summary>
    public void HandOver(Action<int, byte[]> heir)
    {
        _heir = heir;
        Pump();
    }

    public void OnConnected(StreamSocket stream)
    {
    }

    public void OnReceived(StreamSocket stream) => Pump();

    public void OnPayloadReceived(StreamSocket stream, ulong token)
    {
        _receivePending = false;
        SetArriving(false);
        if (token == DrainToken)
        {
            Reply(_drainCookie, _drainError);
        }
        else if (_receivingSlot >= 0)
        {
            SubmitWritePart();
        }

        Pump();
    }

    public void OnClosed(StreamSocket stream, StreamCloseReason reason, int errno)
    {
        _closing = true;
        _receivePending = false;
        SetArriving(false);
        AbortReceiving();
        AbortLargeRead();
        MaybeFinish();
    }

    public void OnReleased(StreamSocket stream)
    {
        // Only now is it sure that the kernel writes no more into the buffer of a receive that Break cut off.
        _released = true;
        _receivePending = false;
        AbortReceiving();
        MaybeFinish();
    }

    public void OnBuffersAvailable() => Pump();

    public void OnVolumeChanged(in VolumeFacts facts) => _facts = facts;

    public void OnVolumeGone()
    {
        _gone = true;
        _stopped = true;
        if (_stream is null)
        {
            CloseDevice();
        }
        else
        {
            Break("the resource has ended");
        }
    }

    /// <summary>
    /// Starts what can be started. Called whenever bytes, buffers or slots may have become available.
    /// </summary>
    private void Pump()
    {
        StartRequests();
        var idle = _slots.InUse == 0 && !_hasWaiting && !_receivePending;
        if (_heir is not null && idle && !_closing && !_stopped && _stream is not null)
        {
            _closing = true;
            _stream.Detach(_heir);
        }
    }

    private void StartRequests()
    {
        while (!_closing && !_receivePending)
        {
            if (_largeRead >= 0)
            {
                ContinueLargeRead();
                return;
            }

            if (_receivingSlot >= 0)
            {
                if (!ReceiveWritePart())
                {
                    return;
                }

                continue;
            }

            if (_stopped || (!_hasWaiting && (_heir is not null || !TryReadRequest())))
            {
                return;
            }

            if (_hasWaiting)
            {
                if (!TryStart(_waiting))
                {
                    return;
                }

                _hasWaiting = false;
            }
        }
    }

    /// <summary>
    /// Cuts the next request from the pipe. True: it was dealt with, or it waits in <see cref="_waiting"/>.
    /// </summary>
    private bool TryReadRequest()
    {
        var input = _stream!.Input;
        if (!input.TryRead(out var result))
        {
            return false;
        }

        var bytes = result.Buffer;
        if (bytes.Length < NbdProtocol.RequestBytes)
        {
            input.AdvanceTo(bytes.Start, bytes.End);
            return false;
        }

        NbdRequest request;
        bool valid;
        var head = bytes.Slice(0, NbdProtocol.RequestBytes);
        if (head.IsSingleSegment)
        {
            valid = NbdRequest.TryParse(head.FirstSpan, out request);
        }
        else
        {
            Span<byte> copy = stackalloc byte[NbdProtocol.RequestBytes];
            head.CopyTo(copy);
            valid = NbdRequest.TryParse(copy, out request);
        }

        input.AdvanceTo(head.End);
        if (!valid)
        {
            Break("a request without its magic");
            return false;
        }

        return Accept(request);
    }

    private bool Accept(in NbdRequest request)
    {
        if (request.Command == NbdCommand.Disconnect)
        {
            _stopped = true;
            MaybeFinish();
            return false;
        }

        var error = request.Validate(_facts);
        if (error == NbdError.None)
        {
            _waiting = request;
            _hasWaiting = true;
            return true;
        }

        if (request.Command != NbdCommand.Write || request.Length == 0)
        {
            Reply(request.Cookie, error);
            return !_closing;
        }

        // The payload of a refused write is on its way: it is read and thrown away so that the stream stays in step.
        if (request.Length > NbdProtocol.MaxRequestBytes)
        {
            Break("a write of more than 32 MiB");
            return false;
        }

        _drainCookie = request.Cookie;
        _drainError = error;
        _receivePending = true;
        _stream!.Drain((int)request.Length, DrainToken);
        return false;
    }

    /// <summary>False: it has to wait for a slot, for buffers, or until nothing else runs.</summary>
    private bool TryStart(in NbdRequest request)
    {
        if (_slots.IsFull)
        {
            return false;
        }

        switch (request.Command)
        {
            case NbdCommand.Write:
                _receivingSlot = _slots.Take(request);
                return true;
            case NbdCommand.Read when request.Length > (uint)_facts.MaxPartBytes:
                if (_slots.InUse > 0)
                {
                    return false;
                }

                StartLargeRead(request);
                return true;
            case NbdCommand.Read:
                return TryStartRead(request);
            case NbdCommand.Flush:
                var flush = _slots.Take(request);
                _slots[flush].Remaining = 0;
                Submit(flush, RequestKind.Flush, 0, BufferHandle.None, false);
                return true;
            default:
                SubmitZeroPart(_slots.Take(request));
                return true;
        }
    }

    private bool TryStartRead(in NbdRequest request)
    {
        if (!_buffers.TryRent((int)request.Length, out var buffer))
        {
            return false;
        }

        var index = _slots.Take(request);
        ref var slot = ref _slots[index];
        slot.Buffer = buffer;
        slot.BufferBytes = (int)request.Length;
        Submit(index, RequestKind.Read, slot.BufferBytes, buffer, false);
        return true;
    }

    /// <summary>Receives the next part of a write. True: it was there already and has been submitted.</summary>
    private bool ReceiveWritePart()
    {
        ref var slot = ref _slots[_receivingSlot];
        var bytes = (int)Math.Min(slot.Remaining, _facts.MaxPartBytes);
        if (!_buffers.TryRent(bytes, out _receivingBuffer))
        {
            return false;
        }

        _receivingBytes = bytes;
        var input = _stream!.Input;
        if (input.TryRead(out var result))
        {
            // A small payload that came together with its header is copied here, so that many requests are cut in one
            // turn.
            if (result.Buffer.Length >= bytes)
            {
                var payload = result.Buffer.Slice(0, bytes);
                payload.CopyTo(_device.Buffers.GetSpan(_receivingBuffer, bytes));
                input.AdvanceTo(payload.End);
                SubmitWritePart();
                return true;
            }

            input.AdvanceTo(result.Buffer.Start);
        }

        _receivePending = true;
        SetArriving(true);
        _stream.ReceiveInto(_receivingBuffer, 0, bytes, PayloadToken);
        return false;
    }

    private void SubmitWritePart()
    {
        var index = _receivingSlot;
        ref var slot = ref _slots[index];
        var buffer = _receivingBuffer;
        _receivingBuffer = BufferHandle.None;
        if (slot.Remaining == _receivingBytes)
        {
            _receivingSlot = -1;
        }

        var forceUnitAccess = (slot.Request.Flags & NbdCommandFlags.Fua) != 0;
        Submit(index, RequestKind.Write, _receivingBytes, buffer, forceUnitAccess);
    }

    private void SubmitZeroPart(int index)
    {
        ref var slot = ref _slots[index];
        var bytes = (int)Math.Min(slot.Remaining, _facts.MaxZeroBytes);
        Submit(index, slot.Request.Kind, bytes, BufferHandle.None, false);
    }

    /// <summary>
    /// Hands a slot's next part to the volume. The token names the slot and the part's size in sectors.
    /// </summary>
    private void Submit(int index, RequestKind kind, int bytes, BufferHandle buffer, bool forceUnitAccess) =>
        SubmitTagged(index, kind, bytes, buffer, forceUnitAccess, (uint)bytes >> 9);

    private void SubmitTagged(
        int index, RequestKind kind, int bytes, BufferHandle buffer, bool forceUnitAccess, uint tag)
    {
        ref var slot = ref _slots[index];
        var sector = slot.NextOffset >> 9;
        slot.NextOffset += (uint)bytes;
        slot.Remaining -= bytes;
        slot.Outstanding++;
        var token = new FrontEndToken((uint)index | (tag << 8));
        _device.Submit(this, new FrontEndRequest(kind, sector, bytes, buffer, forceUnitAccess, token));
    }

    private void SetArriving(bool arriving)
    {
        if (_arriving != arriving)
        {
            _arriving = arriving;
            _device.SetArriving(arriving);
        }
    }

    /// <summary>Drops a write whose payload will not come whole; the parts that were submitted run on.</summary>
    private void AbortReceiving()
    {
        if (_receivingSlot < 0 || _receivePending)
        {
            return;
        }

        if (!_receivingBuffer.IsNone)
        {
            _buffers.Return(_receivingBuffer, _receivingBytes);
            _receivingBuffer = BufferHandle.None;
        }

        var index = _receivingSlot;
        _receivingSlot = -1;
        _slots[index].Remaining = 0;
        _slots[index].Error = RequestError.NoDevice;
        if (_slots[index].Outstanding == 0)
        {
            _slots.Release(index);
        }
    }

    /// <summary>The stream cannot be used any further: the only way a session ends against the client's will.</summary>
    private void Break(string reason)
    {
        if (_closing)
        {
            return;
        }

        _closing = true;
        SetArriving(false);
        Log.SessionBroken(_logger, _device.Name, reason);
        _stream!.Close(0);
        AbortReceiving();
        AbortLargeRead();
        MaybeFinish();
    }

    private void MaybeFinish()
    {
        if ((!_stopped && !_closing) || (_slots.InUse > 0 && !_gone))
        {
            return;
        }

        if (!_closing)
        {
            _closing = true;
            _stream!.Close(LingerNs);
        }

        if (_released)
        {
            CloseDevice();
        }
    }

    private void CloseDevice()
    {
        if (!_deviceClosed)
        {
            _deviceClosed = true;
            if (!_gone)
            {
                Invariant.Require(_buffers.Held == 0, "a session ends while it holds buffers");
                _device.Close(this);
            }

            _ended(this);
        }
    }
}
