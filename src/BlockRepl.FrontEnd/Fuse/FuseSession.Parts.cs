using BlockRepl.Core;

namespace BlockRepl.FrontEnd.Fuse;

/// <summary>A request's buffers and parts, from the landing area to the reply.</summary>
internal sealed partial class FuseSession
{
    public void OnCompleted(FrontEndToken token, RequestError error)
    {
        var index = (int)token.Value;
        ref var slot = ref _slots[index];
        Invariant.Require(slot.Outstanding > 0, "a completion for a request that is not under way");
        slot.Outstanding--;
        if (slot.Error == RequestError.None)
        {
            slot.Error = error;
        }

        if (slot.Outstanding == 0)
        {
            if (slot.Request.Opcode == FuseOpcode.Allocate && slot.Error == RequestError.None && slot.Remaining > 0)
            {
                SubmitZeroPart(index);
                return;
            }

            Finish(index);
            MaybeFinish();
            PumpIfStarved();
        }
    }

    /// <summary>Answers a request all of whose parts have ended.</summary>
    private void Finish(int index)
    {
        ref var slot = ref _slots[index];
        var unique = slot.Request.Unique;
        var error = FuseRequest.ToWire(slot.Error);
        if (!_closing)
        {
            Span<byte> room = stackalloc byte[FuseProtocol.LongestReplyHeadBytes];
            if (error != FuseError.None || slot.Request.Opcode is not (FuseOpcode.Read or FuseOpcode.Write))
            {
                Send(FuseReply.Plain(room, unique, error));
            }
            else if (slot.Request.Opcode == FuseOpcode.Write)
            {
                Send(FuseReply.Written(room, unique, (uint)slot.Request.Length));
            }
            else
            {
                var bytes = (int)slot.Request.Length;
                var buffers = _slots.BuffersOf(index)[..slot.Buffers];
                _channel!.Write(FuseReply.Plain(room, unique, error, bytes), buffers, slot.PartBytes, bytes);
            }
        }

        foreach (ref var buffer in _slots.BuffersOf(index)[..slot.Buffers])
        {
            _device.ReturnBuffer(buffer);
            buffer = BufferHandle.None;
        }

        _bytesHeld -= slot.HeldBytes;
        _slots.Release(index);
    }

    /// <summary>A read or write, in parts that the volume takes; each has a buffer.</summary>
    private void StartTransfer(in FuseRequest request)
    {
        var bytes = (int)request.Length;
        var write = request.Opcode == FuseOpcode.Write;
        var index = _slots.Take(request);
        ref var slot = ref _slots[index];
        var buffers = _slots.BuffersOf(index);
        var partBytes = _landingPartBytes;
        slot.PartBytes = partBytes;
        if (bytes <= CopyBytes && bytes <= partBytes && _device.TryRentBuffer(bytes, out buffers[0]))
        {
            slot.Buffers = 1;
            slot.HeldBytes = bytes;
            if (write)
            {
                var pool = _device.Buffers;
                pool.GetSpan(_landing[0], bytes).CopyTo(pool.GetSpan(buffers[0], bytes));
            }
        }
        else
        {
            slot.Buffers = (bytes + partBytes - 1) / partBytes;
            slot.HeldBytes = slot.Buffers * partBytes;
            _landing.AsSpan(0, slot.Buffers).CopyTo(buffers);
            ReturnLanding(slot.Buffers);
        }

        _bytesHeld += slot.HeldBytes;
        var parts = slot.Buffers;
        if (write)
        {
            slot.Buffers = 0; // the volume's from here on
        }

        for (var i = 0; i < parts; i++)
        {
            var offset = i * partBytes;
            SubmitPart(
                index, write ? RequestKind.Write : RequestKind.Read, request.Offset + (ulong)offset,
                Math.Min(bytes - offset, partBytes), buffers[i]);
        }
    }

    private void SubmitZeroPart(int index)
    {
        ref var slot = ref _slots[index];
        slot.Request.TryGetZeroKind(out var kind);
        var bytes = (int)Math.Min(slot.Remaining, (ulong)_facts.MaxZeroBytes);
        var offset = slot.NextOffset;
        slot.NextOffset += (ulong)bytes;
        slot.Remaining -= (ulong)bytes;
        SubmitPart(index, kind, offset, bytes, BufferHandle.None);
    }

    private void SubmitPart(int index, RequestKind kind, ulong offset, int bytes, BufferHandle buffer)
    {
        _slots[index].Outstanding++;
        var token = new FrontEndToken((uint)index);
        _device.Submit(this, new FrontEndRequest(kind, offset >> 9, bytes, buffer, false, token));
    }

    /// <summary>Rents the landing area unless it is there. False: not now; trying again comes by itself.</summary>
    private bool PrepareLanding()
    {
        if (_landingParts > 0)
        {
            return true;
        }

        if (_bytesHeld > 0 && _bytesHeld + MaxTransferBytes > MaxBytes)
        {
            return false; // what is held comes back with a completion, which pumps again
        }

        var wholePages = _facts.MaxPartBytes & ~(SmallestPartBytes - 1);
        _landingPartBytes = Math.Clamp(wholePages, SmallestPartBytes, MaxTransferBytes);
        var parts = (MaxTransferBytes + _landingPartBytes - 1) / _landingPartBytes;
        for (; _landingParts < parts; _landingParts++)
        {
            if (!_device.TryRentBuffer(_landingPartBytes, out _landing[_landingParts]))
            {
                ReturnLanding();
                _device.NotifyWhenBuffersReturn(this);
                return false;
            }
        }

        return true;
    }

    /// <summary>Gives the landing area back, but for the first buffers, which a request has taken over.</summary>
    private void ReturnLanding(int taken = 0)
    {
        for (var i = taken; i < _landingParts; i++)
        {
            _device.ReturnBuffer(_landing[i]);
        }

        _landingParts = 0;
    }

    private void Reply(ulong unique, FuseError error)
    {
        Span<byte> room = stackalloc byte[FuseProtocol.ReplyHeadBytes];
        Send(FuseReply.Plain(room, unique, error));
    }

    /// <summary>A reply that the kernel does not take is to a request that nobody waits for any more.</summary>
    private void Send(ReadOnlySpan<byte> reply) => _channel!.Write(reply, [], 0, 0);
}
