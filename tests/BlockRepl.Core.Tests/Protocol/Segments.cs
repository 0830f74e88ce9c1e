using System.Buffers;

namespace BlockRepl.Core.Tests.Protocol;

/// <summary>Byte sequences in awkward pieces.</summary>
internal static class Segments
{
    /// <summary>Pieces of 1..<paramref name="maxPiece"/> bytes, with an empty one now and then.</summary>
    public static ReadOnlySequence<byte> Split(byte[] bytes, int maxPiece, Random random)
    {
        Piece first = new(ReadOnlyMemory<byte>.Empty, 0);
        Piece last = first;
        int offset = 0;
        while (offset < bytes.Length)
        {
            int length = Math.Min(random.Next(1, maxPiece + 1), bytes.Length - offset);
            last = last.Append(bytes.AsMemory(offset, length));
            offset += length;
            if (random.Next(4) == 0)
            {
                last = last.Append(ReadOnlyMemory<byte>.Empty);
            }
        }

        return new ReadOnlySequence<byte>(first, 0, last, last.Memory.Length);
    }

    private sealed class Piece : ReadOnlySequenceSegment<byte>
    {
        public Piece(ReadOnlyMemory<byte> memory, long start)
        {
            Memory = memory;
            RunningIndex = start;
        }

        public Piece Append(ReadOnlyMemory<byte> memory)
        {
            Piece next = new(memory, RunningIndex + Memory.Length);
            Next = next;
            return next;
        }
    }
}
