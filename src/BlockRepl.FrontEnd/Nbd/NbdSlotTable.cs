using BlockRepl.Core;

namespace BlockRepl.FrontEnd.Nbd;

/// <summary>A request under way.</summary>
internal struct NbdSlot
{
    public NbdRequest Request;

    /// <summary>First error of any part.</summary>
    public RequestError Error;

    /// <summary>Parts handed to the volume and not completed.</summary>
    public int Outstanding;

    /// <summary>Where the next part begins, and how much is left to start; for a write: to receive.</summary>
    public ulong NextOffset;
    public long Remaining;

    /// <summary>A flush still has to follow the parts (zeroes with FUA).</summary>
    public bool FlushLeft;

    /// <summary>A read's buffer.</summary>
    public BufferHandle Buffer;
    public int BufferBytes;
}

/// <summary>The fixed table of a connection's requests: taking and giving back allocate nothing.</summary>
internal sealed class NbdSlotTable
{
    private readonly NbdSlot[] _slots;
    private readonly FreeSlots _free;

    public NbdSlotTable(int capacity)
    {
        _slots = new NbdSlot[capacity];
        _free = new FreeSlots(capacity);
    }

    public int InUse => _free.InUse;

    public bool IsFull => _free.IsEmpty;

    public ref NbdSlot this[int index] => ref _slots[index];

    public int Take(in NbdRequest request)
    {
        var index = _free.Take();
        _slots[index] = new NbdSlot
        {
            Request = request,
            NextOffset = request.Offset,
            Remaining = request.Length,
            FlushLeft = request.Command is NbdCommand.Trim or NbdCommand.WriteZeroes
                && (request.Flags & NbdCommandFlags.Fua) != 0,
        };
        return index;
    }

    public void Release(int index)
    {
        Invariant.Require(_slots[index].Outstanding == 0, "a request slot is released with parts under way");
        _slots[index] = default;
        _free.Return(index);
    }
}
