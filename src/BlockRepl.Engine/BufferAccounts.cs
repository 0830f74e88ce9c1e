using BlockRepl.Core;
using BlockRepl.Platform.Buffers;

namespace BlockRepl.Engine;

/// <summary>
/// The pool with an account per class of owners. Belongs to the loop's thread. Renting and returning allocate nothing
/// once the table of owners has grown to its size.
/// </summary>
internal sealed class BufferAccounts
{
    private readonly IoBufferPool _pool;

    /// <summary>Owner of each rented buffer: a return does not say whose it was.</summary>
    private readonly Dictionary<int, BufferOwner> _owners = new(capacity: 4096);

    private readonly long[] _rented = new long[3];

    public BufferAccounts(IoBufferPool pool) => _pool = pool;

    public IoBufferPool Pool => _pool;

    /// <summary>Set when a front end's buffer came back; the driver clears it when it has told the waiters.</summary>
    public bool FrontEndReturned { get; set; }

    public long RentedBytes(BufferOwner owner) => _rented[(int)owner];

    /// <summary>False when the class has used up its share, or no fitting piece is left.</summary>
    public bool TryRent(BufferOwner owner, int byteCount, out BufferHandle buffer)
    {
        buffer = BufferHandle.None;
        if (_rented[(int)owner] + byteCount > Limit(owner) || !_pool.TryRent(byteCount, out buffer))
        {
            return false;
        }

        _rented[(int)owner] += _pool.GetCapacity(buffer);
        _owners.Add(buffer.Value, owner);
        return true;
    }

    public void Return(BufferHandle buffer)
    {
        var known = _owners.Remove(buffer.Value, out var owner);
        Invariant.Require(known, "a buffer is returned that was not rented");
        _rented[(int)owner] -= _pool.GetCapacity(buffer);
        _pool.Return(buffer);
        FrontEndReturned |= owner == BufferOwner.FrontEnd;
    }

    /// <summary>
    /// The core's own limit is in requested bytes and never refused here; rounding at most doubles it.
    /// </summary>
    private static long Limit(BufferOwner owner) => owner switch
    {
        BufferOwner.FrontEnd => PoolBudget.FrontEndBytes,
        BufferOwner.Peer => PoolBudget.PeerBytes,
        _ => 2L * PoolBudget.CoreBytes,
    };
}
