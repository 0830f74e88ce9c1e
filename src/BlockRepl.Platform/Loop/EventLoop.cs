using System.Runtime.InteropServices;
using BlockRepl.Core;
using BlockRepl.Platform.Buffers;
using BlockRepl.Platform.Native;

namespace BlockRepl.Platform.Loop;

/// <summary>
/// One thread that owns one ring: disks, sockets, timers and posted work of a resource all end up here, in turns. A
/// turn delivers completions, posted work and due timers, then the batch handlers, then hands every started operation
/// to the kernel and waits, in one system call. Everything but <see cref="Post(Action)"/> and <see cref="Dispose"/>
/// belongs to the loop's thread (before <see cref="Start"/>: to the creator).
/// </summary>
public sealed unsafe class EventLoop : IDisposable
{
    private const int CompletionsPerTurn = 256;

    /// <summary>With epoll, sockets with larger descriptors are refused: a table has an entry for each.</summary>
    private const int MaxDescriptors = 16384;

    /// <summary>How long an ending loop waits for the kernel to give back what it holds.</summary>
    private const long DrainNs = 10_000_000_000;

    private readonly EventLoopOptions _options;
    private readonly RingHandle _handle;
    private readonly nint _ring;
    private readonly OperationTable _operations;
    private readonly NativeCompletion* _completions;
    private readonly PostQueue _posts = new();
    private readonly List<LoopTimer> _timers = [];
    private readonly List<IBatchHandler> _batchHandlers = [];
    private readonly DeferredQueue _deferred = new();
    private readonly DeferredQueue _flushes = new();
    private Thread? _thread;
    private int _threadId;
    private volatile bool _stopRequested;
    private bool _disposed;

    public EventLoop(EventLoopOptions options)
    {
        _options = options;
        _handle = RingHandle.Create(new NativeRingOptions
        {
            Backend = (uint)ChooseBackend(options.Backend),
            MaxOperations = (uint)options.MaxOperations,
            Workers = (uint)options.DiskThreads,
            MaxDescriptors = MaxDescriptors,
        });
        _ring = _handle.DangerousGetHandle();
        Backend = (RingBackend)NativeMethods.RingBackend(_ring);
        _operations = new OperationTable(options.MaxOperations);
        _completions = (NativeCompletion*)NativeMemory.Alloc(CompletionsPerTurn, (nuint)sizeof(NativeCompletion));
        _threadId = Environment.CurrentManagedThreadId;
        NowNs = NativeMethods.MonotonicNs();
    }

    /// <summary>The backend in use, never Auto.</summary>
    public RingBackend Backend { get; }

    /// <summary>Monotonic time at the begin of this turn, in nanoseconds.</summary>
    public long NowNs { get; private set; }

    /// <summary>Whether the caller runs on the loop's thread.</summary>
    public bool IsLoopThread => Environment.CurrentManagedThreadId == _threadId;

    /// <summary>Operations that have been started and not yet delivered.</summary>
    internal int InFlight => _operations.InUse;

    /// <summary>
    /// Of these, those that wait for somebody's request, use no memory of ours and cannot be cancelled: an ending loop
    /// does not wait for them.
    /// </summary>
    internal int Held { get; set; }

    /// <summary>Memory for the sockets of this loop.</summary>
    internal PinnedBlockPool Blocks { get; } = new();

    /// <summary>The loop is ending: what comes back was cancelled, and must not be started again.</summary>
    internal bool IsStopping => _stopRequested;

    /// <summary>Starts the thread.</summary>
    public void Start()
    {
        Invariant.Require(_thread is null && !_disposed, "a loop is started once");
        _thread = new Thread(Main) { IsBackground = true, Name = _options.Name };
        _threadId = _thread.ManagedThreadId;
        _thread.Start();
    }

    /// <summary>
    /// Runs the action on the loop's thread soon; from any thread. False: the loop has stopped, it will not run.
    /// </summary>
    public bool Post(Action action) => PostWork(action);

