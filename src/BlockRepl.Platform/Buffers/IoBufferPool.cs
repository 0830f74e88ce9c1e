using BlockRepl.Core;

namespace BlockRepl.Platform.Buffers;

/// <summary>Sizes and checks of an <see cref="IoBufferPool"/>.</summary>
public sealed record IoBufferPoolOptions
{
    /// <summary>Address space reserved; a multiple of 1 MiB, at most 1 GiB. Memory becomes resident when it is first touched.</summary>
    public int TotalBytes { get; init; } = 64 << 20;

    /// <summary>Fill returned buffers with a pattern and remember owners: finds use after return, costs time.</summary>
    public bool Diagnostic { get; init; }
}

/// <summary>
/// Page-aligned memory for payloads, reserved once. Buffers have sizes of 4 KiB to 1 MiB in powers of two; a request is
/// rounded up. Nothing is allocated per rent. Used by one thread only: the one that first rents.
/// A handle carries a generation, so that returning twice or using a returned buffer is found always.
/// </summary>
public sealed class IoBufferPool : IDisposable
{
    public const int Alignment = 4096;
    public const int MaxBufferBytes = 1 << 20;

    public IoBufferPool(IoBufferPoolOptions options) => throw new NotImplementedException();

    /// <summary>Bytes lent out now, rounded up to buffer sizes.</summary>
    public long RentedBytes => throw new NotImplementedException();

    /// <summary>Buffers lent out now.</summary>
    public int RentedCount => throw new NotImplementedException();

    public int TotalBytes => throw new NotImplementedException();

    /// <summary>Lends a buffer of at least <paramref name="byteCount"/> (1 to 1 MiB) bytes; false when none is left.</summary>
    public bool TryRent(int byteCount, out BufferHandle handle) => throw new NotImplementedException();

    /// <summary>Takes a buffer back.</summary>
    public void Return(BufferHandle handle) => throw new NotImplementedException();

    /// <summary>The first <paramref name="byteCount"/> bytes of a buffer.</summary>
    public Span<byte> GetSpan(BufferHandle handle, int byteCount) => throw new NotImplementedException();

    /// <summary>Address of a buffer's first byte, a multiple of 4096.</summary>
    public nint GetAddress(BufferHandle handle) => throw new NotImplementedException();

    /// <summary>Bytes of a buffer: the rounded size.</summary>
    public int GetCapacity(BufferHandle handle) => throw new NotImplementedException();

    public void Dispose() => throw new NotImplementedException();
}
