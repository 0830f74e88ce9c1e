using BlockRepl.Core;

namespace BlockRepl.FrontEnd.Nbd;

/// <summary>
/// Reads of more than one part. A simple reply is one header followed by all data, and no other reply may come between:
/// such a read runs when nothing else does, in parts that are sent in order while later ones are read. The header goes
/// out with the first part; if a later part fails the connection ends, because the header said success.
/// </summary>
internal sealed partial class NbdSession
{
    /// <summary>Parts read or being sent at one time.</summary>
    private const int ReadAheadParts = 4;

    private readonly LargeReadPart[] _parts = new LargeReadPart[ReadAheadParts];

    /// <summary>The slot of the large read that has the connection to itself, or -1.</summary>
    private int _largeRead = -1;

    /// <summary>
    /// Numbers of the next part to start, to send, and to take back from TCP; a part's place is its number modulo 4.
    /// </summary>
    private int _partsStarted;
    private int _partsSent;
    private int _partsReturned;

    private struct LargeReadPart
    {
        public BufferHandle Buffer;
        public int Bytes;
        public bool Done;
    }

    private void StartLargeRead(in NbdRequest request)
    {
        (_partsStarted, _partsSent, _partsReturned) = (0, 0, 0);
        _largeRead = _slots.Take(request);
    }

    private void ContinueLargeRead()
    {
        ref var slot = ref _slots[_largeRead];
        while (slot.Error == RequestError.None && slot.Remaining > 0 && _partsStarted - _partsReturned < ReadAheadParts)
        {
            var bytes = (int)Math.Min(slot.Remaining, _facts.MaxPartBytes);
            if (!_buffers.TryRent(bytes, out var buffer))
            {
                return;
            }

            var place = _partsStarted++ % ReadAheadParts;
            _parts[place] = new LargeReadPart { Buffer = buffer, Bytes = bytes };
            SubmitTagged(_largeRead, RequestKind.Read, bytes, buffer, false, (uint)place);
        }
    }

    private void OnLargeReadPart(int place)
    {
        _parts[place].Done = true;
        SettleLargeRead();
    }

    private void OnLargeReadSent()
    {
        ref var part = ref _parts[_partsReturned++ % ReadAheadParts];
        _buffers.Return(part.Buffer, part.Bytes);
        SettleLargeRead();
    }

    private void AbortLargeRead()
    {
        if (_largeRead >= 0)
        {
            ref var slot = ref _slots[_largeRead];
            slot.Error = slot.Error == RequestError.None ? RequestError.NoDevice : slot.Error;
            SettleLargeRead();
        }
    }

    /// <summary>Sends the parts that are ready, and ends the read when nothing of it is left under way.</summary>
    private void SettleLargeRead()
    {
        var index = _largeRead;
        ref var slot = ref _slots[index];
        while (slot.Error == RequestError.None && _partsSent < _partsStarted
            && _parts[_partsSent % ReadAheadParts].Done)
        {
            var place = _partsSent % ReadAheadParts;
            ref var part = ref _parts[place];
            EncodeReply(slot.Request.Cookie, NbdError.None);
            ReadOnlySpan<byte> head = _partsSent == 0 ? _replyHead : [];
            if (!_stream!.SendPayload(head, 0, part.Buffer, part.Bytes, (ulong)index, out _))
            {
                Break("replies pile up unread");
                return;
            }

            _partsSent++;
        }

        if (slot.Error != RequestError.None)
        {
            if (_partsSent > 0 && !_closing)
            {
                Break("a read failed after its reply had begun");
                return;
            }

            if (slot.Outstanding > 0)
            {
                return;
            }

            for (; _partsStarted > _partsSent; _partsStarted--)
            {
                ref var part = ref _parts[(_partsStarted - 1) % ReadAheadParts];
                _buffers.Return(part.Buffer, part.Bytes);
            }

            slot.Remaining = 0;
        }

        if (slot.Outstanding == 0 && slot.Remaining == 0 && _partsReturned == _partsStarted)
        {
            EndLargeRead(index);
        }
    }

    private void EndLargeRead(int index)
    {
        _largeRead = -1;
        if (_partsSent == 0)
        {
            CompletePlain(index);
        }
        else
        {
            _slots.Release(index);
        }
    }
}