    /// <summary>As <see cref="Post(Action)"/>, without a delegate.</summary>
    public bool Post(ILoopTask task) => PostWork(task);

    /// <summary>Adds a receiver of the end of each batch; they are called in the order they were added.</summary>
    public void AddBatchHandler(IBatchHandler handler) => _batchHandlers.Add(handler);

    public void RemoveBatchHandler(IBatchHandler handler) => _batchHandlers.Remove(handler);

    /// <summary>Makes a timer, not armed.</summary>
    public LoopTimer CreateTimer(ILoopTimerHandler handler)
    {
        var timer = new LoopTimer(this, handler);
        _timers.Add(timer);
        return timer;
    }

    /// <summary>
    /// Ends the loop from another thread: operations still in flight are cancelled and waited for, so that the kernel
    /// writes into no buffer afterwards. Owners should close their devices and sockets before.
    /// </summary>
    public void Dispose()
    {
        if (_disposed)
        {
            return;
        }

        _disposed = true;
        _stopRequested = true;
        if (_thread is null)
        {
            Free();
            return;
        }

        NativeMethods.RingWake(_handle);
        Invariant.Require(!IsLoopThread, "a loop is not disposed from its own thread");
        _thread.Join();
        Free();
    }

    /// <summary>
    /// Queues an operation for the end of this turn; its memory must stay until the handler is called.
    /// </summary>
    /// <returns>A name for <see cref="Cancel"/>.</returns>
    internal ulong Submit(in NativeOp op, ICompletionHandler handler, ulong token)
    {
        Invariant.Require(IsLoopThread, "operations are started on the loop's thread");
        return _operations.Add(op, handler, token);
    }

    /// <summary>Asks for the early end of an operation; its handler is called in any case.</summary>
    internal void Cancel(ulong operation)
    {
        if (_operations.IsInUse(operation))
        {
            _operations.Add(
                new NativeOp { Kind = NativeOpKind.Cancel, Offset = operation, Descriptor = -1 },
                IgnoredResult.Instance, 0);
        }
    }

    /// <summary>Calls back later in this turn, outside of any other callback.</summary>
    internal void Defer(IDeferred work) => _deferred.Add(work);

    /// <summary>Calls back once after the batch handlers of this turn.</summary>
    internal void DeferFlush(IDeferred work) => _flushes.Add(work);

    internal void RemoveTimer(LoopTimer timer) => _timers.Remove(timer);

    /// <summary>Sets a socket to what the backend needs; returns 0 or a negated errno.</summary>
    internal int AdoptSocket(int descriptor) => NativeMethods.RingAdoptSocket(_ring, descriptor);

    private static RingBackend ChooseBackend(RingBackend wanted)
    {
        if (wanted != RingBackend.Auto)
        {
            return wanted;
        }

        return Environment.GetEnvironmentVariable("BLOCKREPL_RING") switch
        {
            null or "" or "auto" => RingBackend.Auto,
            "io_uring" => RingBackend.IoUring,
            "epoll" => RingBackend.Epoll,
            var other => throw new ArgumentException($"BLOCKREPL_RING is io_uring, epoll or auto, not '{other}'"),
        };
    }

    private bool PostWork(object work)
    {
        if (!_posts.Add(work))
        {
            return false;
        }

        if (!IsLoopThread)
        {
            try
            {
                NativeMethods.RingWake(_handle);
            }
            catch (ObjectDisposedException)
            {
                return false; // the loop ended meanwhile, without running it
            }
        }

        return true;
    }

    private void Main()
    {
        // A thread's own property, so it is set here; what it means that it is refused the daemon says at its start.
        _ = ProcessProtection.SetIoFlusher();
        try
        {
            while (!_stopRequested)
            {
                Turn(long.MaxValue);
            }

            Drain();
        }
        catch (Exception exception)
        {
            Fail(exception);
        }

        _posts.Close();
    }

