using System.Runtime.InteropServices;
using BlockRepl.Core;
using BlockRepl.Platform.Buffers;

namespace BlockRepl.FrontEnd.Fuse;

/// <summary>A request under way.</summary>
internal struct FuseSlot
{
    public FuseRequest Request;

    /// <summary>First error of any part.</summary>
    public RequestError Error;

    /// <summary>Parts handed to the volume and not completed.</summary>
    public int Outstanding;

    /// <summary>A read's buffers in use; the others of the slot are none.</summary>
    public int Buffers;

    /// <summary>Bytes of each part but the last.</summary>
    public int PartBytes;

    /// <summary>Bytes that the request's buffers were rented for.</summary>
    public int HeldBytes;

    /// <summary>Zeroes: where the next part begins, and how much is left to start.</summary>
    public ulong NextOffset;
    public ulong Remaining;
}

/// <summary>
/// The fixed table of a session's requests. The heads, as the kernel gave them, lie in one block of memory: whoever has
/// that block and the descriptor knows every request that was taken and not answered (a length that is not zero), and
/// can carry it out again.
/// </summary>
internal sealed class FuseSlotTable : IDisposable
{
    private const int HeadStride = 128;

    private readonly FuseSlot[] _slots;
    private readonly BufferHandle[] _buffers;
    private readonly int _partsPerSlot;
    private readonly FreeSlots _free;
    private readonly MemoryBlock _heads;

    public FuseSlotTable(int capacity, int partsPerSlot)
    {
        _slots = new FuseSlot[capacity];
        _buffers = new BufferHandle[capacity * partsPerSlot];
        _partsPerSlot = partsPerSlot;
        _heads = new MemoryBlock(capacity * HeadStride);
        _free = new FreeSlots(capacity);
    }

    public int InUse => _free.InUse;

    public bool IsFull => _free.IsEmpty;

    public ref FuseSlot this[int index] => ref _slots[index];

    /// <summary>A request's buffers, one for each part.</summary>
    public Span<BufferHandle> BuffersOf(int index) =>
        _buffers.AsSpan(index * _partsPerSlot, _partsPerSlot);

    /// <summary>Where the head of the next request goes; <see cref="Take"/> makes it that request's.</summary>
    public Span<byte> NextHead() =>
        _heads.GetSpan(_free.Next * HeadStride, FuseProtocol.WriteHeadBytes);

    public int Take(in FuseRequest request)
    {
        var index = _free.Take();
        _slots[index] = new FuseSlot
        {
            Request = request,
            NextOffset = request.Offset,
            Remaining = request.Length,
        };
        return index;
    }

    /// <summary>The request was answered.</summary>
    public void Release(int index)
    {
        Invariant.Require(_slots[index].Outstanding == 0, "a request slot is released with parts under way");
        ClearHead(index);
        _slots[index] = default;
        _free.Return(index);
    }

    /// <summary>The message in the next head was dealt with without becoming a request under way.</summary>
    public void ForgetNext() => ClearHead(_free.Next);

    public void Dispose() => _heads.Dispose();

    private void ClearHead(int index) => MemoryMarshal.Write(_heads.GetSpan(index * HeadStride, sizeof(uint)), 0u);
}
