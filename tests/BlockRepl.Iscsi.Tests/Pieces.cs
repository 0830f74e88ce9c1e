using System.Buffers;

namespace BlockRepl.Iscsi.Tests;

/// <summary>A sequence whose segments all have the same small size.</summary>
internal static class Pieces
{
    public static ReadOnlySequence<byte> Of(ReadOnlySpan<byte> bytes, int size)
    {
        var first = new Segment(ReadOnlyMemory<byte>.Empty, null);
        Segment last = first;
        for (int offset = 0; offset < bytes.Length; offset += size)
        {
            last = new Segment(bytes[offset..Math.Min(offset + size, bytes.Length)].ToArray(), last);
        }

        return new ReadOnlySequence<byte>(first, 0, last, last.Memory.Length);
    }

    private sealed class Segment : ReadOnlySequenceSegment<byte>
    {
        public Segment(ReadOnlyMemory<byte> memory, Segment? previous)
        {
            Memory = memory;
            if (previous is not null)
            {
                RunningIndex = previous.RunningIndex + previous.Memory.Length;
                previous.Next = this;
            }
        }
    }
}
