using System.IO.Pipelines;
using System.Net;
using System.Runtime.InteropServices;
using BlockRepl.Core;
using BlockRepl.Platform.Buffers;
using BlockRepl.Platform.Loop;
using BlockRepl.Platform.Native;

namespace BlockRepl.Platform.Net;

/// <summary>
/// A connected TCP or Unix stream on a loop. Received bytes go to a pipe (headers, small packets) or, on request,
/// straight into an aligned buffer (payloads). Small packets are copied into send blocks, payloads are sent from their
/// buffers; one send is in flight at a time and takes as much as is queued. Belongs to the loop's thread.
/// </summary>
/// <remarks>
/// States: Connecting, Open, Lingering (closed by the owner, still sending), Closed (waits for what the kernel has),
/// Released. A stream only moves forward in this list, and one funnel, <see cref="Finish"/>, leads to Closed.
/// </remarks>
public sealed unsafe partial class StreamSocket : IDeferred, ILoopTimerHandler
{
    private readonly EventLoop _loop;
    private readonly IoBufferPool _pool;
    private readonly IStreamHandler _handler;
    private readonly StreamSocketOptions _options;
    private readonly Results _receiveResults;
    private readonly Results _sendResults;
    private int _descriptor = -1;
    private State _state;
    private LoopTimer? _timer;
    private bool _deferred;
    private bool _openingFailed;
    private int _openingErrno;
    private ulong _connectOperation;
    private bool _connectInFlight;
    private byte* _connectAddress;

    /// <summary>Who gets the connection when it is quiet: see Detach.</summary>
    private Action<int, byte[]>? _heir;

    /// <summary>Bytes that were received before the stream was made lie in the pipe, and nobody was told.</summary>
    private bool _hasInherited;

    /// <summary>An OnClosed that waits until the kernel no longer writes into a wanted buffer.</summary>
    private bool _closedUntold;
    private StreamCloseReason _closedReason;
    private int _closedErrno;

    private StreamSocket(EventLoop loop, IoBufferPool pool, StreamSocketOptions options, IStreamHandler handler)
    {
        Invariant.Require(loop.IsLoopThread, "streams are made on the loop's thread");
        _loop = loop;
        _pool = pool;
        _handler = handler;
        _options = options;
        _pipe = new Pipe(new PipeOptions(
            loop.Blocks,
            PipeScheduler.Inline,
            PipeScheduler.Inline,
            options.PauseInputBytes,
            options.ResumeInputBytes,
            PinnedBlockPool.BlockBytes,
            useSynchronizationContext: false));
        _inputResumed = OnInputResumed;
        _receiveResults = new Results(this, static (stream, result) => stream.OnReceiveDone(result));
        _sendResults = new Results(this, static (stream, result) => stream.OnSendDone(result));
        _sendQueue = new SendQueue(loop.Blocks);
        _flush = new FlushAtEndOfTurn(this);
        _iovecs = (NativeIovec*)NativeMemory.Alloc(NativeMethods.MaxIovecs, (nuint)sizeof(NativeIovec));
    }

    private enum State
    {
        Connecting,
        Open,
        Lingering,
        Closed,
        Released,
    }

    /// <summary>Received bytes that did not go to a payload buffer. Use TryRead and AdvanceTo only.</summary>
    public PipeReader Input => _pipe.Reader;

    /// <summary>Whether the stream is closed, by whichever side.</summary>
    public bool IsClosed => _state > State.Open;

    /// <summary>The peer's address, or null.</summary>
    public EndPoint? RemoteEndPoint { get; private set; }

    /// <summary>The own address, or null.</summary>
    public EndPoint? LocalEndPoint { get; private set; }

    private bool KernelHasSomething => _connectInFlight || _receiving != Receiving.Nothing || _sending;

    /// <summary>Starts to connect; OnConnected or OnClosed(ConnectFailed) follows.</summary>
    /// <param name="remote">An <see cref="IPEndPoint"/> or a
    /// <see cref="System.Net.Sockets.UnixDomainSocketEndPoint"/>.</param>
    /// <param name="local">Source address to bind to (port 0 = any), or null.</param>
    public static StreamSocket Connect(
        EventLoop loop,
        IoBufferPool pool,
        EndPoint remote,
        EndPoint? local,
        long timeoutNs,
        StreamSocketOptions options,
        IStreamHandler handler)
    {
        var stream = new StreamSocket(loop, pool, options, handler) { RemoteEndPoint = remote };
        stream.StartConnect(remote, local, timeoutNs);
        return stream;
    }

