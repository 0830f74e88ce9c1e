using System.Runtime.InteropServices;
using BlockRepl.Platform.Native;
using Mono.Unix.Native;

namespace BlockRepl.Platform.Storage;

/// <summary>
/// A device used by a tool, one call after the other, without a loop. Any offset and length is allowed: the aligned
/// blocks around them are read and written.
/// </summary>
public sealed unsafe class OfflineDevice : IDisposable
{
    private const int BlockBytes = 4096;
    private const int BufferBytes = 1 << 20;

    private readonly int _descriptor;
    private readonly byte* _buffer;
    private bool _disposed;

    private OfflineDevice(string path, int descriptor, BlockDeviceFacts facts)
    {
        Path = path;
        Facts = facts;
        _descriptor = descriptor;
        _buffer = (byte*)NativeMemory.AlignedAlloc(BufferBytes, BlockBytes);
    }

    public string Path { get; }

    public BlockDeviceFacts Facts { get; }

    /// <summary>Opens a block device or a regular file, exclusively when it is opened for writing.</summary>
    /// <exception cref="BlockDeviceException">Not there, in use, no permission, or of an unusable kind.</exception>
    public static OfflineDevice Open(string path, bool readOnly)
    {
        var descriptor = DeviceFile.Open(path, readOnly, exclusive: !readOnly);
        try
        {
            return new OfflineDevice(path, descriptor, DeviceFile.GetFacts(path, descriptor));
        }
        catch
        {
            DeviceFile.Close(descriptor);
            throw;
        }
    }

    /// <summary>The size of a device or file that others may use; null if it cannot be opened.</summary>
    public static long? SizeOf(string path)
    {
        try
        {
            using OfflineDevice device = Open(path, readOnly: true);
            return device.Facts.SizeBytes;
        }
        catch (BlockDeviceException)
        {
            return null;
        }
    }

    /// <exception cref="BlockDeviceException">I/O error or end of the device.</exception>
    public void Read(long byteOffset, Span<byte> data)
    {
        while (data.Length > 0)
        {
            var window = Window(byteOffset, data.Length);
            Transfer(window.Begin, window.Bytes, write: false);
            new Span<byte>(_buffer + window.Skip, window.Useful).CopyTo(data);
            data = data[window.Useful..];
            byteOffset += window.Useful;
        }
    }

    /// <exception cref="BlockDeviceException">I/O error or end of the device.</exception>
    public void Write(long byteOffset, ReadOnlySpan<byte> data)
    {
        while (data.Length > 0)
        {
            var window = Window(byteOffset, data.Length);
            if (window.Useful < window.Bytes)
            {
                Transfer(window.Begin, window.Bytes, write: false);
            }

            data[..window.Useful].CopyTo(new Span<byte>(_buffer + window.Skip, window.Useful));
            Transfer(window.Begin, window.Bytes, write: true);
            data = data[window.Useful..];
            byteOffset += window.Useful;
        }
    }

    /// <exception cref="BlockDeviceException">I/O error.</exception>
    public void Flush()
    {
        if (Syscall.fdatasync(_descriptor) != 0)
        {
            throw Failed("flush", 0, Marshal.GetLastPInvokeError());
        }
    }

    public void Dispose()
    {
        if (!_disposed)
        {
            _disposed = true;
            DeviceFile.Close(_descriptor);
            NativeMemory.AlignedFree(_buffer);
        }
    }

    /// <summary>The aligned range that holds the first bytes wanted, as much as fits the buffer.</summary>
    private (long Begin, int Skip, int Useful, int Bytes) Window(long byteOffset, int byteCount)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        ArgumentOutOfRangeException.ThrowIfNegative(byteOffset);
        var block = Facts.LogicalBlockBytes;
        var begin = byteOffset / block * block;
        var skip = (int)(byteOffset - begin);
        var useful = Math.Min(byteCount, BufferBytes - skip);
        var bytes = (skip + useful + block - 1) / block * block;
        if (begin + bytes > Facts.SizeBytes)
        {
            throw new BlockDeviceException(
                $"{Path}: bytes {byteOffset} to {byteOffset + byteCount} are beyond the end at {Facts.SizeBytes}",
                NativeError.Invalid);
        }

        return (begin, skip, useful, bytes);
    }

    private void Transfer(long offset, int bytes, bool write)
    {
        for (var done = 0; done < bytes;)
        {
            var part = write
                ? Syscall.pwrite(_descriptor, _buffer + done, (ulong)(bytes - done), offset + done)
                : Syscall.pread(_descriptor, _buffer + done, (ulong)(bytes - done), offset + done);
            if (part > 0)
            {
                done += (int)part;
                continue;
            }

            var errno = part == 0 ? 0 : Marshal.GetLastPInvokeError();
            if (errno != 4)
            {
                throw Failed(write ? "write" : "read", offset + done, errno);
            }
        }
    }

    private BlockDeviceException Failed(string what, long offset, int errno)
    {
        var why = errno == 0 ? "nothing was transferred" : NativeError.Message(errno);
        return new BlockDeviceException($"{Path}: {what} at byte {offset} failed: {why}", errno);
    }
}
