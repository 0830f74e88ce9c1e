using BlockRepl.Core.Bitmap;
using BlockRepl.Core.Generations;
using BlockRepl.Core.MetaData;
using BlockRepl.Core.State;

namespace BlockRepl.Core.Resource;

/// <summary>Superblock and bitmap on disk: what is written, in which order, and what is durable when.</summary>
internal sealed partial class Volume
{
    private const int PagesPerRound = 64;

    private readonly byte[] _block = new byte[SuperBlock.Bytes];
    private SuperBlock _superBlock = new();
    private bool _superBlockDirty;
    private bool _superBlockBusy;

    /// <summary>The superblock on disk says that this node is or was Primary: its activity log counts.</summary>
    private bool _primaryOnDisk;

    /// <summary>A meta-data write or flush failed since the attach began.</summary>
    private bool _metaDataFailed;

    /// <summary>
    /// Pages of the bitmap are being written: by the bulk writer or by the activity log, never by both.
    /// </summary>
    private bool _bitmapBusy;

    /// <summary>
    /// Data were written by a resync since the last flush: they must be durable before cleared bits are.
    /// </summary>
    private bool _resyncDataUnflushed;

    public SuperBlockFlags Flags => _superBlock.Flags;

    /// <summary>Recomputes the flags that follow from the state.</summary>
    private void ApplyFlags()
    {
        if (Layout is null || State.Disk < DiskState.Inconsistent)
        {
            return;
        }

        uint flags = ((uint)_superBlock.Flags & ~StateRules.MetaDataFlagsMask)
            | StateRules.MetaDataFlags(State, CrashedPrimary);
        UpdateSuperBlock(_superBlock with { Flags = (SuperBlockFlags)flags });
    }

    private void UpdateSuperBlock(SuperBlock next)
    {
        if (next != _superBlock)
        {
            _superBlock = next;
            _superBlockDirty = true;
        }
    }

    private void SetUuids(in UuidSet uuids)
    {
        if (Uuids.Current != uuids.Current)
        {
            ExposedUuid = uuids.Current;
        }

        Uuids = uuids;
        if (Layout is not null)
        {
            UpdateSuperBlock(_superBlock with { Uuids = uuids });
        }
    }

    private void SetFlag(SuperBlockFlags flag, bool on) => UpdateSuperBlock(
        _superBlock with { Flags = on ? _superBlock.Flags | flag : _superBlock.Flags & ~flag });

    /// <summary>Starts a data generation; durable when it ends.</summary>
    private IEnumerable<Func<bool>> NewCurrentUuid()
    {
        _newUuidWanted = false;
        SetUuids(Uuids.NewCurrent(_host.NextRandom(), State.Role == Role.Primary));
        LogLine(
            CoreLogLevel.Information,
            $"new current UUID {Uuids.Current:X16}:{Uuids.Bitmap:X16}:{Uuids.History1:X16}:{Uuids.History2:X16}");
        return SyncSuperBlock();
    }

    /// <summary>
    /// When it ends the superblock on disk is at least as new as it was in memory when it began. Flush before: what the
    /// new block says of the bitmap must be true. Flush after: whoever waits relies on it.
    /// </summary>
    private IEnumerable<Func<bool>> SyncSuperBlock()
    {
        if (!_superBlockDirty || !HasMetaData)
        {
            yield break;
        }

        yield return () => !_superBlockBusy;
        if (!_superBlockDirty || !HasMetaData)
        {
            yield break;
        }

        _superBlockBusy = true;
        _superBlockDirty = false;

        // What is written is what was true here: a change that comes meanwhile has its own conditions and its own turn.
        _superBlock = _superBlock with { Magic = SuperBlock.MagicUnclean, SizeSectors = SizeSectors };
        SuperBlock image = _superBlock;
        IoBatch batch = new();
        if (_primaryOnDisk && !image.Flags.HasFlag(SuperBlockFlags.PrimaryIndicator))
        {
            // 1. a write is not replicated, its bit is set in memory; 2. the superblock says "not Primary"; 3. power
            // fails: the activity log counts no more and the bit was never written. So what the log covers is durable
            // before.
            FlushDisk(batch);
            yield return () => batch.IsDone;
            foreach (Func<bool> wait in WriteBitmap())
            {
                yield return wait;
            }

            if (batch.Failed || _metaDataFailed)
            {
                image = image with { Flags = image.Flags | SuperBlockFlags.FullSync };
            }
        }

        FlushMeta(batch);
        yield return () => batch.IsDone;
        if (HasMetaData)
        {
            _primaryOnDisk = image.Flags.HasFlag(SuperBlockFlags.PrimaryIndicator);
            image.Encode(_block);
            WriteMeta(batch, Layout!.SuperBlockOffset, _block);
            yield return () => batch.IsDone;
            FlushMeta(batch);
            yield return () => batch.IsDone;
        }

        _superBlockBusy = false;
        if (batch.Failed)
        {
            OnMetaDataError("writing the superblock failed");
        }
    }

