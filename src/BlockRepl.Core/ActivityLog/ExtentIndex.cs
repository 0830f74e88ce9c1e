namespace BlockRepl.Core.ActivityLog;

/// <summary>Finds the slot of an extent: a hash table with chains through a fixed array, one link per slot.</summary>
internal sealed class ExtentIndex
{
    private const int None = -1;

    private readonly int[] _heads;
    private readonly int[] _links;
    private readonly int _shift;

    public ExtentIndex(int slots)
    {
        int bits = 1 + System.Numerics.BitOperations.Log2((uint)slots);
        _shift = 32 - bits;
        _heads = new int[1 << bits];
        _links = new int[slots];
        Clear();
    }

    /// <summary>
    /// The slot whose entry in <paramref name="extentOfSlot"/> is the extent; -1 if no slot was added for it.
    /// </summary>
    public int Find(uint extent, uint[] extentOfSlot)
    {
        int slot = _heads[Bucket(extent)];
        while (slot != None && extentOfSlot[slot] != extent)
        {
            slot = _links[slot];
        }

        return slot;
    }

    public void Add(uint extent, int slot)
    {
        ref int head = ref _heads[Bucket(extent)];
        _links[slot] = head;
        head = slot;
    }

    public void Remove(uint extent, int slot)
    {
        ref int link = ref _heads[Bucket(extent)];
        while (link != slot)
        {
            Invariant.Require(link != None, "a removed slot was in the index");
            link = ref _links[link];
        }

        link = _links[slot];
    }

    public void Clear() => Array.Fill(_heads, None);

    /// <summary>Multiplicative hash: neighbouring extents, the usual case, go to different chains.</summary>
    private int Bucket(uint extent) => (int)(extent * 0x9E3779B1u >> _shift);
}
