using System.Runtime.InteropServices;
using BlockRepl.Core;
using BlockRepl.Platform.Loop;
using BlockRepl.Platform.Native;

namespace BlockRepl.Platform.Storage;

/// <summary>
/// A device's meta-data operations with their bounce buffers. So many go to the kernel at one time as were asked for,
/// the rest waits in order: the core may write hundreds of bitmap pages at once. Buffers of 4 KiB, the usual size, are
/// kept for reuse.
/// </summary>
internal sealed unsafe class MetaOperations(
    EventLoop loop,
    int descriptor,
    int limit,
    IBlockDeviceHandler handler,
    Action idle) : ICompletionHandler
{
    private const int MaxBytes = 1 << 20;
    private const int UsualBytes = 4096;
    private const int KeptBuffers = 256;

    private readonly Queue<int> _waiting = new();
    private readonly Stack<int> _freeRecords = new();
    private readonly Stack<nint> _freeBuffers = new();
    private Record[] _records = new Record[16];
    private int _recordCount;
    private int _inKernel;

    private struct Record
    {
        public ulong Token;
        public NativeOpKind Kind;
        public long Offset;
        public int Bytes;
        public nint Buffer;
    }

    /// <summary>Operations in the kernel or waiting.</summary>
    public int Count => _inKernel + _waiting.Count;

    public void Read(ulong token, long byteOffset, int byteCount) =>
        Start(new Record { Token = token, Kind = NativeOpKind.Read, Offset = byteOffset, Bytes = byteCount });

    public void Write(ulong token, long byteOffset, ReadOnlySpan<byte> data)
    {
        var record = new Record { Token = token, Kind = NativeOpKind.Write, Offset = byteOffset, Bytes = data.Length };
        record.Buffer = TakeBuffer(data.Length);
        data.CopyTo(new Span<byte>((void*)record.Buffer, data.Length));
        Start(record);
    }

    public void Flush(ulong token) => Start(new Record { Token = token, Kind = NativeOpKind.DataSync });

    public void OnCompleted(ulong token, int result)
    {
        var index = (int)token;
        var record = _records[index];
        _freeRecords.Push(index);
        _inKernel--;
        if (_waiting.TryDequeue(out var next))
        {
            Submit(next);
        }

        var data = record.Kind == NativeOpKind.Read && result >= 0
            ? new ReadOnlySpan<byte>((void*)record.Buffer, record.Bytes)
            : default;
        var error = result < 0 ? IoError.Failed : IoError.None;
        handler.OnMetaDone(record.Token, error, result < 0 ? -result : 0, data);
        ReturnBuffer(record.Buffer, record.Bytes);
        if (Count == 0)
        {
            FreeBuffers();
            idle();
        }
    }

    private void Start(in Record record)
    {
        Invariant.Require(record.Bytes <= MaxBytes, "a meta-data operation moves at most 1 MiB");
        if (!_freeRecords.TryPop(out var index))
        {
            index = _recordCount++;
            if (index == _records.Length)
            {
                Array.Resize(ref _records, _records.Length * 2);
            }
        }

        _records[index] = record;
        if (_inKernel < limit)
        {
            Submit(index);
        }
        else
        {
            _waiting.Enqueue(index);
        }
    }

    private void Submit(int index)
    {
        ref var record = ref _records[index];
        if (record.Kind == NativeOpKind.Read)
        {
            record.Buffer = TakeBuffer(record.Bytes);
        }

        _inKernel++;
        var op = new NativeOp
        {
            Kind = record.Kind,
            Descriptor = descriptor,
            Offset = (ulong)record.Offset,
            Length = (ulong)record.Bytes,
            Address = (ulong)record.Buffer,
        };
        loop.Submit(op, this, (ulong)index);
    }

    private nint TakeBuffer(int bytes)
    {
        if (bytes <= UsualBytes && _freeBuffers.TryPop(out var buffer))
        {
            return buffer;
        }

        return (nint)NativeMemory.AlignedAlloc((nuint)Math.Max(bytes, UsualBytes), 4096);
    }

    private void ReturnBuffer(nint buffer, int bytes)
    {
        if (buffer == 0)
        {
            return;
        }

        if (bytes <= UsualBytes && _freeBuffers.Count < KeptBuffers)
        {
            _freeBuffers.Push(buffer);
        }
        else
        {
            NativeMemory.AlignedFree((void*)buffer);
        }
    }

    /// <summary>
    /// All but a few, so that a device at rest holds no memory to speak of and a closed one none that matters.
    /// </summary>
    private void FreeBuffers()
    {
        while (_freeBuffers.Count > 8)
        {
            NativeMemory.AlignedFree((void*)_freeBuffers.Pop());
        }
    }

    /// <summary>Frees what is kept for reuse; nothing is in flight.</summary>
    public void Dispose()
    {
        while (_freeBuffers.TryPop(out var buffer))
        {
            NativeMemory.AlignedFree((void*)buffer);
        }
    }
}
