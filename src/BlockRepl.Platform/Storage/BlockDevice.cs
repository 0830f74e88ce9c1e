using BlockRepl.Core;
using BlockRepl.Platform.Buffers;
using BlockRepl.Platform.Loop;
using BlockRepl.Platform.Native;

namespace BlockRepl.Platform.Storage;

/// <summary>
/// A backing disk on a loop: opened exclusively, with O_DIRECT. Offsets and lengths are bytes, multiples of the logical
/// block size. Belongs to the loop's thread once it is open; opening may be done by any thread.
/// </summary>
public sealed class BlockDevice
{
    private readonly EventLoop _loop;
    private readonly IoBufferPool _pool;
    private readonly IBlockDeviceHandler _handler;
    private readonly DataResults _dataResults;
    private readonly MetaOperations _meta;
    private readonly int _descriptor;
    private int _dataInFlight;
    private bool _closing;
    private bool _closed;

    private BlockDevice(
        EventLoop loop,
        IoBufferPool pool,
        string path,
        BlockDeviceOptions options,
        IBlockDeviceHandler handler,
        int descriptor)
    {
        _loop = loop;
        _pool = pool;
        _handler = handler;
        _descriptor = descriptor;
        Path = path;
        Facts = DeviceFile.GetFacts(path, descriptor);
        _dataResults = new DataResults(this);
        _meta = new MetaOperations(loop, descriptor, options.MaxMetaOperations, handler, MaybeClose);
    }

    public string Path { get; }

    public BlockDeviceFacts Facts { get; private set; }

    /// <summary>Operations in flight or waiting.</summary>
    public int InFlight => _dataInFlight + _meta.Count;

    /// <summary>Opens a block device or a regular file.</summary>
    /// <exception cref="BlockDeviceException">Not there, in use, no permission, or of an unusable kind.</exception>
    public static BlockDevice Open(
        EventLoop loop,
        IoBufferPool pool,
        string path,
        BlockDeviceOptions options,
        IBlockDeviceHandler handler)
    {
        var descriptor = DeviceFile.Open(path, options.ReadOnly, exclusive: !options.ReadOnly && !options.Shared);
        try
        {
            return new BlockDevice(loop, pool, path, options, handler, descriptor);
        }
        catch
        {
            DeviceFile.Close(descriptor);
            throw;
        }
    }

    /// <summary>Looks at the size again (it may have been grown).</summary>
    /// <exception cref="BlockDeviceException">The kernel does not tell.</exception>
    public BlockDeviceFacts RefreshFacts()
    {
        Facts = DeviceFile.GetFacts(Path, _descriptor);
        return Facts;
    }

    /// <summary>Reads into a buffer that the caller keeps rented until the result.</summary>
    public void Read(ulong token, long byteOffset, int byteCount, BufferHandle buffer) =>
        Submit(token, BufferOperation(NativeOpKind.Read, byteOffset, byteCount, buffer));

    /// <summary>Writes from a buffer that the caller keeps rented until the result.</summary>
    public void Write(ulong token, long byteOffset, int byteCount, BufferHandle buffer, bool forceUnitAccess)
    {
        var op = BufferOperation(NativeOpKind.Write, byteOffset, byteCount, buffer);
        op.Flags = forceUnitAccess ? NativeOpFlags.ForceUnitAccess : NativeOpFlags.None;
        Submit(token, op);
    }

    /// <summary>Discards or zeroes; NotSupported only for a discard that the device cannot do.</summary>
    public void Zero(ulong token, long byteOffset, long byteCount, ZeroMode mode) => Submit(token, new NativeOp
    {
        Kind = mode == ZeroMode.Discard ? NativeOpKind.Discard : NativeOpKind.Zero,
        Flags = mode == ZeroMode.ZeroNoUnmap ? NativeOpFlags.NoUnmap : NativeOpFlags.None,
        Offset = (ulong)byteOffset,
        Length = (ulong)byteCount,
    });

    /// <summary>Makes durable every write that ended before this call.</summary>
    public void Flush(ulong token) => Submit(token, new NativeOp { Kind = NativeOpKind.DataSync });

    /// <summary>Reads meta data through a bounce buffer of at most 1 MiB; the result comes by OnMetaDone.</summary>
    public void ReadMeta(ulong token, long byteOffset, int byteCount)
    {
        CheckOpen();
        _meta.Read(token, byteOffset, byteCount);
    }

    /// <summary>Writes meta data, at most 1 MiB; the bytes are copied before the call returns.</summary>
    public void WriteMeta(ulong token, long byteOffset, ReadOnlySpan<byte> data)
    {
        CheckOpen();
        _meta.Write(token, byteOffset, data);
    }

    /// <summary>As <see cref="Flush"/>, answered by OnMetaDone.</summary>
    public void FlushMeta(ulong token)
    {
        CheckOpen();
        _meta.Flush(token);
    }

    /// <summary>Closes when nothing is in flight any more; then OnDeviceClosed.</summary>
    public void Close()
    {
        if (!_closing)
        {
            _closing = true;
            MaybeClose();
        }
    }

    private NativeOp BufferOperation(NativeOpKind kind, long byteOffset, int byteCount, BufferHandle buffer)
    {
        Invariant.Require(byteCount <= _pool.GetCapacity(buffer), "a buffer holds the bytes of its operation");
        return new NativeOp
        {
            Kind = kind,
            Offset = (ulong)byteOffset,
            Length = (ulong)byteCount,
            Address = (ulong)_pool.GetAddress(buffer),
        };
    }

    private void Submit(ulong token, NativeOp op)
    {
        CheckOpen();
        op.Descriptor = _descriptor;
        _loop.Submit(op, _dataResults, token);
        _dataInFlight++;
    }

    private void CheckOpen() => Invariant.Require(!_closing, "a closed device is not used");

    private void MaybeClose()
    {
        if (_closing && !_closed && InFlight == 0)
        {
            _closed = true;
            _meta.Dispose();
            DeviceFile.Unlock(_descriptor);
            _loop.Submit(
                new NativeOp { Kind = NativeOpKind.Close, Descriptor = _descriptor }, new CloseResult(_handler), 0);
        }
    }

    private sealed class DataResults(BlockDevice device) : ICompletionHandler
    {
        public void OnCompleted(ulong token, int result)
        {
            device._dataInFlight--;
            device._handler.OnDataDone(token, NativeError.Classify(result), result < 0 ? -result : 0);
            device.MaybeClose();
        }
    }

    private sealed class CloseResult(IBlockDeviceHandler handler) : ICompletionHandler
    {
        public void OnCompleted(ulong token, int result) => handler.OnDeviceClosed();
    }
}
