using System.Runtime.InteropServices;
using BlockRepl.Core;

namespace BlockRepl.Platform.Buffers;

/// <summary>Sizes and checks of an <see cref="IoBufferPool"/>.</summary>
public sealed record IoBufferPoolOptions
{
    /// <summary>
    /// Address space reserved; a multiple of 1 MiB, at most 1 GiB. Memory becomes resident when it is first touched.
    /// </summary>
    public int TotalBytes { get; init; } = 64 << 20;

    /// <summary>
    /// Fill returned buffers with a pattern and check it at the next rent: finds writes after return, costs time.
    /// </summary>
    public bool Diagnostic { get; init; }
}

/// <summary>
/// Page-aligned memory for payloads, reserved once. Buffers have sizes of 4 KiB to 1 MiB in powers of two; a request is
/// rounded up. Nothing is allocated per rent. Used by one thread only: the one that first rents.
/// A handle carries a generation, so that returning twice or using a returned buffer is found always.
/// </summary>
/// <remarks>
/// A buddy allocator: blocks of 1 MiB are halved as needed, and two free halves become one again. Whole blocks are
/// taken at the lowest address, so that memory that was once needed for a burst stays untouched afterwards and large
/// buffers keep their room. Handle: generation (13 bits, never 0) above page number (18 bits).
/// </remarks>
public sealed unsafe class IoBufferPool : IDisposable
{
    public const int Alignment = 4096;
    public const int MaxBufferBytes = 1 << 20;

    private const int PageShift = 12;
    private const int MaxOrder = 8; // 4 KiB << 8 = 1 MiB
    private const int PageBits = 18;
    private const int MaxGeneration = (1 << 13) - 1;
    private const byte DiagnosticPattern = 0xdb;
    private const int None = -1;

    private readonly byte* _base;
    private readonly bool _diagnostic;
    private readonly Page[] _pages;

    /// <summary>
    /// First free block of each order below the largest; the blocks are linked through their first page.
    /// </summary>
    private readonly int[] _freeHeads = new int[MaxOrder];

    /// <summary>One bit per 1 MiB that is wholly free.</summary>
    private readonly ulong[] _freeWhole;

    private int _threadId;
    private bool _disposed;

