using BlockRepl.Core.ActivityLog;
using BlockRepl.Core.Bitmap;
using BlockRepl.Core.State;

namespace BlockRepl.Core.Resource;

/// <summary>
/// The activity log: no write is submitted, here or to the peer, before its extents are in the durable set. One
/// transaction at a time: pages of evicted extents, flush, block, flush.
/// </summary>
internal sealed partial class Volume
{
    private enum CommitPhase
    {
        Idle,
        Pages,
        FlushBefore,
        Block,
        FlushAfter,
    }

    private readonly byte[] _logBlock = new byte[ActivityLogBlock.Bytes];
    private CommitPhase _commit;
    private int _commitPending;
    private bool _commitFailed;

    /// <summary>Data were written since the last flush of the disk.</summary>
    private bool _dataUnflushed;

    /// <summary>Starts a transaction if changes are pending and none runs.</summary>
    private void StartCommit()
    {
        if (_commit != CommitPhase.Idle || Log is null || Log.PendingChanges == 0 || _bitmapBusy)
        {
            return;
        }

        if (!Options.Disk.ActivityLogUpdates || !HasDisk)
        {
            Log.InstallWithoutTransaction();
            OnCommitted();
            return;
        }

        _commit = CommitPhase.Pages;
        _commitPending = 1;
        _commitFailed = false;
        _bitmapBusy = true;
        Log.BuildTransaction(_logBlock);
        Span<uint> evicted = stackalloc uint[ActivityLogBlock.MaxUpdates];
        Span<byte> bytes = stackalloc byte[OutOfSyncBitmap.PageBytes];
        int count = Log.EvictedExtents(evicted);
        for (int i = 0; i < count; i++)
        {
            int page = OutOfSyncBitmap.PageOfExtent(evicted[i]);
            if (page < Bitmap!.PageCount && Bitmap.IsPageDirty(page))
            {
                Bitmap.CopyPage(page, bytes);
                CommitWrite(Layout!.BitmapOffset + ((long)page * OutOfSyncBitmap.PageBytes), bytes);
            }
        }

        // 1. a write to extent E was answered; its data are in the disk's cache; 2. E leaves the log; 3. power fails;
        // 4. the data are lost here, the peer has them, and nothing says that the block differs. So the data go first.
        bool flushData = count > 0 && Options.Disk.DiskFlushes && (_dataUnflushed || _resyncDataUnflushed);
        if (flushData)
        {
            _dataUnflushed = _resyncDataUnflushed = false;
            _commitPending++;
            DiskOperations++;
            _host.FlushDisk(Number, CoreToken.Io(TokenKind.ActivityLog, 0));
        }

        CommitStepDone();
    }

    private void CommitWrite(long offset, ReadOnlySpan<byte> data)
    {
        _commitPending++;
        MetaOperations++;
        _host.WriteMeta(Number, CoreToken.Io(TokenKind.ActivityLog, 0), offset, data);
    }

    private void CommitFlush()
    {
        if (Options.Disk.MetaDataFlushes)
        {
            _commitPending++;
            MetaOperations++;
            _host.FlushMeta(Number, CoreToken.Io(TokenKind.ActivityLog, 0));
        }
    }

    /// <summary>One operation of the running transaction ended.</summary>
    public void OnCommitOperationDone(bool failed, bool meta)
    {
        OnBatchOperationDone(meta);
        _commitFailed |= failed;
        CommitStepDone();
    }

    private void CommitStepDone()
    {
        Invariant.Require(_commit != CommitPhase.Idle && _commitPending > 0, "a transaction is under way");
        while (--_commitPending == 0)
        {
            _commitPending = 1;
            switch (_commit)
            {
                case CommitPhase.Pages:
                    _commit = CommitPhase.FlushBefore;
                    CommitFlush();
                    break;
                case CommitPhase.FlushBefore:
                    _commit = CommitPhase.Block;
                    if (HasMetaData && !_commitFailed)
                    {
                        NoteTransaction(ActivityLogBlock.TransactionNumber(_logBlock));
                        CommitWrite(Log!.NextTransactionOffset(Layout!), _logBlock);
                    }

                    break;
                case CommitPhase.Block:
                    _commit = CommitPhase.FlushAfter;
                    CommitFlush();
                    break;
                default:
                    FinishCommit();
                    return;
            }
        }
    }

    private void FinishCommit()
    {
        _commit = CommitPhase.Idle;
        _commitPending = 0;
        _bitmapBusy = false;
        Counters.LogWrites++;
        Log!.Commit();
        if (_commitFailed)
        {
            // The extents count as hot now, but nothing is written to them here: the disk is gone.
            OnMetaDataError("writing the activity log failed");
        }

        OnCommitted();
    }

    /// <summary>Fills the whole ring, so that every block of it is a transaction of this session.</summary>
    private IEnumerable<Func<bool>> FillLog()
    {
        if (Log is null || !Options.Disk.ActivityLogUpdates)
        {
            yield break;
        }

        IoBatch batch = new();
        for (int i = 0; i < Log.Ring.Blocks && HasMetaData; i++)
        {
            long offset = Log.NextTransactionOffset(Layout!);
            Log.BuildEmptyTransaction(_logBlock);
            NoteTransaction(ActivityLogBlock.TransactionNumber(_logBlock));
            WriteMeta(batch, offset, _logBlock);
            Counters.LogWrites++;
            yield return () => batch.IsDone;
        }

        FlushMeta(batch);
        yield return () => batch.IsDone;
        if (batch.Failed)
        {
            OnMetaDataError("writing the activity log failed");
        }
    }

    /// <summary>
    /// With every bit set and nobody connected the log can say nothing new. The bits must be durable: 1. the set is
    /// forgotten while a page lacks bits; 2. the log is resumed, and its next transaction no longer names the page's
    /// extents;
    /// 3. power fails, and nothing on disk names them.
    /// </summary>
    private IEnumerable<Func<bool>> SuspendLogIfAllSet()
    {
        if (!MaySuspendLog())
        {
            yield break;
        }

        IoBatch batch = new();
        FlushMeta(batch);
        yield return () => batch.IsDone;
        if (!batch.Failed && MaySuspendLog())
        {
            LogSuspended = Log!.Reset();
        }
    }

    private bool MaySuspendLog()
    {
        bool allSet = Bitmap is not null && Bitmap.BitCount > 0 && Bitmap.SetCount == Bitmap.BitCount
            && Bitmap.NextDirtyPage(0) < 0;
        return allSet && !IsConnected(State) && Log is not null && !LogSuspended;
    }

    /// <summary>
    /// The set was emptied when the log was suspended, so every later write takes its extents anew. Writes that began
    /// without the log have their bits set, and a resync does not touch blocks that are being written to.
    /// </summary>
    private void ResumeLog() => LogSuspended = false;
}
