using BlockRepl.Core;
using BlockRepl.Platform.Devices;

namespace BlockRepl.FrontEnd.Devices;

/// <summary>
/// One queue of a ublk device as a client of its volume, on the volume's loop. A request is a slot of a fixed table,
/// its tag the slot's number; nothing is allocated for it. A request that is larger than the core's runs as parts, one
/// after the other. What the kernel sends was checked by nobody else: every field is.
/// </summary>
internal sealed class UblkQueue : IVolumeClient, IUblkHandler
{
    /// <summary>Bytes of buffers that one queue holds at most, so that several share the front ends' pool.</summary>
    public const int MaxBytes = 8 << 20;

    private const int InputOutput = -5;
    private const int Invalid = -22;

    private readonly IVolumeDevice _device;
    private readonly int _maxIoBytes;
    private readonly int _maxZeroBytes;
    private readonly Slot[] _slots;
    private readonly BufferShare _buffers;
    private readonly TaskCompletionSource _tagsEnded = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource _closed = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>Tags that wait for buffers, the longest first; a ring.</summary>
    private readonly int[] _waiting;
    private int _waitingHead;
    private int _waitingCount;

    private IUblkQueueChannel? _channel;
    private VolumeFacts _facts;
    private int _endedTags;
    private int _outstanding;
    private bool _failing;
    private bool _gone;

    /// <param name="maxIoBytes">Largest read or write that the kernel was told of.</param>
    /// <param name="maxZeroBytes">The same for discards and zeroes.</param>
    public UblkQueue(IVolumeDevice device, int depth, int maxIoBytes, int maxZeroBytes)
    {
        _device = device;
        _maxIoBytes = maxIoBytes;
        _maxZeroBytes = maxZeroBytes;
        _slots = new Slot[depth];
        _buffers = new BufferShare(device, this, MaxBytes);
        _waiting = new int[depth];
    }

    private struct Slot
    {
        public UblkRequest Request;
        public int Length;

        /// <summary>Bytes that are done, and bytes of the part under way.</summary>
        public int Done;
        public int PartBytes;

        /// <summary>A read's buffer.</summary>
        public BufferHandle Buffer;

        /// <summary>The kernel waits for an answer.</summary>
        public bool IsOpen;

        /// <summary>The volume has a part of it.</summary>
        public bool IsUnderWay;

        /// <summary>A flush still has to follow the parts (zeroes with FUA).</summary>
        public bool FlushLeft;
    }

    /// <summary>The kernel uses the channel no more.</summary>
    public Task TagsEnded => _tagsEnded.Task;

    /// <summary>The kernel has refused or ended a tag.</summary>
    public bool HasEndedTags => _endedTags > 0;

    /// <summary>The volume is closed.</summary>
    public Task Closed => _closed.Task;

    /// <summary>Opens the volume; on the loop's thread, as everything from here on.</summary>
    public bool TryOpen(out VolumeFacts facts, out string refusal)
    {
        var opened = _device.TryOpen(this, out facts, out refusal);
        _facts = facts;
        return opened;
    }

    public void Begin(Func<IUblkHandler, IUblkQueueChannel> fetch) => _channel = fetch(this);

    /// <summary>Gives the volume back without ever having had a channel.</summary>
    public void Abandon()
    {
        Invariant.Require(_channel is null, "a queue with a channel ends with it");
        _endedTags = _slots.Length;
        MaybeClose();
    }

    /// <summary>Every request fails from now on, those under way too.</summary>
    public void Fail()
    {
        if (_failing)
        {
            return;
        }

        _failing = true;
        _waitingCount = 0;
        for (var tag = 0; tag < _slots.Length; tag++)
        {
            if (_slots[tag].IsOpen)
            {
                Answer(tag, InputOutput);
            }
        }
    }

    public void OnRequest(int tag, in UblkRequest request)
    {
        if (_failing)
        {
            _channel!.Commit(tag, InputOutput);
            return;
        }

        if (!IsValid(request))
        {
            _channel!.Commit(tag, Invalid);
            return;
        }

        ref var slot = ref _slots[tag];
        Invariant.Require(!slot.IsOpen && !slot.IsUnderWay, "a tag has one request at a time");
        slot.Request = request;
        slot.Length = request.Code == UblkCode.Flush ? 0 : (int)(request.Sectors << 9);
        slot.Done = 0;
        slot.IsOpen = true;
        slot.FlushLeft = request is { Code: UblkCode.WriteZeroes or UblkCode.Discard, ForceUnitAccess: true };
        if (_waitingCount > 0 || !TryPart(tag))
        {
            Wait(tag);
        }
    }

    public void OnEnded(int tag)
    {
        _endedTags++;
        MaybeClose();
    }

    public void OnCompleted(FrontEndToken token, RequestError error)
    {
        var tag = (int)token.Value;
        ref var slot = ref _slots[tag];
        Invariant.Require(slot.IsUnderWay, "a completion for a request that is not under way");
        slot.IsUnderWay = false;
        _outstanding--;
        var sent = FinishBuffer(tag, error == RequestError.None);
        if (!slot.IsOpen)
        {
            MaybeClose(); // it was answered by Fail
        }
        else if (error != RequestError.None || !sent)
        {
            Answer(tag, error == RequestError.Invalid ? Invalid : InputOutput);
        }
        else
        {
            GoOn(tag);
        }

        Pump();
    }

    public void OnBuffersAvailable() => Pump();

