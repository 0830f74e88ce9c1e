using BlockRepl.Core;
using BlockRepl.Core.Protocol;

namespace BlockRepl.Engine;

/// <summary>A packet that waits to be handed to its stream.</summary>
/// <param name="HeadStart">Place of its head in the list's bytes.</param>
/// <param name="Buffer">Its payload, or None.</param>
internal readonly record struct HeldSend(
    int HeadStart, int HeadBytes, DigestAlgorithm Digest, BufferHandle Buffer, int PayloadBytes, SendToken Token);

/// <summary>
/// What a stream has to send, held back in order while more payloads arrive whose digests can be computed together.
/// Keeps its memory, so that holding allocates nothing once it has grown to its size.
/// </summary>
internal sealed class HeldSends
{
    private readonly List<HeldSend> _sends = new(64);
    private byte[] _heads = new byte[16 << 10];
    private int _headBytes;

    public int Count => _sends.Count;

    /// <summary>When the first was found held at the end of a turn; 0 = not yet.</summary>
    public long FirstNs { get; set; }

    /// <summary>
    /// The turn in which another look at the sockets was asked for since the last payload began; 0 = none.
    /// </summary>
    public long LookedInTurn { get; set; }

    /// <summary>Held packets with a payload.</summary>
    public int Payloads { get; private set; }

    /// <summary>Bytes that the stream will send, digests included.</summary>
    public long Bytes { get; private set; }

    public HeldSend this[int index] => _sends[index];

    public void Add(
        ReadOnlySpan<byte> head, DigestAlgorithm digest, BufferHandle buffer, int payloadBytes, SendToken token)
    {
        if (_heads.Length - _headBytes < head.Length)
        {
            Array.Resize(ref _heads, Math.Max(_heads.Length * 2, _headBytes + head.Length));
        }

        head.CopyTo(_heads.AsSpan(_headBytes));
        _sends.Add(new HeldSend(_headBytes, head.Length, digest, buffer, payloadBytes, token));
        _headBytes += head.Length;
        Payloads += buffer.IsNone ? 0 : 1;
        Bytes += head.Length + digest.Size() + payloadBytes;
    }

    public ReadOnlySpan<byte> Head(in HeldSend send) => _heads.AsSpan(send.HeadStart, send.HeadBytes);

    public void Clear()
    {
        _sends.Clear();
        (_headBytes, Payloads, Bytes, FirstNs, LookedInTurn) = (0, 0, 0, 0, 0);
    }
}
