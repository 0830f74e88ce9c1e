using BlockRepl.Core;
using BlockRepl.Core.Protocol;
using BlockRepl.Simulation.Net;

namespace BlockRepl.Simulation.Nodes;

/// <summary>A TCP stream as a host sees it: what waits to be sent, and the reader that cuts what arrives.</summary>
internal sealed class SimStream(SimSocket socket)
{
    private readonly Queue<OutgoingItem> _queue = new();
    private int _headOffset;

    public SimSocket Socket { get; } = socket;

    public StreamId Id => new(Socket.Id);

    public PacketReader Reader { get; } = new();

    /// <summary>A packet was cut and waits for the rest of its payload.</summary>
    public bool PayloadPending { get; set; }

    public SocketEnd? End { get; set; }

    /// <summary>The core is not told of this stream any more.</summary>
    public bool Closed { get; set; }

    /// <summary>The bytes are no packets: nothing more is read.</summary>
    public bool Violated { get; set; }

    public bool DrainThenClose { get; set; }

    public long QueuedBytes { get; private set; }

    public void Enqueue(OutgoingItem item)
    {
        _queue.Enqueue(item);
        QueuedBytes += item.Count;
    }

    public bool HasQueued => _queue.Count > 0;

    /// <summary>Hands to TCP what it takes; returns the payloads that are handed over whole.</summary>
    public void Pump(SimBuffers buffers, Action<OutgoingItem> sent)
    {
        while (_queue.TryPeek(out OutgoingItem item))
        {
            ReadOnlySpan<byte> bytes = item.Bytes ?? buffers.Bytes(item.Buffer).AsSpan(0, item.Count);
            int taken = Socket.Write(bytes[_headOffset..]);
            _headOffset += taken;
            QueuedBytes -= taken;
            if (_headOffset < item.Count)
            {
                return;
            }

            _headOffset = 0;
            _queue.Dequeue();
            if (item.IsPayload)
            {
                sent(item);
            }
        }
    }

    /// <summary>Drops what is queued; the payloads among it are returned.</summary>
    public IEnumerable<OutgoingItem> DropQueue()
    {
        QueuedBytes = 0;
        _headOffset = 0;
        while (_queue.TryDequeue(out OutgoingItem item))
        {
            if (item.IsPayload)
            {
                yield return item;
            }
        }
    }
}

/// <summary>Bytes to send: a copied packet, or a payload in a buffer of the core.</summary>
internal readonly record struct OutgoingItem(
    byte[]? Bytes, BufferHandle Buffer, int Count, SendToken Token, bool IsPayload);
