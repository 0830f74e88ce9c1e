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

    /// <summary>
    /// Threads for blocking disk calls: all of them with epoll, discards and zeroing only with io_uring.
    /// </summary>
    public int DiskThreads { get; init; } = 4;

    /// <summary>
    /// Called on the loop's thread with what a callback threw; the loop has then stopped. Null: the process fails fast.
    /// </summary>
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
    /// All completions, posted work and timers of this turn were delivered. Operations started here still go to the
    /// kernel in this turn's one system call, and sockets send only after it: digests of queued payloads can be filled
    /// in here.
    /// </summary>
    void OnEndOfBatch(long nowNs);
}

/// <summary>A timer of a loop; used on the loop's thread only.</summary>
public sealed class LoopTimer : IDisposable
{
    private readonly EventLoop _loop;
    private readonly ILoopTimerHandler _handler;

    internal LoopTimer(EventLoop loop, ILoopTimerHandler handler)
    {
        _loop = loop;
        _handler = handler;
    }

    /// <summary>
    /// When it fires, in monotonic nanoseconds; long.MaxValue = not armed. A fired timer is not armed.
    /// </summary>
    public long DeadlineNs { get; set; } = long.MaxValue;

    public void Dispose()
    {
        DeadlineNs = long.MaxValue;
        _loop.RemoveTimer(this);
    }

    internal void Fire(long nowNs) => _handler.OnTimer(nowNs);
}
