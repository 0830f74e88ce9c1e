namespace BlockRepl.Core.ActivityLog;

/// <summary>What became of a request's wish to write to its extents.</summary>
public enum AcquireResult
{
    /// <summary>Every extent is in the durable set: write now.</summary>
    Hot,

    /// <summary>
    /// References were taken; some extents wait in the pending transaction: write after it is committed.
    /// </summary>
    Pending,

    /// <summary>Nothing was taken: only hits were wanted, and not all extents are in the durable set.</summary>
    Miss,

    /// <summary>
    /// Nothing was taken: a transaction is being written, or the pending one is full. Try after the commit.
    /// </summary>
    RetryAfterCommit,

    /// <summary>Nothing was taken: every slot is in use. Try after a release has brought a count to zero.</summary>
    Starving,
}

/// <summary>
/// The active set in memory: which 4 MiB extents a crash would mark out of sync, least recently used first out.
/// <para>
/// A request acquires all its extents before it is submitted to any disk and releases them after its last part is done
/// and its out-of-sync bits are set. An extent leaves the set only when its slot is needed for another one. Changes
/// collect in one pending transaction of up to 64; <see cref="BuildTransaction"/> freezes it, and <see cref="Commit"/>
/// says that it is durable. No call but the constructor allocates.
/// </para>
/// </summary>
public sealed partial class ActivityLogSet
{
    /// <summary>Extents that one request may touch: 128 MiB and one for misalignment.</summary>
    public const int MaxExtentsPerRequest = 33;

    private const int None = -1;

    private readonly uint[] _extent;
    private readonly uint[] _newExtent;
    private readonly int[] _references;
    private readonly int[] _previous;
    private readonly int[] _next;
    private readonly ExtentIndex _index;
    private readonly int[] _changes = new int[ActivityLogBlock.MaxUpdates];
    private int _changeCount;
    private int _freeHead;
    private int _freeCount;
    private int _oldest = None;
    private int _newest = None;
    private int _lruCount;
    private bool _starving;
    private int _contextStart;

    /// <param name="slots">al-extents, as <see cref="ActivityLogRing.ClipSlots"/> allows for the ring.</param>
    /// <param name="ring">The ring's shape.</param>
    /// <param name="firstTransactionNumber">Number of the session's first transaction.</param>
    public ActivityLogSet(int slots, ActivityLogRing ring, uint firstTransactionNumber = 0)
    {
        Invariant.Require(slots >= MaxExtentsPerRequest, "the activity log has slots for the largest request");
        Invariant.Require(
            slots <= (ring.Blocks - 1) * (long)ActivityLogBlock.ContextSlots, "the ring describes every slot");
        Invariant.Require(slots <= ActivityLogRing.MaxSlots, "slot numbers fit a transaction");
        Ring = ring;
        TransactionNumber = firstTransactionNumber;
        _extent = new uint[slots];
        _newExtent = new uint[slots];
        _references = new int[slots];
        _previous = new int[slots];
        _next = new int[slots];
        _index = new ExtentIndex(slots);
        FreeEverySlot();
    }

    public ActivityLogRing Ring { get; }

    public int Slots => _extent.Length;

    /// <summary>Number of the next transaction; wraps at 2^32.</summary>
    public uint TransactionNumber { get; private set; }

    /// <summary>Changes in the pending transaction, 0..64.</summary>
    public int PendingChanges => _changeCount;

    /// <summary>A transaction was built and waits for <see cref="Commit"/>.</summary>
    public bool CommitRunning { get; private set; }

    /// <summary>
    /// Every slot was in use when an extent was wanted: nobody gets a reference until one becomes free.
    /// </summary>
    public bool IsStarving => _starving;

    /// <summary>Extents with at least one reference, those of pending changes included.</summary>
    public int ReferencedCount { get; private set; }

    /// <summary>Extents surely in the durable set: those that no pending change replaces.</summary>
    public int HotCount => Slots - _freeCount - _changeCount;

    /// <summary>The extents surely in the durable set, in no order; for checkers.</summary>
    public IEnumerable<uint> HotExtents
    {
        get
        {
            for (int slot = 0; slot < Slots; slot++)
            {
                if (_extent[slot] != ActivityLogBlock.Free && _extent[slot] == _newExtent[slot])
                {
                    yield return _extent[slot];
                }
            }
        }
    }

    /// <summary>Whether a request holds the extent, in the durable set or in the pending transaction.</summary>
    public bool IsReferenced(uint extent)
    {
        int slot = Find(extent);
        return slot != None && _references[slot] > 0;
    }

    /// <summary>Whether the extent is surely in the durable set.</summary>
    public bool IsHot(uint extent)
    {
        int slot = Find(extent);
        return slot != None && !IsChanging(slot);
    }

