using BlockRepl.Core;
using BlockRepl.Platform.Buffers;
using BlockRepl.Platform.Loop;

namespace BlockRepl.Platform.Storage;

/// <summary>What was found out about an opened block device or disk-image file.</summary>
/// <param name="SizeBytes">Size; a multiple of 512 (a file's odd tail is not used).</param>
/// <param name="LogicalBlockBytes">Smallest I/O: 512 or 4096.</param>
/// <param name="PhysicalBlockBytes">What the medium writes at once, as it says.</param>
/// <param name="CanDiscard">Whether discards are carried out.</param>
/// <param name="DiscardZeroes">Whether a discarded area is sure to read as zeroes.</param>
/// <param name="IsBlockDevice">A block device; else a regular file.</param>
/// <param name="IsDirect">Opened with O_DIRECT; false where a file system refuses it.</param>
public sealed record BlockDeviceFacts(
    long SizeBytes,
    int LogicalBlockBytes,
    int PhysicalBlockBytes,
    bool CanDiscard,
    bool DiscardZeroes,
    bool IsBlockDevice,
    bool IsDirect);

/// <summary>How to open a device.</summary>
public sealed record BlockDeviceOptions
{
    public bool ReadOnly { get; init; }

    /// <summary>Meta-data operations in flight at one time; each holds a bounce buffer.</summary>
    public int MaxMetaOperations { get; init; } = 64;
}

/// <summary>Receives a device's results on the loop's thread; never called from inside a submitting call.</summary>
public interface IBlockDeviceHandler
{
    /// <summary>A read, write, zero or flush of the data area ended. <paramref name="errno"/> is 0 or positive.</summary>
    void OnDataDone(ulong token, IoError error, int errno);

    /// <summary>A meta-data operation ended; <paramref name="data"/> holds what a read returned, valid during the call.</summary>
    void OnMetaDone(ulong token, IoError error, int errno, ReadOnlySpan<byte> data);

    /// <summary>The device was closed; nothing follows.</summary>
    void OnDeviceClosed();
}

/// <summary>A device could not be opened or used; the message names the path and says why and what to do.</summary>
public sealed class BlockDeviceException(string message, int errno) : IOException(message)
{
    public int Errno => errno;
}

/// <summary>
/// A backing disk on a loop: opened exclusively, with O_DIRECT. Offsets and lengths are bytes, multiples of the logical
/// block size. Belongs to the loop's thread.
/// </summary>
public sealed class BlockDevice
{
    /// <summary>Opens a block device or a regular file.</summary>
    /// <exception cref="BlockDeviceException">Not there, in use, no permission, or of an unusable kind.</exception>
    public static BlockDevice Open(
        EventLoop loop,
        IoBufferPool pool,
        string path,
        BlockDeviceOptions options,
        IBlockDeviceHandler handler) => throw new NotImplementedException();

    public string Path => throw new NotImplementedException();

    public BlockDeviceFacts Facts => throw new NotImplementedException();

    /// <summary>Operations in flight.</summary>
    public int InFlight => throw new NotImplementedException();

    /// <summary>Looks at the size again (it may have been grown).</summary>
    public BlockDeviceFacts RefreshFacts() => throw new NotImplementedException();

    /// <summary>Reads into a buffer that the caller keeps rented until the result.</summary>
    public void Read(ulong token, long byteOffset, int byteCount, BufferHandle buffer) => throw new NotImplementedException();

    /// <summary>Writes from a buffer that the caller keeps rented until the result.</summary>
    public void Write(ulong token, long byteOffset, int byteCount, BufferHandle buffer, bool forceUnitAccess) =>
        throw new NotImplementedException();

    /// <summary>Discards or zeroes; NotSupported only for a discard that the device cannot do.</summary>
    public void Zero(ulong token, long byteOffset, long byteCount, ZeroMode mode) => throw new NotImplementedException();

    /// <summary>Makes durable every write that ended before this call.</summary>
    public void Flush(ulong token) => throw new NotImplementedException();

    /// <summary>Reads meta data through a bounce buffer of at most 1 MiB; the result comes by OnMetaDone.</summary>
    public void ReadMeta(ulong token, long byteOffset, int byteCount) => throw new NotImplementedException();

    /// <summary>Writes meta data; the bytes are copied before the call returns.</summary>
    public void WriteMeta(ulong token, long byteOffset, ReadOnlySpan<byte> data) => throw new NotImplementedException();

    /// <summary>As <see cref="Flush"/>, answered by OnMetaDone.</summary>
    public void FlushMeta(ulong token) => throw new NotImplementedException();

    /// <summary>Closes when nothing is in flight any more; then OnDeviceClosed.</summary>
    public void Close() => throw new NotImplementedException();
}