    /// <summary>Takes over a connected descriptor, blocking or not; receiving begins.</summary>
    /// <param name="inherited">What was received from it before, by whoever had it.</param>
    public static StreamSocket Adopt(
        EventLoop loop,
        IoBufferPool pool,
        int descriptor,
        StreamSocketOptions options,
        IStreamHandler handler,
        ReadOnlySpan<byte> inherited = default)
    {
        var stream = new StreamSocket(loop, pool, options, handler) { _descriptor = descriptor, _state = State.Open };
        var native = SocketAddresses.Options(options);
        var error = NativeMethods.SocketConfigure(descriptor, &native);
        error = error < 0 ? error : loop.AdoptSocket(descriptor);
        if (error < 0)
        {
            stream._openingFailed = true;
            stream._openingErrno = -error;
            stream.Defer();
            return stream;
        }

        stream.RemoteEndPoint = SocketAddresses.Get(descriptor, peer: true);
        stream.LocalEndPoint = SocketAddresses.Get(descriptor, peer: false);
        if (inherited.Length > 0)
        {
            stream.Inherit(inherited);
        }

        stream.StartReceive();
        return stream;
    }

    /// <summary>
    /// Gives the connection away as it is, when what is queued has been sent: <paramref name="heir"/> gets the
    /// descriptor, which is his then, and the bytes that were received and not read. Then OnReleased follows. With
    /// nothing wanted; if the stream ends by itself before, it ends as always.
    /// </summary>
    public void Detach(Action<int, byte[]> heir)
    {
        Invariant.Require(!_wanted && !IsClosed, "a stream is given away between two payloads");
        _heir = heir;
        if (_receiving != Receiving.Nothing)
        {
            _loop.Cancel(_receiveOperation);
        }

        Defer();
    }

    /// <summary>
    /// Closes: with <paramref name="lingerNs"/> &gt; 0 what is queued is still sent for so long, else it is dropped.
    /// Afterwards only OnSent and OnReleased come.
    /// </summary>
    public void Close(long lingerNs)
    {
        if (IsClosed)
        {
            _closedUntold = false;
            return;
        }

        if (_state == State.Open && lingerNs > 0 && !_openingFailed)
        {
            _state = State.Lingering;
            ForgetWanted();
            Timer.DeadlineNs = _loop.NowNs + lingerNs;
            _loop.DeferFlush(_flush);
            StartReceive();
            return;
        }

        Finish();
    }

    void IDeferred.RunDeferred()
    {
        _deferred = false;
        if (_openingFailed && _state <= State.Open)
        {
            var reason = _state == State.Connecting ? StreamCloseReason.ConnectFailed : StreamCloseReason.Error;
            Fail(reason, _openingErrno);
        }

        if (_hasInherited && _state == State.Open)
        {
            _hasInherited = false;
            _handler.OnReceived(this);
        }

        if (_wantedDone)
        {
            DeliverWanted();
        }

        if (_state is State.Open or State.Lingering)
        {
            StartReceive();
        }

        if (_heir is not null && _state == State.Open && !KernelHasSomething && _sendQueue.IsEmpty)
        {
            _heir(_descriptor, TakeInput());
            _descriptor = -1;
            Finish();
        }

        if (_state == State.Closed && !KernelHasSomething)
        {
            Release();
        }
    }

    void ILoopTimerHandler.OnTimer(long nowNs)
    {
        if (_state == State.Connecting)
        {
            Fail(StreamCloseReason.ConnectFailed, NativeError.TimedOut);
        }
        else if (_state == State.Lingering)
        {
            Finish();
        }
    }

    private LoopTimer Timer => _timer ??= _loop.CreateTimer(this);

