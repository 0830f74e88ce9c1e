using System.Runtime.InteropServices;

namespace BlockRepl.Platform.Buffers;

/// <summary>A fixed piece of page-aligned memory outside the managed heap, zeroed.</summary>
public sealed unsafe class MemoryBlock : IDisposable
{
    private byte* _base;

    public MemoryBlock(int byteCount)
    {
        Length = byteCount;
        _base = (byte*)NativeMemory.AlignedAlloc((nuint)byteCount, IoBufferPool.Alignment);
        NativeMemory.Clear(_base, (nuint)byteCount);
    }

    public int Length { get; }

    /// <summary>Some of its bytes.</summary>
    public Span<byte> GetSpan(int offset, int byteCount)
    {
        ObjectDisposedException.ThrowIf(_base is null, this);
        ArgumentOutOfRangeException.ThrowIfNegative(offset);
        ArgumentOutOfRangeException.ThrowIfNegative(byteCount);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(byteCount, Length - offset);
        return new Span<byte>(_base + offset, byteCount);
    }

    public void Dispose()
    {
        NativeMemory.AlignedFree(_base);
        _base = null;
    }
}