    /// <summary>
    /// Writes every dirty page of the bitmap; not flushed, the next superblock or log write sees to that.
    /// </summary>
    private IEnumerable<Func<bool>> WriteBitmap()
    {
        if (!HasMetaData || Bitmap is null || Bitmap.NextDirtyPage(0) < 0)
        {
            yield break;
        }

        yield return () => !_bitmapBusy;
        if (!HasMetaData || Bitmap is null)
        {
            yield break;
        }

        _bitmapBusy = true;
        IoBatch batch = new();
        if (_resyncDataUnflushed)
        {
            // 1. a resync block is written, its bit cleared; 2. the page with the cleared bit becomes durable;
            // 3. power fails and the block's data, still in the disk's cache, are gone; 4. nobody resyncs it. Hence:
            _resyncDataUnflushed = false;
            FlushDisk(batch);
            yield return () => batch.IsDone;
        }

        int page = 0;
        while (HasMetaData && Bitmap is not null && (page = Bitmap.NextDirtyPage(page)) >= 0)
        {
            for (int n = 0; n < PagesPerRound && page >= 0; n++)
            {
                WritePage(batch, page);
                page = Bitmap.NextDirtyPage(page + 1);
            }

            yield return () => batch.IsDone;
            if (page < 0)
            {
                break;
            }
        }

        _bitmapBusy = false;
        if (!batch.Failed)
        {
            NoteBitmapWritten();
        }
        else
        {
            // If the superblock can still be written it must not vouch for marks that are not there.
            SetFlag(SuperBlockFlags.FullSync, on: true);
            OnMetaDataError("writing the bitmap failed");
        }
    }

    private void WritePage(IoBatch batch, int page)
    {
        Span<byte> bytes = stackalloc byte[OutOfSyncBitmap.PageBytes];
        Bitmap!.CopyPage(page, bytes);
        WriteMeta(batch, Layout!.BitmapOffset + ((long)page * OutOfSyncBitmap.PageBytes), bytes);
    }

    /// <summary>
    /// Marks everything out of sync so that a crash at any point leaves either the old state or FULL_SYNC.
    /// </summary>
    private IEnumerable<Func<bool>> SetAllBits()
    {
        SetFlag(SuperBlockFlags.FullSync, on: true);
        foreach (Func<bool> wait in SyncSuperBlock())
        {
            yield return wait;
        }

        if (Bitmap is null)
        {
            yield break;
        }

        Bitmap.SetAll();
        foreach (Func<bool> wait in WriteBitmap())
        {
            yield return wait;
        }

        EndFullSync();
        foreach (Func<bool> wait in SyncSuperBlock())
        {
            yield return wait;
        }
    }

    /// <summary>The bitmap is on disk; unless it could not be written.</summary>
    private void EndFullSync() => SetFlag(SuperBlockFlags.FullSync, on: _metaDataFailed);

    private IEnumerable<Func<bool>> ClearAllBits()
    {
        ResumeLog();
        Bitmap?.ClearAll();
        return WriteBitmap();
    }

    private void WriteMeta(IoBatch batch, long offset, ReadOnlySpan<byte> data)
    {
        if (_core.StartBatchOperation(this, batch, 0, out IoToken token))
        {
            MetaOperations++;
            _host.WriteMeta(Number, token, offset, data);
        }
    }

    private void ReadMeta(IoBatch batch, long offset, int byteCount, int into)
    {
        if (_core.StartBatchOperation(this, batch, into, out IoToken token))
        {
            MetaOperations++;
            _host.ReadMeta(Number, token, offset, byteCount);
        }
    }

    private void FlushMeta(IoBatch batch)
    {
        if (Options.Disk.MetaDataFlushes && _core.StartBatchOperation(this, batch, 0, out IoToken token))
        {
            MetaOperations++;
            _host.FlushMeta(Number, token);
        }
    }

    /// <summary>Makes the data area durable, unless the configuration says that its disk needs no flushes.</summary>
    private void FlushDisk(IoBatch batch)
    {
        if (Options.Disk.DiskFlushes && Layout is not null
            && _core.StartBatchOperation(this, batch, 0, out IoToken token))
        {
            DiskOperations++;
            _host.FlushDisk(Number, token);
        }
    }

    /// <summary>A meta-data or data operation of a script ended.</summary>
    public void OnBatchOperationDone(bool meta)
    {
        if (meta)
        {
            MetaOperations--;
        }
        else
        {
            DiskOperations--;
        }
    }

    private void OnMetaDataError(string what)
    {
        _metaDataFailed = true;
        if (State.Disk <= DiskState.Failed)
        {
            return;
        }

        LogLine(CoreLogLevel.Error, $"{what}: the disk is given up");
        _failedByError = true;
        Change(StateRequest.OwnDisk(DiskState.Failed), hard: true);
    }
}
