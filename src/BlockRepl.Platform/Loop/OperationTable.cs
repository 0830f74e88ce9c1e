using System.Runtime.InteropServices;
using BlockRepl.Core;
using BlockRepl.Platform.Native;

namespace BlockRepl.Platform.Loop;

/// <summary>
/// The operations of a loop: who waits for which, and those not yet handed to the kernel. An operation's name is its
/// slot and how often the slot was used, so that a late cancel hits nobody else.
/// </summary>
internal sealed unsafe class OperationTable : IDisposable
{
    private readonly Slot[] _slots;
    private readonly NativeOp* _queued;
    private int _free = -1;

    /// <summary>Slots that were taken at least once; the memory of the others was never touched.</summary>
    private int _used;

    public OperationTable(int capacity)
    {
        _slots = new Slot[capacity];
        _queued = (NativeOp*)NativeMemory.Alloc((nuint)capacity, (nuint)sizeof(NativeOp));
    }

    private struct Slot
    {
        public ICompletionHandler? Handler;
        public ulong Token;
        public uint Generation;
        public int Next;
    }

    public int InUse { get; private set; }

    public NativeOp* Queued => _queued;

    public int QueuedCount { get; private set; }

    public ulong Add(in NativeOp op, ICompletionHandler handler, ulong token)
    {
        Invariant.Require(InUse < _slots.Length, "more operations than the loop was made for");
        var index = _free;
        if (index < 0)
        {
            index = _used++;
        }
        else
        {
            _free = _slots[index].Next;
        }

        ref var slot = ref _slots[index];
        slot.Handler = handler;
        slot.Token = token;
        InUse++;
        var name = ((ulong)slot.Generation << 32) | (uint)index;
        ref var queued = ref _queued[QueuedCount++];
        queued = op;
        queued.UserData = name;
        return name;
    }

    public (ICompletionHandler Handler, ulong Token) Remove(ulong name)
    {
        Invariant.Require(IsInUse(name), "a completion for an operation that is not in flight");
        ref var slot = ref _slots[(uint)name];
        var handler = slot.Handler!;
        slot.Handler = null;
        slot.Generation++;
        slot.Next = _free;
        _free = (int)(uint)name;
        InUse--;
        return (handler, slot.Token);
    }

    public bool IsInUse(ulong name)
    {
        var index = (uint)name;
        return index < _slots.Length && _slots[index].Handler is not null && _slots[index].Generation == name >> 32;
    }

    public void ClearQueued() => QueuedCount = 0;

    public void Dispose() => NativeMemory.Free(_queued);
}
