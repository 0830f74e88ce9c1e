using System.Buffers.Binary;
using BlockRepl.Core;
using BlockRepl.Platform.Net;

namespace BlockRepl.FrontEnd.Nbd;

/// <summary>From the volume's completions to the client's replies.</summary>
internal sealed partial class NbdSession
{
    public void OnCompleted(FrontEndToken token, RequestError error)
    {
        var index = (int)(token.Value & SlotMask);
        var tag = (int)(token.Value >> 8);
        ref var slot = ref _slots[index];
        Invariant.Require(slot.Outstanding > 0, "a completion for a request that is not under way");
        slot.Outstanding--;
        if (slot.Error == RequestError.None)
        {
            slot.Error = error;
        }

        if (index == _largeRead)
        {
            OnLargeReadPart(tag);
        }
        else
        {
            switch (slot.Request.Command)
            {
                case NbdCommand.Read:
                    CompleteRead(index);
                    break;
                case NbdCommand.Write:
                    _buffers.Forget((int)(tag << 9));
                    CompleteWrite(index);
                    break;
                case NbdCommand.Flush:
                    CompletePlain(index);
                    break;
                default:
                    CompleteZero(index);
                    break;
            }
        }

        MaybeFinish();
        Pump();
    }

    public void OnSent(StreamSocket stream, ulong token, bool aborted)
    {
        var index = (int)(token & SlotMask);
        if (index == _largeRead)
        {
            OnLargeReadSent();
        }
        else
        {
            ref var slot = ref _slots[index];
            _buffers.Return(slot.Buffer, slot.BufferBytes);
            _slots.Release(index);
        }

        MaybeFinish();
        Pump();
    }

    private void CompleteRead(int index)
    {
        ref var slot = ref _slots[index];
        if (slot.Error == RequestError.None && !_closing)
        {
            EncodeReply(slot.Request.Cookie, NbdError.None);
            if (_stream!.SendPayload(_replyHead, 0, slot.Buffer, slot.BufferBytes, (ulong)index, out _))
            {
                return; // the slot lives until OnSent
            }

            Break("replies pile up unread");
        }

        _buffers.Return(slot.Buffer, slot.BufferBytes);
        CompletePlain(index);
    }

    private void CompleteWrite(int index)
    {
        ref var slot = ref _slots[index];
        if (slot.Outstanding == 0 && slot.Remaining == 0 && index != _receivingSlot)
        {
            CompletePlain(index);
        }
    }

    private void CompleteZero(int index)
    {
        ref var slot = ref _slots[index];
        if (slot.Error == RequestError.None && slot.Remaining > 0 && !_closing)
        {
            SubmitZeroPart(index);
        }
        else if (slot.Error == RequestError.None && slot.FlushLeft)
        {
            // The core knows FUA for writes only; a flush after the last part gives the same promise.
            slot.FlushLeft = false;
            Submit(index, RequestKind.Flush, 0, BufferHandle.None, false);
        }
        else
        {
            CompletePlain(index);
        }
    }

    private void CompletePlain(int index)
    {
        ref var slot = ref _slots[index];
        var (cookie, error) = (slot.Request.Cookie, slot.Error);
        _slots.Release(index);
        Reply(cookie, NbdRequest.ToWire(error));
    }

    private void Reply(ulong cookie, NbdError error)
    {
        if (_closing)
        {
            return;
        }

        EncodeReply(cookie, error);
        if (!_stream!.Send(_replyHead))
        {
            Break("replies pile up unread");
        }
    }

    private void EncodeReply(ulong cookie, NbdError error)
    {
        BinaryPrimitives.WriteUInt32BigEndian(_replyHead, NbdProtocol.SimpleReplyMagic);
        BinaryPrimitives.WriteUInt32BigEndian(_replyHead.AsSpan(4), (uint)error);
        BinaryPrimitives.WriteUInt64BigEndian(_replyHead.AsSpan(8), cookie);
    }
}