    public IoBufferPool(IoBufferPoolOptions options)
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(options.TotalBytes % MaxBufferBytes, 0);
        ArgumentOutOfRangeException.ThrowIfLessThan(options.TotalBytes, MaxBufferBytes);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(options.TotalBytes, 1 << 30);
        TotalBytes = options.TotalBytes;
        _diagnostic = options.Diagnostic;
        _base = (byte*)NativeMemory.AlignedAlloc((nuint)options.TotalBytes, Alignment);
        _pages = new Page[options.TotalBytes >> PageShift];
        _freeHeads.AsSpan().Fill(None);
        var whole = options.TotalBytes / MaxBufferBytes;
        _freeWhole = new ulong[(whole + 63) / 64];
        for (var i = 0; i < whole; i++)
        {
            AddFree(i << MaxOrder, MaxOrder);
        }
    }

    private enum PageState : byte
    {
        /// <summary>Inside a block, not its first page.</summary>
        Inner,
        Free,
        Rented,
    }

    /// <summary>What is known of a block, kept at its first page.</summary>
    private struct Page
    {
        public int Next;
        public int Previous;
        public ushort Generation;
        public byte Order;
        public PageState State;
        public bool Patterned;
    }

    /// <summary>Bytes lent out now, rounded up to buffer sizes.</summary>
    public long RentedBytes { get; private set; }

    /// <summary>Buffers lent out now.</summary>
    public int RentedCount { get; private set; }

    public int TotalBytes { get; }

    /// <summary>
    /// Lends a buffer of at least <paramref name="byteCount"/> (1 to 1 MiB) bytes; false when none is left.
    /// </summary>
    public bool TryRent(int byteCount, out BufferHandle handle)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(byteCount, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(byteCount, MaxBufferBytes);
        CheckThread();
        var order = OrderOf(byteCount);
        var index = TakeFree(order);
        if (index == None)
        {
            handle = BufferHandle.None;
            return false;
        }

        ref var page = ref _pages[index];
        page.State = PageState.Rented;
        page.Order = (byte)order;
        page.Generation = (ushort)(page.Generation == MaxGeneration ? 1 : page.Generation + 1);
        if (_diagnostic)
        {
            CheckPattern(index, order);
        }

        RentedBytes += Alignment << order;
        RentedCount++;
        handle = new BufferHandle((page.Generation << PageBits) | index);
        return true;
    }

    /// <summary>Takes a buffer back.</summary>
    public void Return(BufferHandle handle)
    {
        CheckThread();
        var index = Resolve(handle);
        int order = _pages[index].Order;
        RentedBytes -= Alignment << order;
        RentedCount--;
        if (_diagnostic)
        {
            WritePattern(index, order);
        }

        _pages[index].State = PageState.Inner;
        while (order < MaxOrder)
        {
            var buddy = index ^ (1 << order);
            if (_pages[buddy].State != PageState.Free || _pages[buddy].Order != order)
            {
                break;
            }

            RemoveFree(buddy, order);
            index = Math.Min(index, buddy);
            order++;
        }

        AddFree(index, order);
    }

    /// <summary>The first <paramref name="byteCount"/> bytes of a buffer.</summary>
    public Span<byte> GetSpan(BufferHandle handle, int byteCount)
    {
        var index = Resolve(handle);
        ArgumentOutOfRangeException.ThrowIfGreaterThan((uint)byteCount, (uint)Alignment << _pages[index].Order);
        return new Span<byte>(_base + ((long)index << PageShift), byteCount);
    }

    /// <summary>Address of a buffer's first byte, a multiple of 4096.</summary>
    public nint GetAddress(BufferHandle handle) => (nint)(_base + ((long)Resolve(handle) << PageShift));

    /// <summary>Bytes of a buffer: the rounded size.</summary>
    public int GetCapacity(BufferHandle handle) => Alignment << _pages[Resolve(handle)].Order;

    public void Dispose()
    {
        if (!_disposed)
        {
            _disposed = true;
            NativeMemory.AlignedFree(_base);
        }
    }

    private static int OrderOf(int byteCount) =>
        32 - int.LeadingZeroCount((byteCount - 1) >> PageShift);

    private int Resolve(BufferHandle handle)
    {
        Invariant.Require(!_disposed, "a buffer pool is used after its end");
        var index = handle.Value & ((1 << PageBits) - 1);
        var generation = handle.Value >> PageBits;
        var valid = index < _pages.Length
            && _pages[index].State == PageState.Rented
            && _pages[index].Generation == generation;
        Invariant.Require(valid, "a buffer is used that is not rented");
        return index;
    }

    /// <summary>
    /// A block of the order, taken from the smallest free one that is large enough; None if there is none.
    /// </summary>
    private int TakeFree(int order)
    {
        for (var from = order; from < MaxOrder; from++)
        {
            var index = _freeHeads[from];
            if (index != None)
            {
                RemoveFree(index, from);
                return Split(index, from, order);
            }
        }

        for (var word = 0; word < _freeWhole.Length; word++)
        {
            if (_freeWhole[word] != 0)
            {
                var index =
                    ((word * 64) + System.Numerics.BitOperations.TrailingZeroCount(_freeWhole[word])) << MaxOrder;
                RemoveFree(index, MaxOrder);
                return Split(index, MaxOrder, order);
            }
        }

        return None;
    }

    /// <summary>Halves a block down to the order; the upper halves become free.</summary>
    private int Split(int index, int from, int order)
    {
        while (from > order)
        {
            from--;
            AddFree(index + (1 << from), from);
        }

        return index;
    }

    private void AddFree(int index, int order)
    {
        ref var page = ref _pages[index];
        page.State = PageState.Free;
        page.Order = (byte)order;
        if (order == MaxOrder)
        {
            _freeWhole[index >> MaxOrder >> 6] |= 1UL << (index >> MaxOrder);
            return;
        }

        page.Previous = None;
        page.Next = _freeHeads[order];
        if (page.Next != None)
        {
            _pages[page.Next].Previous = index;
        }

        _freeHeads[order] = index;
    }

    private void RemoveFree(int index, int order)
    {
        ref var page = ref _pages[index];
        page.State = PageState.Inner;
        if (order == MaxOrder)
        {
            _freeWhole[index >> MaxOrder >> 6] &= ~(1UL << (index >> MaxOrder));
            return;
        }

        if (page.Next != None)
        {
            _pages[page.Next].Previous = page.Previous;
        }

        if (page.Previous != None)
        {
            _pages[page.Previous].Next = page.Next;
        }
        else
        {
            _freeHeads[order] = page.Next;
        }
    }

    private void CheckThread()
    {
        var thread = Environment.CurrentManagedThreadId;
        if (_threadId == 0)
        {
            _threadId = thread;
        }

        Invariant.Require(_threadId == thread, "a buffer pool is used by one thread only");
    }

    private void WritePattern(int index, int order)
    {
        new Span<byte>(_base + ((long)index << PageShift), Alignment << order).Fill(DiagnosticPattern);
        for (var i = index; i < index + (1 << order); i++)
        {
            _pages[i].Patterned = true;
        }
    }

    private void CheckPattern(int index, int order)
    {
        for (var i = index; i < index + (1 << order); i++)
        {
            if (_pages[i].Patterned)
            {
                var bytes = new Span<byte>(_base + ((long)i << PageShift), Alignment);
                Invariant.Require(
                    !bytes.ContainsAnyExcept(DiagnosticPattern), "a buffer was written to after its return");
                _pages[i].Patterned = false;
            }
        }
    }
}
