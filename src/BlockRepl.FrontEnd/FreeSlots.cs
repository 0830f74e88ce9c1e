using BlockRepl.Core;

namespace BlockRepl.FrontEnd;

/// <summary>Which slots of a table of requests are free: taking and giving back allocate nothing.</summary>
internal sealed class FreeSlots
{
    private readonly int[] _free;
    private int _count;

    public FreeSlots(int capacity)
    {
        _free = new int[capacity];
        _count = capacity;
        for (var i = 0; i < capacity; i++)
        {
            _free[i] = capacity - 1 - i;
        }
    }

    public int InUse => _free.Length - _count;

    public bool IsEmpty => _count == 0;

    /// <summary>The one that <see cref="Take"/> takes next.</summary>
    public int Next => _free[_count - 1];

    public int Take()
    {
        Invariant.Require(_count > 0, "a request slot is taken although none is free");
        return _free[--_count];
    }

    public void Return(int index) => _free[_count++] = index;
}