    /// <summary>
    /// Takes one reference on each extent from first to last, or none at all. At most
    /// <see cref="MaxExtentsPerRequest"/> extents. With <paramref name="hitsOnly"/> no slot is changed.
    /// </summary>
    public AcquireResult TryAcquire(uint firstExtent, uint lastExtent, bool hitsOnly)
    {
        Invariant.Require(
            lastExtent >= firstExtent && lastExtent - firstExtent < MaxExtentsPerRequest
                && lastExtent != ActivityLogBlock.Free,
            "a request touches 1 to 33 extents");
        if (_starving)
        {
            return AcquireResult.Starving;
        }

        int misses = 0;
        int idleHits = 0;
        bool joinsPending = false;
        for (uint extent = firstExtent; extent <= lastExtent; extent++)
        {
            int slot = Find(extent);
            if (slot == None)
            {
                misses++;
            }
            else if (IsChanging(slot))
            {
                joinsPending = true;
            }
            else if (_references[slot] == 0)
            {
                idleHits++;
            }
        }

        if (misses == 0 && !joinsPending)
        {
            TakeReferences(firstExtent, lastExtent);
            return AcquireResult.Hot;
        }

        if (hitsOnly)
        {
            return AcquireResult.Miss;
        }

        return AcquireWithChanges(firstExtent, lastExtent, misses, idleHits);
    }

    /// <summary>
    /// Gives back what <see cref="TryAcquire"/> took; the out-of-sync bits of the request must be set by now.
    /// </summary>
    public void Release(uint firstExtent, uint lastExtent)
    {
        for (uint extent = firstExtent; extent <= lastExtent; extent++)
        {
            int slot = Find(extent);
            Invariant.Require(slot != None && _references[slot] > 0, "a released extent was acquired");
            _references[slot]--;
            if (_references[slot] == 0)
            {
                ReferencedCount--;
                _starving = false;
                if (!IsChanging(slot))
                {
                    AppendNewest(slot);
                }
            }
        }
    }

    private AcquireResult AcquireWithChanges(uint firstExtent, uint lastExtent, int misses, int idleHits)
    {
        if (CommitRunning)
        {
            return AcquireResult.RetryAfterCommit;
        }

        // The request's own idle extents are about to be referenced, so their slots cannot be taken for its misses.
        if (misses > _freeCount + _lruCount - idleHits)
        {
            if (_changeCount > 0)
            {
                return AcquireResult.RetryAfterCommit;
            }

            _starving = true;
            return AcquireResult.Starving;
        }

        if (misses > ActivityLogBlock.MaxUpdates - _changeCount)
        {
            return AcquireResult.RetryAfterCommit;
        }

        TakeReferences(firstExtent, lastExtent);
        return AcquireResult.Pending;
    }

    /// <summary>Hits first: a miss must not evict an extent that the same request hits.</summary>
    private void TakeReferences(uint firstExtent, uint lastExtent)
    {
        for (uint extent = firstExtent; extent <= lastExtent; extent++)
        {
            int slot = Find(extent);
            if (slot != None)
            {
                Reference(slot);
            }
        }

        for (uint extent = firstExtent; extent <= lastExtent; extent++)
        {
            if (Find(extent) == None)
            {
                Reference(BeginChange(extent));
            }
        }
    }

    private void Reference(int slot)
    {
        if (_references[slot] == 0)
        {
            ReferencedCount++;
            if (!IsChanging(slot))
            {
                RemoveFromLru(slot);
            }
        }

        _references[slot]++;
    }

    private int BeginChange(uint extent)
    {
        int slot = _freeHead;
        if (slot != None)
        {
            _freeHead = _next[slot];
            _freeCount--;
        }
        else
        {
            slot = _oldest;
            RemoveFromLru(slot);
            _index.Remove(_extent[slot], slot);
        }

        _newExtent[slot] = extent;
        _index.Add(extent, slot);
        _changes[_changeCount++] = slot;
        return slot;
    }

    private bool IsChanging(int slot) => _extent[slot] != _newExtent[slot];

    private int Find(uint extent) => _index.Find(extent, _newExtent);

    private void AppendNewest(int slot)
    {
        _previous[slot] = _newest;
        _next[slot] = None;
        if (_newest == None)
        {
            _oldest = slot;
        }
        else
        {
            _next[_newest] = slot;
        }

        _newest = slot;
        _lruCount++;
    }

    private void RemoveFromLru(int slot)
    {
        int previous = _previous[slot];
        int next = _next[slot];
        if (previous == None)
        {
            _oldest = next;
        }
        else
        {
            _next[previous] = next;
        }

        if (next == None)
        {
            _newest = previous;
        }
        else
        {
            _previous[next] = previous;
        }

        _lruCount--;
    }

    /// <summary>Slots are handed out from the highest number down, as DRBD does; readers must not rely on it.</summary>
    private void FreeEverySlot()
    {
        Array.Fill(_extent, ActivityLogBlock.Free);
        Array.Fill(_newExtent, ActivityLogBlock.Free);
        _freeHead = None;
        for (int slot = 0; slot < Slots; slot++)
        {
            _next[slot] = _freeHead;
            _freeHead = slot;
        }

        _freeCount = Slots;
    }
}
