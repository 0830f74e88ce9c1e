using BlockRepl.Core;
using BlockRepl.Platform.Buffers;
using BlockRepl.Platform.Loop;
using BlockRepl.Platform.Native;

namespace BlockRepl.Platform.Devices;

/// <summary>Codes of a ublk request.</summary>
public enum UblkCode : byte
{
    Read = 0,
    Write = 1,
    Flush = 2,
    Discard = 3,
    WriteZeroes = 5,
}

/// <summary>A request as the kernel describes it: nothing in it was checked.</summary>
public readonly record struct UblkRequest(
    UblkCode Code, bool ForceUnitAccess, bool NoUnmap, ulong StartSector, uint Sectors);

/// <summary>Is told of requests, on the loop's thread.</summary>
public interface IUblkHandler
{
    /// <summary>The tag has a request; it has none more until this one was answered.</summary>
    void OnRequest(int tag, in UblkRequest request);

    /// <summary>The tag gets no request any more: the device has ended.</summary>
    void OnEnded(int tag);
}

/// <summary>One queue's way to the kernel.</summary>
public interface IUblkQueueChannel
{
    /// <summary>Answers a tag's request (bytes, or a negated errno) and waits for its next.</summary>
    void Commit(int tag, int result);

    /// <summary>Copies a part of a write's data into a buffer. False: the kernel does not give it.</summary>
    bool TryReceive(int tag, int offset, BufferHandle buffer, int byteCount);

    /// <summary>Copies a part of a read's data to the kernel.</summary>
    bool TrySend(int tag, int offset, BufferHandle buffer, int byteCount);
}

/// <summary>
/// A ublk device's queues on a loop. Opened by any thread, then the loop's alone until every tag of every queue has
/// ended; closed by any thread.
/// </summary>
public sealed unsafe class UblkChannel : IDisposable
{
    private readonly Queue[] _queues;
    private readonly int _descriptor;
    private bool _disposed;

    private UblkChannel(EventLoop loop, IoBufferPool pool, int descriptor, int queues, int depth)
    {
        _descriptor = descriptor;
        _queues = new Queue[queues];
        for (var i = 0; i < queues; i++)
        {
            NativeUblkRequest* requests;
            KernelDeviceException.Check(
                NativeMethods.UblkMap(descriptor, (uint)i, (uint)depth, &requests), "a queue of a ublk device");
            _queues[i] = new Queue(loop, pool, descriptor, i, depth, requests);
        }
    }

    /// <exception cref="KernelDeviceException">Busy: another process serves the device.</exception>
    public static UblkChannel Open(EventLoop loop, IoBufferPool pool, int index, int queues, int depth)
    {
        var descriptor = KernelDeviceException.Check(NativeMethods.UblkOpen(index), $"/dev/ublkc{index}");
        try
        {
            return new UblkChannel(loop, pool, descriptor, queues, depth);
        }
        catch
        {
            _ = NativeMethods.Close(descriptor);
            throw;
        }
    }

    /// <summary>Begins to wait for the requests of a queue, on the loop's thread.</summary>
    public IUblkQueueChannel Fetch(int queue, IUblkHandler handler)
    {
        _queues[queue].FetchAll(handler);
        return _queues[queue];
    }

    public void Dispose()
    {
        if (!_disposed)
        {
            _disposed = true;
            foreach (var queue in _queues)
            {
                queue.Unmap();
            }

            _ = NativeMethods.Close(_descriptor);
        }
    }

    private sealed class Queue(
        EventLoop loop, IoBufferPool pool, int descriptor, int number, int depth, NativeUblkRequest* requests)
        : IUblkQueueChannel, ICompletionHandler
    {
        private const ulong FetchCode = 0x20;
        private const ulong CommitCode = 0x21;
        private const uint ForceUnitAccess = 1 << 13;
        private const uint NoUnmap = 1 << 15;

        private IUblkHandler? _handler;

        public void FetchAll(IUblkHandler handler)
        {
            _handler = handler;
            for (var tag = 0; tag < depth; tag++)
            {
                Submit(tag, FetchCode, 0);
            }
        }

        public void Commit(int tag, int result) => Submit(tag, CommitCode, (uint)result);

        public bool TryReceive(int tag, int offset, BufferHandle buffer, int byteCount) =>
            TryCopy(tag, offset, buffer, byteCount, toKernel: 0);

        public bool TrySend(int tag, int offset, BufferHandle buffer, int byteCount) =>
            TryCopy(tag, offset, buffer, byteCount, toKernel: 1);

        public void OnCompleted(ulong token, int result)
        {
            loop.Held--;
            if (result != 0)
            {
                _handler!.OnEnded((int)token);
                return;
            }

            var seen = requests[token]; // once: what is checked afterwards is what is done
            var request = new UblkRequest(
                (UblkCode)(byte)seen.CodeAndFlags,
                (seen.CodeAndFlags & ForceUnitAccess) != 0,
                (seen.CodeAndFlags & NoUnmap) != 0,
                seen.StartSector,
                seen.Sectors);
            _handler!.OnRequest((int)token, request);
        }

        public void Unmap() => _ = NativeMethods.UblkUnmap(requests, (uint)depth);

        private void Submit(int tag, ulong code, uint result)
        {
            var op = new NativeOp
            {
                Kind = NativeOpKind.Ublk,
                Descriptor = descriptor,
                Address = (uint)number | ((ulong)(uint)tag << 16),
                Offset = code,
                Length = result,
            };
            _ = loop.Submit(op, this, (ulong)tag);
            loop.Held++;
        }

        private bool TryCopy(int tag, int offset, BufferHandle buffer, int byteCount, uint toKernel)
        {
            Invariant.Require(byteCount <= pool.GetCapacity(buffer), "a buffer holds the bytes of its request");
            return NativeMethods.UblkCopy(
                descriptor, (uint)number, (uint)tag, (uint)offset, (byte*)pool.GetAddress(buffer), (uint)byteCount,
                toKernel) == 0;
        }
    }
}
