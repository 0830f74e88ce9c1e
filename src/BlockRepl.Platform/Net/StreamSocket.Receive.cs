using System.Buffers;
using System.IO.Pipelines;
using System.Runtime.InteropServices;
using BlockRepl.Core;
using BlockRepl.Platform.Buffers;
using BlockRepl.Platform.Native;

namespace BlockRepl.Platform.Net;

/// <content>
/// The receiving side. One receive is in flight at most: into the pipe, or straight to where wanted bytes belong. It is
/// started after the handler had its turn, so that a handler that has read a header can ask for the payload first.
/// </content>
public sealed unsafe partial class StreamSocket
{
    private readonly Pipe _pipe;
    private readonly Action _inputResumed;
    private Receiving _receiving;
    private ulong _receiveOperation;
    private ValueTask<FlushResult> _inputFlush;
    private bool _inputFull;

    /// <summary>Where wanted bytes go next; null while they are thrown away (Drain).</summary>
    private byte* _wantedAddress;
    private int _wantedBytes;
    private ulong _wantedToken;
    private bool _wanted;
    private bool _wantedDone;

    /// <summary>The peer sends nothing more, while we are lingering.</summary>
    private bool _peerEnded;
    private PinnedBlock? _scratch;

    private enum Receiving
    {
        Nothing,
        Pipe,
        Wanted,
        Scratch,
    }

    /// <summary>
    /// Receives the next <paramref name="byteCount"/> bytes into the buffer (from its begin plus
    /// <paramref name="bufferOffset"/>): first what the pipe holds, the rest straight from the socket. Call it with
    /// nothing of Input in use (after AdvanceTo). Answered by OnPayloadReceived, or it ends with OnClosed. One at a
    /// time.
    /// </summary>
    public void ReceiveInto(BufferHandle buffer, int bufferOffset, int byteCount, ulong token)
    {
        Invariant.Require(
            bufferOffset >= 0 && byteCount >= 0 && byteCount <= _pool.GetCapacity(buffer) - bufferOffset,
            "a buffer holds the bytes received into it");
        Want((byte*)_pool.GetAddress(buffer) + bufferOffset, byteCount, token);
    }

