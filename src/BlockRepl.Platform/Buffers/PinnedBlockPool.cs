using System.Buffers;
using System.Runtime.InteropServices;

namespace BlockRepl.Platform.Buffers;

/// <summary>
/// Blocks of 16 KiB outside the managed heap, for the sockets of one loop: input pipes and send queues. Blocks are made
/// in slabs and kept for reuse; how many there are follows from the bounds of the sockets. Used on the loop's thread.
/// </summary>
internal sealed unsafe class PinnedBlockPool : MemoryPool<byte>
{
    public const int BlockBytes = 16 << 10;
    private const int BlocksPerSlab = 16;

    private readonly List<nint> _slabs = [];
    private PinnedBlock? _free;

    public override int MaxBufferSize => BlockBytes;

    /// <summary>Blocks lent out.</summary>
    public int InUse { get; private set; }

    public override IMemoryOwner<byte> Rent(int minBufferSize = -1)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(minBufferSize, BlockBytes);
        return Take();
    }

    public PinnedBlock Take()
    {
        if (_free is null)
        {
            AddSlab();
        }

        var block = _free!;
        _free = block.Next;
        block.Next = null;
        block.Used = 0;
        block.Pending = 0;
        InUse++;
        return block;
    }

    internal void Return(PinnedBlock block)
    {
        block.Next = _free;
        _free = block;
        InUse--;
    }

    protected override void Dispose(bool disposing)
    {
        _free = null;
        foreach (var slab in _slabs)
        {
            NativeMemory.AlignedFree((void*)slab);
        }

        _slabs.Clear();
    }

    private void AddSlab()
    {
        var slab = (byte*)NativeMemory.AlignedAlloc(BlockBytes * BlocksPerSlab, 4096);
        _slabs.Add((nint)slab);
        for (var i = 0; i < BlocksPerSlab; i++)
        {
            _free = new PinnedBlock(this, slab + (i * BlockBytes)) { Next = _free };
        }
    }
}

/// <summary>A block of a <see cref="PinnedBlockPool"/>; disposing returns it.</summary>
internal sealed unsafe class PinnedBlock(PinnedBlockPool pool, byte* address) : MemoryManager<byte>
{
    private readonly byte* _address = address;

    public PinnedBlock? Next { get; set; }

    /// <summary>Send queue: bytes filled.</summary>
    public int Used { get; set; }

    /// <summary>Send queue: bytes filled and not yet sent.</summary>
    public int Pending { get; set; }

    public byte* Address => _address;

    public override Span<byte> GetSpan() => new(_address, PinnedBlockPool.BlockBytes);

    public override MemoryHandle Pin(int elementIndex = 0) => new(_address + elementIndex);

    public override void Unpin()
    {
    }

    protected override void Dispose(bool disposing)
    {
        if (disposing)
        {
            pool.Return(this);
        }
    }
}
