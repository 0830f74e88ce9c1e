namespace BlockRepl.Core.Resource;

/// <summary>What an <see cref="IoToken"/> stands for; kept in its upper byte.</summary>
internal enum TokenKind
{
    Request = 1,
    PeerRequest = 2,
    Batch = 3,
    ActivityLog = 4,
    Handler = 5,

    /// <summary>A disk flush that a barrier of the peer asks for; the index is the connection's generation.</summary>
    Barrier = 6,
}

/// <summary>Tokens of the core: a kind and an index.</summary>
internal static class CoreToken
{
    private const int KindShift = 56;

    public static IoToken Io(TokenKind kind, int index) => new(((ulong)kind << KindShift) | (uint)index);

    public static SendToken Send(TokenKind kind, int index) => new(((ulong)kind << KindShift) | (uint)index);

    public static TokenKind KindOf(ulong token) => (TokenKind)(token >> KindShift);

    public static int IndexOf(ulong token) => (int)(token & uint.MaxValue);
}

/// <summary>
/// Objects that are used again: no allocation once the table has grown to what is in use at one time.
/// </summary>
internal sealed class Pool<T>
    where T : class
{
    private readonly Func<int, T> _create;
    private readonly List<T> _all = [];
    private readonly Stack<int> _free = new();

    /// <param name="create">Makes the object with this index.</param>
    /// <param name="ready">How many are made at once.</param>
    public Pool(Func<int, T> create, int ready)
    {
        _create = create;
        for (int index = ready - 1; index >= 0; index--)
        {
            _free.Push(index);
            _all.Add(create(_all.Count));
        }
    }

    public T this[int index] => _all[index];

    public int InUse => _all.Count - _free.Count;

    public bool Contains(int index) => (uint)index < (uint)_all.Count;

    public T Rent()
    {
        if (_free.TryPop(out int index))
        {
            return _all[index];
        }

        T item = _create(_all.Count);
        _all.Add(item);
        return item;
    }

    public void Return(int index) => _free.Push(index);
}