    /// <summary>Receives and throws away the next bytes; answered like <see cref="ReceiveInto"/>.</summary>
    public void Drain(int byteCount, ulong token)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(byteCount);
        Want(null, byteCount, token);
    }

    private void Want(byte* address, int byteCount, ulong token)
    {
        Invariant.Require(!_wanted, "one ReceiveInto at a time");
        if (_state > State.Open)
        {
            return;
        }

        _wanted = true;
        _wantedAddress = address;
        _wantedBytes = byteCount;
        _wantedToken = token;
        TakeWantedFromPipe();
        Defer();
    }

    /// <summary>
    /// Copies what the pipe holds to where it is wanted. Cancelling a read that nobody waits for makes the pipe show
    /// all its bytes, also those that the handler has examined already.
    /// </summary>
    private void TakeWantedFromPipe()
    {
        if (_wantedBytes > 0)
        {
            _pipe.Reader.CancelPendingRead();
            if (_pipe.Reader.TryRead(out var read))
            {
                var bytes = (int)Math.Min(read.Buffer.Length, _wantedBytes);
                var part = read.Buffer.Slice(0, bytes);
                if (_wantedAddress is not null)
                {
                    part.CopyTo(new Span<byte>(_wantedAddress, bytes));
                }

                _pipe.Reader.AdvanceTo(part.End);
                CountWanted(bytes);
            }
        }

        _wantedDone = _wantedBytes == 0;
    }

    private void CountWanted(int bytes)
    {
        _wantedBytes -= bytes;
        if (_wantedAddress is not null)
        {
            _wantedAddress += bytes;
        }
    }

    private void DeliverWanted()
    {
        var token = _wantedToken;
        ForgetWanted();
        _handler.OnPayloadReceived(this, token);
    }

    private void ForgetWanted()
    {
        _wanted = false;
        _wantedDone = false;
        _wantedBytes = 0;
        _wantedAddress = null;
    }

    private void StartReceive()
    {
        if (_receiving != Receiving.Nothing || _wantedDone || _peerEnded || _loop.IsStopping || _heir is not null
            || _state is not (State.Open or State.Lingering))
        {
            return;
        }

        if (_state == State.Lingering || (_wanted && _wantedAddress is null))
        {
            _scratch ??= _loop.Blocks.Take();
            var room = _state == State.Lingering ? PinnedBlockPool.BlockBytes : _wantedBytes;
            SubmitReceive(Receiving.Scratch, _scratch.Address, Math.Min(room, PinnedBlockPool.BlockBytes), default);
        }
        else if (_wanted)
        {
            SubmitReceive(Receiving.Wanted, _wantedAddress, _wantedBytes, NativeOpFlags.ReceiveAll);
        }
        else if (!_inputFull)
        {
            var memory = _pipe.Writer.GetMemory(PinnedBlockPool.BlockBytes / 4);
            var found = MemoryMarshal.TryGetMemoryManager<byte, PinnedBlock>(
                memory, out var block, out var start, out var length);
            Invariant.Require(found, "the pipe's memory comes from the loop's blocks");
            SubmitReceive(Receiving.Pipe, block!.Address + start, length, default);
        }
    }

    private void SubmitReceive(Receiving kind, byte* address, int bytes, NativeOpFlags flags)
    {
        _receiving = kind;
        var op = new NativeOp
        {
            Kind = NativeOpKind.Receive,
            Descriptor = _descriptor,
            Address = (ulong)address,
            Length = (ulong)bytes,
            Flags = flags,
        };
        _receiveOperation = _loop.Submit(op, _receiveResults, 0);
    }

    private void OnReceiveDone(int result)
    {
        var kind = _receiving;
        _receiving = Receiving.Nothing;
        if (_state == State.Closed)
        {
            Defer();
            return;
        }

        if (result == 0 && _state == State.Lingering)
        {
            _peerEnded = true;
            AskForFlush();
            return;
        }

        if (_heir is not null && result != 0)
        {
            // It was cancelled, or what came goes to the heir. An error will come again to him.
            AddToPipe(Math.Max(0, result));
            Defer();
            return;
        }

        if (result <= 0)
        {
            Fail(result == 0 ? StreamCloseReason.EndOfStream : StreamCloseReason.Error, -result);
            return;
        }

        if (_state == State.Open)
        {
            Received(kind, result);
        }

        StartReceive();
    }

    private void Received(Receiving kind, int bytes)
    {
        if (kind == Receiving.Pipe)
        {
            AddToPipe(bytes);
            if (!_wanted)
            {
                _handler.OnReceived(this);
                return;
            }

            TakeWantedFromPipe();
        }
        else
        {
            CountWanted(bytes);
            _wantedDone = _wantedBytes == 0;
        }

        if (_wantedDone)
        {
            DeliverWanted();
        }
    }

    private void AddToPipe(int bytes)
    {
        _pipe.Writer.Advance(bytes);
#pragma warning disable CA2012 // read only when complete, else kept until it is
        var flush = _pipe.Writer.FlushAsync();
#pragma warning restore CA2012
        if (flush.IsCompletedSuccessfully)
        {
            _ = flush.Result;
            return;
        }

        _inputFull = true;
        _inputFlush = flush;
        flush.GetAwaiter().UnsafeOnCompleted(_inputResumed);
    }

    /// <summary>The reader has made room; called from inside its AdvanceTo.</summary>
    private void OnInputResumed()
    {
        _inputFull = false;
        var flush = _inputFlush;
        Invariant.Require(flush.IsCompletedSuccessfully, "the pipe resumes when its flush has ended");
        _ = flush.Result; // gives the pipe its awaiter back

        Defer();
    }

    private void Inherit(ReadOnlySpan<byte> bytes)
    {
        _pipe.Writer.Write(bytes);
        AddToPipe(0);
        _hasInherited = true;
        Defer();
    }

    /// <summary>Everything that was received and not read, examined or not.</summary>
    private byte[] TakeInput()
    {
        _pipe.Reader.CancelPendingRead();
        if (!_pipe.Reader.TryRead(out var read))
        {
            return [];
        }

        var bytes = read.Buffer.ToArray();
        _pipe.Reader.AdvanceTo(read.Buffer.End);
        return bytes;
    }

    private void ReturnScratch()
    {
        if (_scratch is { } scratch)
        {
            _scratch = null;
            _loop.Blocks.Return(scratch);
        }
    }
}