    public void OnVolumeChanged(in VolumeFacts facts) => _facts = facts;

    public void OnVolumeGone()
    {
        _gone = true;
        _outstanding = 0;
        Fail();
        MaybeClose();
    }

    private bool IsValid(in UblkRequest request)
    {
        if (request.Code == UblkCode.Flush)
        {
            return true;
        }

        var limit = request.Code is UblkCode.Read or UblkCode.Write ? _maxIoBytes
            : request.Code is UblkCode.Discard or UblkCode.WriteZeroes ? _maxZeroBytes
            : 0;
        var sectors = (ulong)_facts.SizeBytes >> 9;
        var mask = ((ulong)_facts.LogicalBlockBytes >> 9) - 1;
        return request.Sectors > 0 && request.Sectors <= (uint)limit >> 9
            && request.StartSector <= sectors && request.Sectors <= sectors - request.StartSector
            && ((request.StartSector | request.Sectors) & mask) == 0;
    }

    /// <summary>Starts the next part. False: it has to wait for buffers.</summary>
    private bool TryPart(int tag)
    {
        ref var slot = ref _slots[tag];
        var left = slot.Length - slot.Done;
        switch (slot.Request.Code)
        {
            case UblkCode.Read or UblkCode.Write:
                return TryDataPart(tag, Math.Min(left, _facts.MaxPartBytes));
            case UblkCode.Flush:
                Submit(tag, RequestKind.Flush, 0, BufferHandle.None);
                return true;
            case UblkCode.Discard:
                Submit(tag, RequestKind.Discard, Math.Min(left, _facts.MaxZeroBytes), BufferHandle.None);
                return true;
            default:
                var kind = slot.Request.NoUnmap ? RequestKind.WriteZeroesNoUnmap : RequestKind.WriteZeroesMayUnmap;
                Submit(tag, kind, Math.Min(left, _facts.MaxZeroBytes), BufferHandle.None);
                return true;
        }
    }

    private bool TryDataPart(int tag, int bytes)
    {
        if (!_buffers.TryRent(bytes, out var buffer))
        {
            return false;
        }

        ref var slot = ref _slots[tag];
        if (slot.Request.Code == UblkCode.Read)
        {
            slot.Buffer = buffer;
            Submit(tag, RequestKind.Read, bytes, buffer);
        }
        else if (_channel!.TryReceive(tag, slot.Done, buffer, bytes))
        {
            Submit(tag, RequestKind.Write, bytes, buffer);
        }
        else
        {
            _buffers.Return(buffer, bytes);
            Answer(tag, InputOutput);
        }

        return true;
    }

    private void Submit(int tag, RequestKind kind, int bytes, BufferHandle buffer)
    {
        ref var slot = ref _slots[tag];
        slot.PartBytes = bytes;
        slot.IsUnderWay = true;
        _outstanding++;
        var sector = kind == RequestKind.Flush ? 0 : slot.Request.StartSector + (uint)(slot.Done >> 9);
        var forceUnitAccess = kind == RequestKind.Write && slot.Request.ForceUnitAccess;
        _device.Submit(
            this, new FrontEndRequest(kind, sector, bytes, buffer, forceUnitAccess, new FrontEndToken((uint)tag)));
    }

    /// <summary>A read's data goes to the kernel, its buffer to the pool. False: the kernel did not take it.</summary>
    private bool FinishBuffer(int tag, bool good)
    {
        ref var slot = ref _slots[tag];
        if (slot.Request.Code is not (UblkCode.Read or UblkCode.Write))
        {
            return true;
        }

        if (slot.Request.Code == UblkCode.Write)
        {
            _buffers.Forget(slot.PartBytes);
            return true;
        }

        var sent = good && slot.IsOpen && _channel!.TrySend(tag, slot.Done, slot.Buffer, slot.PartBytes);
        _buffers.Return(slot.Buffer, slot.PartBytes);
        slot.Buffer = BufferHandle.None;
        return sent;
    }

    /// <summary>After a part that was done: the next one, a flush, or the answer.</summary>
    private void GoOn(int tag)
    {
        ref var slot = ref _slots[tag];
        slot.Done += slot.PartBytes;
        if (slot.Done < slot.Length)
        {
            if (_waitingCount > 0 || !TryPart(tag))
            {
                Wait(tag);
            }
        }
        else if (slot.FlushLeft)
        {
            slot.FlushLeft = false;
            Submit(tag, RequestKind.Flush, 0, BufferHandle.None);
        }
        else
        {
            Answer(tag, slot.Request.Code is UblkCode.Read or UblkCode.Write ? slot.Length : 0);
        }
    }

    private void Answer(int tag, int result)
    {
        _slots[tag].IsOpen = false;
        _channel!.Commit(tag, result);
    }

    private void Wait(int tag)
    {
        _waiting[(_waitingHead + _waitingCount) % _waiting.Length] = tag;
        _waitingCount++;
    }

    private void Pump()
    {
        while (_waitingCount > 0 && TryPart(_waiting[_waitingHead]))
        {
            _waitingHead = (_waitingHead + 1) % _waiting.Length;
            _waitingCount--;
        }
    }

    private void MaybeClose()
    {
        if (_endedTags < _slots.Length || !_tagsEnded.TrySetResult() && _closed.Task.IsCompleted)
        {
            return;
        }

        if (_outstanding == 0 && _closed.TrySetResult() && !_gone)
        {
            _device.Close(this);
        }
    }
}
