using BlockRepl.Core;
using BlockRepl.Platform.Buffers;
using BlockRepl.Platform.Native;

namespace BlockRepl.Platform.Net;

/// <summary>
/// What waits to be sent on a stream, in order: runs of packet bytes in send blocks, and payloads where they lie. A
/// send takes the first pieces as they are; how much of them the kernel took decides what goes away.
/// </summary>
internal sealed unsafe class SendQueue(PinnedBlockPool pool)
{
    private Piece[] _pieces = new Piece[64];
    private int _head;
    private int _count;
    private PinnedBlock? _tail;

    private struct Piece
    {
        public byte* Address;
        public int Bytes;

        /// <summary>The block the bytes lie in; null for a payload.</summary>
        public PinnedBlock? Block;
        public ulong Token;
    }

    public bool IsEmpty => _count == 0;

    /// <summary>Packet bytes waiting, without payloads.</summary>
    public long PacketBytes { get; private set; }

    /// <summary>All bytes waiting.</summary>
    public long QueuedBytes { get; private set; }

    /// <summary>Copies bytes to the end of the queue.</summary>
    public void Append(ReadOnlySpan<byte> bytes)
    {
        while (bytes.Length > 0)
        {
            var block = TailWithRoom(1);
            var part = bytes[..Math.Min(bytes.Length, PinnedBlockPool.BlockBytes - block.Used)];
            part.CopyTo(new Span<byte>(block.Address + block.Used, part.Length));
            Extend(block, part.Length);
            bytes = bytes[part.Length..];
        }
    }

    /// <summary>Adds bytes that are filled in later; they lie together. Returns where.</summary>
    public nint AppendGap(int bytes)
    {
        var block = TailWithRoom(bytes);
        var address = (nint)(block.Address + block.Used);
        Extend(block, bytes);
        return address;
    }

    public void AppendPayload(nint address, int bytes, ulong token)
    {
        Push(new Piece { Address = (byte*)address, Bytes = bytes, Token = token });
        QueuedBytes += bytes;
    }

    /// <summary>Describes the first pieces for one send; returns their number.</summary>
    public int Describe(NativeIovec* iovecs, int max, long maxBytes)
    {
        var count = 0;
        for (long bytes = 0; count < Math.Min(max, _count) && bytes < maxBytes; count++)
        {
            ref var piece = ref At(count);
            iovecs[count] = new NativeIovec { Address = (ulong)piece.Address, Length = (ulong)piece.Bytes };
            bytes += piece.Bytes;
        }

        return count;
    }

    /// <summary>
    /// Takes away what was sent, piece by piece: call again with the same <paramref name="bytes"/> until it returns
    /// false. True: a payload is through, <paramref name="token"/> names it.
    /// </summary>
    public bool Consume(ref int bytes, out ulong token)
    {
        token = 0;
        while (_count > 0)
        {
            ref var piece = ref At(0);
            var part = Math.Min(bytes, piece.Bytes);
            bytes -= part;
            QueuedBytes -= part;
            piece.Address += part;
            piece.Bytes -= part;
            if (piece.Block is { } block)
            {
                PacketBytes -= part;
                Release(block, part);
            }

            if (piece.Bytes > 0)
            {
                return false;
            }

            var isPayload = piece.Block is null;
            token = piece.Token;
            Pop();
            if (isPayload)
            {
                return true;
            }
        }

        Invariant.Require(bytes == 0, "no more is sent than was queued");
        return false;
    }

    /// <summary>Drops the first pieces up to the next payload, which is named; false: the queue is empty.</summary>
    public bool Drop(out ulong token)
    {
        while (_count > 0)
        {
            var bytes = At(0).Bytes;
            if (Consume(ref bytes, out token))
            {
                return true;
            }
        }

        if (_tail is { } tail)
        {
            _tail = null;
            pool.Return(tail);
        }

        token = 0;
        return false;
    }

    private ref Piece At(int index) => ref _pieces[(_head + index) & (_pieces.Length - 1)];

    private PinnedBlock TailWithRoom(int bytes)
    {
        if (_tail is { } tail)
        {
            if (tail.Pending == 0)
            {
                tail.Used = 0;
            }

            if (PinnedBlockPool.BlockBytes - tail.Used >= bytes)
            {
                return tail;
            }

            if (tail.Pending == 0)
            {
                pool.Return(tail);
            }
        }

        _tail = pool.Take();
        return _tail;
    }

    /// <summary>
    /// Counts bytes filled at a block's end into the queue, as part of the last piece where they follow it.
    /// </summary>
    private void Extend(PinnedBlock block, int bytes)
    {
        var address = block.Address + block.Used;
        block.Used += bytes;
        block.Pending += bytes;
        PacketBytes += bytes;
        QueuedBytes += bytes;
        if (_count > 0)
        {
            ref var last = ref At(_count - 1);
            if (last.Block == block && last.Address + last.Bytes == address)
            {
                last.Bytes += bytes;
                return;
            }
        }

        Push(new Piece { Address = address, Bytes = bytes, Block = block });
    }

    private void Release(PinnedBlock block, int bytes)
    {
        block.Pending -= bytes;
        if (block.Pending == 0 && block != _tail)
        {
            pool.Return(block);
        }
    }

    private void Push(in Piece piece)
    {
        if (_count == _pieces.Length)
        {
            Grow();
        }

        _count++;
        At(_count - 1) = piece;
    }

    private void Pop()
    {
        _pieces[_head] = default;
        _head = (_head + 1) & (_pieces.Length - 1);
        _count--;
    }

    private void Grow()
    {
        var larger = new Piece[_pieces.Length * 2];
        for (var i = 0; i < _count; i++)
        {
            larger[i] = At(i);
        }

        _pieces = larger;
        _head = 0;
    }
}
