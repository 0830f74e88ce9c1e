using BlockRepl.Core.MetaData;

namespace BlockRepl.Core.ActivityLog;

/// <summary>The transactions of the active set: building, committing, and forgetting without one.</summary>
public sealed partial class ActivityLogSet
{
    /// <summary>The next transaction's block, counted from the start of the log.</summary>
    public int NextTransactionBlock => Ring.BlockOf(TransactionNumber);

    /// <summary>The next transaction's byte offset on the meta-data device.</summary>
    public long NextTransactionOffset(MetaDataLayout layout) =>
        layout.ActivityLogOffset + (long)NextTransactionBlock * ActivityLogBlock.Bytes;

    /// <summary>
    /// The extents that the pending changes throw out; returns how many (at most 64). Their bitmap pages, and every
    /// data write that completed in them, must be durable before the transaction is written: afterwards nothing on disk
    /// remembers that they were being written to.
    /// </summary>
    public int EvictedExtents(Span<uint> into)
    {
        int count = 0;
        for (int i = 0; i < _changeCount; i++)
        {
            uint old = _extent[_changes[i]];
            if (old != ActivityLogBlock.Free)
            {
                into[count++] = old;
            }
        }

        return count;
    }

    /// <summary>
    /// Builds the block of the pending transaction and freezes it: until <see cref="Commit"/> requests get hits only.
    /// The block belongs at <see cref="NextTransactionOffset"/>.
    /// </summary>
    public void BuildTransaction(Span<byte> block4096)
    {
        Invariant.Require(!CommitRunning, "one activity-log transaction at a time");
        Encode(block4096[..ActivityLogBlock.Bytes], _changeCount);
        CommitRunning = true;
    }

    /// <summary>
    /// The built transaction is durable (or failed together with the disk): its extents become hot, and the next number
    /// and the next part of the context are due.
    /// </summary>
    public void Commit()
    {
        Invariant.Require(CommitRunning, "a committed transaction was built");
        CommitRunning = false;
        Advance();
        InstallChanges();
    }

    /// <summary>
    /// Makes the pending changes hot although no transaction was written: al-updates is off, where the set only serves
    /// the interlock with the resync.
    /// </summary>
    public void InstallWithoutTransaction()
    {
        Invariant.Require(!CommitRunning, "no transaction is being written");
        InstallChanges();
    }

    /// <summary>
    /// Builds a transaction without changes and moves on to the next number; for the initial fill of the ring. Take
    /// <see cref="NextTransactionOffset"/> before the call. No changes may be pending.
    /// </summary>
    public void BuildEmptyTransaction(Span<byte> block4096)
    {
        Invariant.Require(!CommitRunning && _changeCount == 0, "an empty transaction leaves no change behind");
        Encode(block4096[..ActivityLogBlock.Bytes], updates: 0);
        Advance();
    }

    /// <summary>
    /// Forgets the whole set without a transaction, for a suspended log: all bits are set, so the stale set on disk can
    /// only name blocks that are marked anyway. False, and nothing is forgotten, while extents are referenced or
    /// changing.
    /// </summary>
    public bool Reset()
    {
        if (CommitRunning || _changeCount > 0 || ReferencedCount > 0)
        {
            return false;
        }

        FreeEverySlot();
        _index.Clear();
        _oldest = None;
        _newest = None;
        _lruCount = 0;
        _starving = false;
        return true;
    }

    private void Encode(Span<byte> block, int updates)
    {
        ActivityLogBlock.Begin(block, TransactionNumber, Slots, _contextStart);
        for (int i = 0; i < updates; i++)
        {
            ActivityLogBlock.SetUpdate(block, i, _changes[i], _newExtent[_changes[i]]);
        }

        int context = Math.Min(ActivityLogBlock.ContextSlots, Slots - _contextStart);
        for (int i = 0; i < context; i++)
        {
            ActivityLogBlock.SetContext(block, i, _extent[_contextStart + i]);
        }

        ActivityLogBlock.Finish(block, updates);
    }

    private void Advance()
    {
        TransactionNumber = Ring.NumberAfter(TransactionNumber);
        _contextStart += ActivityLogBlock.ContextSlots;
        if (_contextStart >= Slots)
        {
            _contextStart = 0;
        }
    }

    private void InstallChanges()
    {
        for (int i = 0; i < _changeCount; i++)
        {
            int slot = _changes[i];
            _extent[slot] = _newExtent[slot];
            if (_references[slot] == 0)
            {
                AppendNewest(slot);
            }
        }

        _changeCount = 0;
    }
}