    private void Fail(Exception exception)
    {
        if (_options.Fault is not { } fault)
        {
            Environment.FailFast($"the loop '{_options.Name}' failed", exception);
            return;
        }

        _stopRequested = true;
        GiveUp();
        fault(exception);
    }

    private void Turn(long latestNs)
    {
        var timeoutNs = WaitLimit(latestNs);
        var count = NativeMethods.RingRun(
            _ring, _operations.Queued, (uint)_operations.QueuedCount, _completions, CompletionsPerTurn, timeoutNs);
        if (count < 0)
        {
            throw new IOException($"the ring of the loop '{_options.Name}' failed: {NativeError.Message(-count)}");
        }

        _operations.ClearQueued();
        NowNs = NativeMethods.MonotonicNs();
        for (var i = 0; i < count; i++)
        {
            var (handler, token) = _operations.Remove(_completions[i].UserData);
            handler.OnCompleted(token, _completions[i].Result);
        }

        RunPosts();
        RunTimers();
        _deferred.Run();
        for (var i = 0; i < _batchHandlers.Count; i++)
        {
            _batchHandlers[i].OnEndOfBatch(NowNs);
        }

        _flushes.Run();
    }

    /// <summary>Zero while there is work that needs no completion.</summary>
    private long WaitLimit(long latestNs)
    {
        if (_stopRequested && latestNs == long.MaxValue)
        {
            return 0;
        }

        if (!_posts.IsEmpty || !_deferred.IsEmpty)
        {
            return 0;
        }

        var deadline = latestNs;
        foreach (var timer in _timers)
        {
            deadline = Math.Min(deadline, timer.DeadlineNs);
        }

        return deadline == long.MaxValue ? -1 : Math.Max(0, deadline - NativeMethods.MonotonicNs());
    }

    private void RunPosts()
    {
        foreach (var work in _posts.Take())
        {
            if (work is ILoopTask task)
            {
                task.Run();
            }
            else
            {
                ((Action)work)();
            }
        }
    }

    /// <summary>
    /// A handler may add and remove timers; one that is skipped because of that is due at once again.
    /// </summary>
    private void RunTimers()
    {
        for (var i = 0; i < _timers.Count; i++)
        {
            var timer = _timers[i];
            if (timer.DeadlineNs <= NowNs)
            {
                timer.DeadlineNs = long.MaxValue;
                timer.Fire(NowNs);
            }
        }
    }

    /// <summary>Turns with everything cancelled until the kernel holds nothing any more.</summary>
    private void Drain()
    {
        var endNs = NativeMethods.MonotonicNs() + DrainNs;
        while (_operations.InUse > Held && NativeMethods.MonotonicNs() < endNs)
        {
            _ = NativeMethods.RingCancelAll(_ring);
            Turn(NativeMethods.MonotonicNs() + 50_000_000);
        }

        Turn(NativeMethods.MonotonicNs());
    }

    /// <summary>As <see cref="Drain"/>, but nobody is told: after a failure no handler can be trusted.</summary>
    private void GiveUp()
    {
        var endNs = NativeMethods.MonotonicNs() + DrainNs;
        while (NativeMethods.RingInFlight(_ring) > Held && NativeMethods.MonotonicNs() < endNs)
        {
            _ = NativeMethods.RingCancelAll(_ring);
            _ = NativeMethods.RingRun(_ring, null, 0, _completions, CompletionsPerTurn, 50_000_000);
        }
    }

    private void Free()
    {
        _posts.Close();
        _handle.Dispose();
        NativeMemory.Free(_completions);
        _operations.Dispose();
        Blocks.Dispose();
    }

    private sealed class IgnoredResult : ICompletionHandler
    {
        public static readonly IgnoredResult Instance = new();

        public void OnCompleted(ulong token, int result)
        {
        }
    }
}
