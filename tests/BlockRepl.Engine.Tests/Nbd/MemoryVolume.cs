using BlockRepl.Core;
using BlockRepl.FrontEnd;
using BlockRepl.Platform.Buffers;
using BlockRepl.Platform.Loop;

namespace BlockRepl.Engine.Tests.Nbd;

/// <summary>
/// A volume in memory on a loop of its own. It completes requests at the end of the turn, or when told to; it can fail
/// chosen offsets; and it remembers what it was asked. Fields that tests set are set before the first request or
/// through <see cref="OnLoop"/>.
/// </summary>
internal sealed class MemoryVolume : IVolumeDevice, IVolumeDirectory, IBatchHandler, IDisposable
{
    private readonly Queue<(IVolumeClient Client, FrontEndRequest Request)> _pending = new(1024);
    private readonly HashSet<IVolumeClient> _clients = [];
    private readonly List<IVolumeClient> _waiters = [];

    public MemoryVolume(int sizeBytes, int logicalBlockBytes = 512)
    {
        Data = new byte[sizeBytes];
        Facts = new VolumeFacts(sizeBytes, logicalBlockBytes, CanZeroFast: true);
        Loop = new EventLoop(new EventLoopOptions { Name = "memory", Fault = e => Fault = e });
        Buffers = new IoBufferPool(new IoBufferPoolOptions { TotalBytes = 64 << 20, Diagnostic = true });
        Loop.AddBatchHandler(this);
        Loop.Start();
    }

    public byte[] Data { get; }

    public VolumeFacts Facts { get; set; }

    public string Name => "r0/0";

    public EventLoop Loop { get; }

    public IoBufferPool Buffers { get; }

    public Exception? Fault { get; private set; }

    public string Refusal { get; set; } = "";

    /// <summary>While true nothing is completed.</summary>
    public bool Hold { get; set; }

    /// <summary>Requests that touch this byte fail with an I/O error; -1 = none.</summary>
    public long BadByte { get; set; } = -1;

    /// <summary>Bytes of buffers that may be lent at one time.</summary>
    public long Budget { get; set; } = 32 << 20;

    /// <summary>Completes what came together in reverse order.</summary>
    public bool Reverse { get; set; }

    /// <summary>Keeps the requests; off where allocations are counted.</summary>
    public bool Record { get; set; } = true;

    public List<FrontEndRequest> Requests { get; } = [];

    public int OpenCount { get; private set; }

    /// <summary>Payloads that are arriving.</summary>
    public int Arriving { get; private set; }

    public int Pending => _pending.Count;

    /// <summary>A client waits for buffers.</summary>
    public bool HasWaiters => _waiters.Count > 0;

    public IVolumeDevice? Find(string name) => name == Name ? this : null;

    public IReadOnlyList<string> ListNames() => [Name];

    public bool TryDescribe(out VolumeFacts facts, out string refusal)
    {
        (facts, refusal) = (Facts, Refusal);
        return refusal.Length == 0;
    }

    public bool TryOpen(IVolumeClient client, out VolumeFacts facts, out string refusal)
    {
        if (!TryDescribe(out facts, out refusal))
        {
            return false;
        }

        OpenCount++;
        return _clients.Add(client);
    }

    public void Close(IVolumeClient client)
    {
        Invariant.Require(_clients.Remove(client), "closed by who had it open");
        Invariant.Require(!_pending.Any(p => p.Client == client), "closed without requests under way");
        OpenCount--;
    }

    public void Submit(IVolumeClient client, in FrontEndRequest request)
    {
        if (Record)
        {
            Requests.Add(request);
        }

        _pending.Enqueue((client, request));
    }

    public bool TryRentBuffer(int byteCount, out BufferHandle buffer)
    {
        buffer = BufferHandle.None;
        return Buffers.RentedBytes + byteCount <= Budget && Buffers.TryRent(byteCount, out buffer);
    }

    public void ReturnBuffer(BufferHandle buffer)
    {
        Buffers.Return(buffer);
    }

    public void SetArriving(bool arriving)
    {
        Arriving += arriving ? 1 : -1;
        Invariant.Require(Arriving >= 0, "arrivals end after they began");
    }

    public void NotifyWhenBuffersReturn(IVolumeClient client) => _waiters.Add(client);

    public void OnEndOfBatch(long nowNs)
    {
        while (!Hold && _pending.Count > 0)
        {
            if (Reverse)
            {
                var all = _pending.ToArray();
                _pending.Clear();
                foreach (var (client, request) in all.Reverse())
                {
                    Complete(client, request);
                }
            }
            else
            {
                var (client, request) = _pending.Dequeue();
                Complete(client, request);
            }
        }

        if (_waiters.Count > 0)
        {
            var waiters = _waiters.ToArray();
            _waiters.Clear();
            foreach (var waiter in waiters)
            {
                waiter.OnBuffersAvailable();
            }

            if (!Hold && _pending.Count > 0)
            {
                OnEndOfBatch(nowNs);
            }
        }
    }

    /// <summary>Runs on the loop's thread and waits for it.</summary>
    public T OnLoop<T>(Func<T> function)
    {
        var answer = new TaskCompletionSource<T>(TaskCreationOptions.RunContinuationsAsynchronously);
        Assert.True(Loop.Post(() => answer.TrySetResult(function())), "the loop has stopped: " + Fault);
        return answer.Task.WaitAsync(TimeSpan.FromSeconds(20)).GetAwaiter().GetResult();
    }

    /// <summary>Asks the loop until the condition holds; fails after a while.</summary>
    public void Eventually(Func<bool> condition, string what)
    {
        var deadline = Environment.TickCount64 + 20_000;
        while (!OnLoop(condition))
        {
            Assert.True(Environment.TickCount64 < deadline, "did not happen: " + what);
            Thread.Yield();
        }
    }

    public void Dispose()
    {
        Loop.Dispose();
        Buffers.Dispose();
        Assert.Null(Fault);
    }

    private void Complete(IVolumeClient client, in FrontEndRequest request)
    {
        var offset = (int)(request.Sector << 9);
        var fails = BadByte >= 0 && request.ByteCount > 0 && BadByte >= offset && BadByte < offset + request.ByteCount;
        if (!fails)
        {
            Carry(request, offset);
        }

        if (request.Kind == RequestKind.Write)
        {
            Buffers.Return(request.Buffer);
        }

        client.OnCompleted(request.Token, fails ? RequestError.InputOutput : RequestError.None);
    }

    private void Carry(in FrontEndRequest request, int offset)
    {
        switch (request.Kind)
        {
            case RequestKind.Read:
                Data.AsSpan(offset, request.ByteCount).CopyTo(Buffers.GetSpan(request.Buffer, request.ByteCount));
                break;
            case RequestKind.Write:
                Buffers.GetSpan(request.Buffer, request.ByteCount).CopyTo(Data.AsSpan(offset));
                break;
            case RequestKind.Flush:
                break;
            default:
                Data.AsSpan(offset, request.ByteCount).Clear();
                break;
        }
    }
}
