using System.Numerics;
using BlockRepl.Core;

namespace BlockRepl.Simulation.Nodes;

/// <summary>
/// The payload buffers of one run of a node. It fails the simulation on a second release, on use after release and on
/// release during I/O; released buffers are poisoned. Arrays are used again, handles never.
/// </summary>
public sealed class SimBuffers
{
    private const byte Poison = 0xDB;
    private readonly Dictionary<int, Entry> _live = [];
    private readonly Stack<byte[]>[] _free = new Stack<byte[]>[32];
    private int _next = 1;

    /// <summary>Buffers that somebody holds.</summary>
    public int LiveCount => _live.Count;

    /// <summary>Bytes that the core rented itself.</summary>
    public long CoreRentedBytes { get; private set; }

    public BufferHandle Rent(int byteCount, bool byCore)
    {
        if (byteCount is <= 0 or > CoreLimits.MaxPayloadBytes)
        {
            throw new SimulationException($"a buffer of {byteCount} bytes was rented");
        }

        int size = Math.Max(4096, (int)BitOperations.RoundUpToPowerOf2((uint)byteCount));
        Stack<byte[]> free = _free[BitOperations.Log2((uint)size)] ??= new Stack<byte[]>();
        byte[] bytes = free.TryPop(out byte[]? used) ? used : new byte[size];
        BufferHandle handle = new(_next++);
        _live.Add(handle.Value, new Entry(bytes, byCore ? size : 0));
        if (byCore)
        {
            CoreRentedBytes += size;
            if (CoreRentedBytes > CoreLimits.PeerReadBytes)
            {
                throw new SimulationException($"the core rented {CoreRentedBytes} bytes, more than its bound");
            }
        }

        return handle;
    }

    public void Release(BufferHandle handle)
    {
        Entry entry = Find(handle);
        if (entry.Pins > 0)
        {
            throw new SimulationException($"buffer {handle.Value} was released during I/O");
        }

        _live.Remove(handle.Value);
        CoreRentedBytes -= entry.CoreBytes;
        Span<byte> bytes = entry.Bytes;
        bytes[..512].Fill(Poison);
        for (int i = 512; i < bytes.Length; i += 512)
        {
            bytes.Slice(i, 16).Fill(Poison);
        }

        _free[BitOperations.Log2((uint)bytes.Length)].Push(entry.Bytes);
    }

    public byte[] Bytes(BufferHandle handle) => Find(handle).Bytes;

    /// <summary>An I/O uses the buffer from now on.</summary>
    public byte[] Pin(BufferHandle handle)
    {
        Entry entry = Find(handle);
        entry.Pins++;
        return entry.Bytes;
    }

    public void Unpin(BufferHandle handle) => Find(handle).Pins--;

    private Entry Find(BufferHandle handle) =>
        _live.TryGetValue(handle.Value, out Entry? entry)
            ? entry
            : throw new SimulationException($"buffer {handle.Value} was used or released after its release");

    private sealed class Entry(byte[] bytes, int coreBytes)
    {
        public byte[] Bytes { get; } = bytes;

        public int CoreBytes { get; } = coreBytes;

        public int Pins { get; set; }
    }
}