    private void StartConnect(EndPoint remote, EndPoint? local, long timeoutNs)
    {
        var error = OpenForConnect(remote, local);
        if (error < 0)
        {
            _openingFailed = true;
            _openingErrno = -error;
            Defer();
            return;
        }

        Timer.DeadlineNs = _loop.NowNs + timeoutNs;
        _connectAddress = (byte*)NativeMemory.AllocZeroed(SocketAddresses.MaxBytes);
        var length = SocketAddresses.Write(remote, new Span<byte>(_connectAddress, SocketAddresses.MaxBytes));
        var op = new NativeOp
        {
            Kind = NativeOpKind.Connect,
            Descriptor = _descriptor,
            Address = (ulong)_connectAddress,
            Length = (ulong)length,
        };
        _connectInFlight = true;
        _connectOperation = _loop.Submit(op, new Results(this, static (s, result) => s.OnConnectDone(result)), 0);
    }

    private int OpenForConnect(EndPoint remote, EndPoint? local)
    {
        var native = SocketAddresses.Options(_options);
        Span<byte> buffer = stackalloc byte[SocketAddresses.MaxBytes];
        var length = local is null ? 0 : SocketAddresses.Write(local, buffer);
        fixed (byte* pointer = buffer)
        {
            _descriptor = NativeMethods.SocketCreate(SocketAddresses.Family(remote), pointer, (uint)length, &native);
        }

        return _descriptor < 0 ? _descriptor : _loop.AdoptSocket(_descriptor);
    }

    private void OnConnectDone(int result)
    {
        _connectInFlight = false;
        NativeMemory.Free(_connectAddress);
        if (_state != State.Connecting)
        {
            Defer();
            return;
        }

        if (result < 0)
        {
            Fail(StreamCloseReason.ConnectFailed, -result);
            return;
        }

        Timer.DeadlineNs = long.MaxValue;
        _state = State.Open;
        LocalEndPoint = SocketAddresses.Get(_descriptor, peer: false);
        _handler.OnConnected(this);
        AskForFlush();
        StartReceive();
    }

    /// <summary>The stream ends by itself; called from the loop only, so the handler may be told here.</summary>
    private void Fail(StreamCloseReason reason, int errno)
    {
        if (_state > State.Open)
        {
            Finish();
            return;
        }

        // The handler may read what is left of the input, but neither send nor receive.
        Finish();
        if (_receiving == Receiving.Wanted)
        {
            // The kernel may still write into the buffer: the owner gets it back when it no longer can.
            _closedReason = reason;
            _closedErrno = errno;
            _closedUntold = true;
            return;
        }

        _handler.OnClosed(this, reason, errno);
    }

    /// <summary>To Closed: everything in flight is called back, and when it is there the stream is released.</summary>
    private void Finish()
    {
        if (_state >= State.Closed)
        {
            return;
        }

        _state = State.Closed;
        ForgetWanted();
        _timer?.Dispose();
        _timer = null;
        if (_descriptor >= 0)
        {
            _ = NativeMethods.SocketShutdown(_descriptor, 1);
        }

        if (_connectInFlight)
        {
            _loop.Cancel(_connectOperation);
        }

        if (_receiving != Receiving.Nothing)
        {
            _loop.Cancel(_receiveOperation);
        }

        if (_sending)
        {
            _loop.Cancel(_sendOperation);
        }

        Defer();
    }

    private void Release()
    {
        _state = State.Released;
        if (_closedUntold)
        {
            _closedUntold = false;
            _handler.OnClosed(this, _closedReason, _closedErrno);
        }

        while (_sendQueue.Drop(out var token))
        {
            _handler.OnSent(this, token, aborted: true);
        }

        if (_descriptor >= 0)
        {
            _ = NativeMethods.Close(_descriptor);
            _descriptor = -1;
        }

        _handler.OnReleased(this);
        _pipe.Writer.Complete();
        _pipe.Reader.Complete();
        NativeMemory.Free(_iovecs);
        ReturnScratch();
    }

    private void Defer()
    {
        if (!_deferred)
        {
            _deferred = true;
            _loop.Defer(this);
        }
    }

    /// <summary>Leads a completion to a method, with a delegate made once.</summary>
    private sealed class Results(StreamSocket stream, Action<StreamSocket, int> action) : ICompletionHandler
    {
        public void OnCompleted(ulong token, int result) => action(stream, result);
    }
}
