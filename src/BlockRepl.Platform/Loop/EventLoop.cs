namespace BlockRepl.Platform.Loop;

/// <summary>How a loop talks to the kernel.</summary>
public enum RingBackend
{
    /// <summary>io_uring where the kernel has it and allows it, else epoll.</summary>
    Auto = 0,
    IoUring = 1,

    /// <summary>epoll for sockets and a few threads for the disk.</summary>
    Epoll = 2,
}

/// <summary>Sizes of an <see cref="EventLoop"/>.</summary>
public sealed record EventLoopOptions
{
    public string Name { get; init; } = "loop";

    /// <summary>Auto also looks at the environment variable BLOCKREPL_RING (io_uring or epoll).</summary>
    public RingBackend Backend { get; init; }

    /// <summary>Operations in flight at one time, of all devices and sockets; more is a broken invariant.</summary>
    public int MaxOperations { get; init; } = 8192;

    /// <summary>Threads for blocking disk calls: all of them with epoll, discards and zeroing only with io_uring.</summary>
    public int DiskThreads { get; init; } = 4;

    /// <summary>Called on the loop's thread with what a callback threw; the loop has then stopped. Null: the process fails fast.</summary>
    public Action<Exception>? Fault { get; init; }
}

/// <summary>Is told of a finished operation, on the loop's thread.</summary>
public interface ICompletionHandler
{
    /// <param name="token">The value given with the operation.</param>
    /// <param name="result">Bytes or another value of 0 and more; a negative errno.</param>
    void OnCompleted(ulong token, int result);
}

/// <summary>Work posted to a loop.</summary>
public interface ILoopTask
{
    void Run();
}

/// <summary>Receives a timer's end, on the loop's thread.</summary>
public interface ILoopTimerHandler
{
    void OnTimer(long nowNs);
}

/// <summary>Is told when everything that arrived together was delivered.</summary>
public interface IBatchHandler
{
    /// <summary>
    /// All completions, posted work and timers of this turn were delivered. Operations started here still go to the kernel in
    /// this turn's one system call, and sockets send only after it: digests of queued payloads can be filled in here.
    /// </summary>
    void OnEndOfBatch(long nowNs);
}

/// <summary>
/// One thread that owns one ring: disks, sockets, timers and posted work of a resource all end up here, in turns. A turn
/// delivers completions, posted work and due timers, then the batch handlers, then hands every started operation to the
/// kernel and waits, in one system call. Everything but <see cref="Post(Action)"/> and <see cref="Dispose"/> belongs to the
/// loop's thread (before <see cref="Start"/>: to the creator).
/// </summary>
public sealed class EventLoop : IDisposable
{
    public EventLoop(EventLoopOptions options) => throw new NotImplementedException();

    /// <summary>The backend in use, never Auto.</summary>
    public RingBackend Backend => throw new NotImplementedException();

    /// <summary>Monotonic time at the begin of this turn, in nanoseconds.</summary>
    public long NowNs => throw new NotImplementedException();

    /// <summary>Whether the caller runs on the loop's thread.</summary>
    public bool IsLoopThread => throw new NotImplementedException();

    /// <summary>Starts the thread.</summary>
    public void Start() => throw new NotImplementedException();

    /// <summary>Runs the action on the loop's thread soon; from any thread. False: the loop has stopped, it will not run.</summary>
    public bool Post(Action action) => throw new NotImplementedException();

    /// <summary>As <see cref="Post(Action)"/>, without a delegate.</summary>
    public bool Post(ILoopTask task) => throw new NotImplementedException();

    /// <summary>Adds a receiver of the end of each batch; they are called in the order they were added.</summary>
    public void AddBatchHandler(IBatchHandler handler) => throw new NotImplementedException();

    public void RemoveBatchHandler(IBatchHandler handler) => throw new NotImplementedException();

    /// <summary>Makes a timer, not armed.</summary>
    public LoopTimer CreateTimer(ILoopTimerHandler handler) => throw new NotImplementedException();

    /// <summary>
    /// Ends the loop from another thread: operations still in flight are cancelled and waited for, so that the kernel writes
    /// into no buffer afterwards. Owners should close their devices and sockets before.
    /// </summary>
    public void Dispose() => throw new NotImplementedException();
}

/// <summary>A timer of a loop; used on the loop's thread only.</summary>
public sealed class LoopTimer : IDisposable
{
    internal LoopTimer(EventLoop loop, ILoopTimerHandler handler) => throw new NotImplementedException();

    /// <summary>When it fires, in monotonic nanoseconds; long.MaxValue = not armed. A fired timer is not armed.</summary>
    public long DeadlineNs { get; set; }

    public void Dispose() => throw new NotImplementedException();
}
