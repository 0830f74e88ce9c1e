using BlockRepl.Core.ActivityLog;
using BlockRepl.Core.Bitmap;
using BlockRepl.Core.MetaData;
using BlockRepl.Core.Sizes;
using BlockRepl.Core.State;

namespace BlockRepl.Core.Resource;

/// <summary>A disk comes and goes: attach with replay of the activity log, detach, failure.</summary>
internal sealed partial class Volume
{
    private const int ReadChunkBytes = 1 << 20;

    /// <summary>
    /// Reads the meta data, replays what a crash left, and brings the disk up. Ends with a result for the command.
    /// </summary>
    /// <param name="survivors">What a process that was killed left in the record of this volume, or null.</param>
    public IEnumerable<Func<bool>> Attach(
        BackingDisk disk, SurvivingWrites? survivors, Action<CommandResult> answer)
    {
        StateChangeResult begun = State.Disk != DiskState.Diskless
            ? StateChangeResult.NothingToDo
            : Change(StateRequest.OwnDisk(DiskState.Attaching));
        if (begun != StateChangeResult.Success)
        {
            answer(new CommandResult(124, $"volume {Number} has a disk already: detach it first"));
            yield break;
        }

        _metaDataFailed = false;
        CommandResult problem = CommandResult.Success;
        IoBatch batch = new() { Data = new byte[SuperBlock.Bytes] };
        long offset = MetaDataLayout.FindSuperBlock(disk);
        if (offset >= 0)
        {
            ReadMeta(batch, offset, SuperBlock.Bytes, 0);
            yield return () => batch.IsDone;
        }

        problem = UseSuperBlock(disk, offset, batch);
        if (problem.Succeeded)
        {
            IoBatch ring = new() { Data = new byte[Layout!.ActivityLogBytes] };
            foreach (Func<bool> wait in ReadArea(ring, Layout.ActivityLogOffset))
            {
                yield return wait;
            }

            foreach (Func<bool> wait in LoadBitmap(ring, survivors, p => problem = p))
            {
                yield return wait;
            }
        }

        if (!problem.Succeeded)
        {
            // A connection that ends meanwhile writes meta data too: the disk is closed when the last of that is done.
            Change(StateRequest.OwnDisk(DiskState.Diskless), hard: true);
            yield return () => MetaOperations == 0 && DiskOperations == 0;
            DropDisk();
            answer(problem);
            yield break;
        }

        // What is said in the middle of a handshake of a disk that was not there at its beginning nobody expects.
        yield return () => !Connection.StateSent;
        ComeUp();
        foreach (Func<bool> wait in SyncSuperBlock())
        {
            yield return wait;
        }

        _dataUnflushed = false;
        answer(CommandResult.Success);
    }

    private IEnumerable<Func<bool>> ReadArea(IoBatch batch, long offset)
    {
        for (int at = 0; at < batch.Data.Length; at += ReadChunkBytes)
        {
            ReadMeta(batch, offset + at, Math.Min(ReadChunkBytes, batch.Data.Length - at), at);
        }

        yield return () => batch.IsDone;
    }

    /// <summary>Checks what was read and takes it over into memory; nothing is written yet.</summary>
    private CommandResult UseSuperBlock(BackingDisk disk, long offset, IoBatch batch)
    {
        if (batch.Failed)
        {
            return new CommandResult(118, $"the superblock at byte {offset} of the meta-data device cannot be read");
        }

        if (offset < 0)
        {
            return new CommandResult(112, "the meta-data device is too small: it has no room for meta data");
        }

        MetaDataError error =
            SuperBlock.TryDecode(batch.Data, disk, out SuperBlock? superBlock, out MetaDataLayout? layout);
        if (error != MetaDataError.None || superBlock is null || layout is null)
        {
            int code = error == MetaDataError.Unclean83Log ? 165 : 119;
            return new CommandResult(
                code, MetaDataErrors.Describe(error, disk, $"the disk of volume {Number}", batch.Data));
        }

        bool inUse = State.Role == Role.Primary || State.PeerRole == Role.Primary;
        bool foreign = Generations.UuidSet.Masked(ExposedUuid) != Generations.UuidSet.Masked(superBlock.Uuids.Current);
        if (inUse && State.PeerDisk != DiskState.UpToDate && ExposedUuid != 0 && foreign)
        {
            return new CommandResult(
                150, "this disk does not hold the data generation that is in use: attach the right disk");
        }

        bool consistent = superBlock.Flags.HasFlag(SuperBlockFlags.Consistent);
        SizeInput sizes = new(
            layout.MaxCapacitySectors, PeerDiskSectors, superBlock.SizeSectors, LimitSectors,
            IsConnected(State), AssumePeerHasSpace: false);
        SizeVerdict size = DeviceSize.Attach(sizes, consistent, SizeSectors);
        if (size.Error != SizeError.None)
        {
            return new CommandResult((int)size.Error, size.Error == SizeError.ImplicitShrink
                ? $"the disk holds {layout.MaxCapacitySectors} sectors, its data need {superBlock.SizeSectors}: "
                    + "use a larger disk"
                : $"the disk holds {layout.MaxCapacitySectors} sectors, less than the device: use a larger disk");
        }

        Disk = disk;
        Layout = layout;
        _superBlock = superBlock;
        _primaryOnDisk = superBlock.Flags.HasFlag(SuperBlockFlags.PrimaryIndicator);
        _superBlockDirty = true;
        _attachSize = size;
        return CommandResult.Success;
    }

    private SizeVerdict _attachSize;

    /// <summary>
    /// The bitmap as the crash left it plus the extents of the activity log, made durable; then a fresh ring.
    /// </summary>
    private IEnumerable<Func<bool>> LoadBitmap(
        IoBatch ringBytes, SurvivingWrites? survivors, Action<CommandResult> fail)
    {
        bool wasPrimary = Flags.HasFlag(SuperBlockFlags.PrimaryIndicator);
        bool fullSync = Flags.HasFlag(SuperBlockFlags.FullSync) || _superBlock.SizeSectors == 0
            || (wasPrimary && Flags.HasFlag(SuperBlockFlags.ActivityLogDisabled));
        ReplayResult replay = ActivityLogReplay.Replay(ringBytes.Data, Layout!.Ring.Stripes, Layout.Ring.StripeSize4k);
        if (ringBytes.Failed)
        {
            fail(new CommandResult(118, "the activity log cannot be read"));
            yield break;
        }

        fullSync |= wasPrimary && replay.IsActiveSetUnknown;
        OutOfSyncBitmap bitmap = new(_superBlock.SizeSectors);
        IoBatch pages = new() { Data = fullSync ? [] : new byte[bitmap.PageCount * OutOfSyncBitmap.PageBytes] };
        foreach (Func<bool> wait in ReadArea(pages, Layout.BitmapOffset))
        {
            yield return wait;
        }

        if (pages.Failed)
        {
            fail(new CommandResult(118, "the bitmap cannot be read"));
            yield break;
        }

        for (int page = 0; page < bitmap.PageCount && !fullSync; page++)
        {
            bitmap.LoadPage(page, pages.Data.AsSpan(page * OutOfSyncBitmap.PageBytes, OutOfSyncBitmap.PageBytes));
        }

        if (wasPrimary && replay.Status == ReplayStatus.Replayed)
        {
            MarkReplayed(bitmap, replay, survivors);
        }

        Bitmap = bitmap;
        int slots = Layout.Ring.ClipSlots(Options.Disk.ActivityLogExtents);
        Log = new ActivityLogSet(slots, Layout.Ring);
        UpdateSuperBlock(_superBlock with { AlExtents = (uint)slots });
        foreach (Func<bool> wait in MakeReplayDurable(fullSync))
        {
            yield return wait;
        }

        if (State.Disk != DiskState.Attaching || _metaDataFailed)
        {
            fail(new CommandResult(118, "the meta data cannot be written: see the log"));
        }
    }

    private void MarkReplayed(OutOfSyncBitmap bitmap, ReplayResult replay, SurvivingWrites? survivors)
    {
        ulong before = bitmap.SetCount;
        if (survivors is not null && survivors.Fits(_superBlock.DeviceUuid, replay))
        {
            foreach (WriteRange write in survivors.Writes)
            {
                bitmap.SetRange(write.Sector, (ulong)write.ByteCount);
            }

            LogLine(CoreLogLevel.Information,
                $"the process before was killed with {survivors.Writes.Count} writes under way: "
                + $"{bitmap.SetCount - before} blocks newly marked");
            return;
        }

        foreach (uint extent in replay.Extents)
        {
            bitmap.SetRange(
                (ulong)extent * ActivityLogBlock.SectorsPerExtent, (ulong)ActivityLogBlock.SectorsPerExtent * 512);
        }

        LogLine(CoreLogLevel.Information,
            $"replayed the activity log: {replay.Extents.Count} hot extents, "
            + $"{bitmap.SetCount - before} blocks newly marked");
    }

    /// <summary>
    /// Bits first, then the ring. 1. the ring is made new; 2. power fails before the bits are durable; 3. the hot
    /// extents are named nowhere. In this order a crash at any point only repeats the replay.
    /// </summary>
    private IEnumerable<Func<bool>> MakeReplayDurable(bool fullSync)
    {
        SizeSectors = _attachSize.Sectors;

        // 1. a Primary's process is killed, its data are in the disk's cache; 2. it comes back, resyncs the hot extents
        // to the peer and clears their bits; 3. power fails and the cache with it: the blocks differ and nothing says
        // so.
        IoBatch data = new();
        FlushDisk(data);
        yield return () => data.IsDone;
        if (fullSync)
        {
            // The bitmap was not read. FULL_SYNC is durable before anything else changes.
            Bitmap!.Resize(SizeSectors, setNewBits: true);
            foreach (Func<bool> wait in SetAllBits())
            {
                yield return wait;
            }
        }
        else
        {
            if (Bitmap!.CapacitySectors != SizeSectors)
            {
                Bitmap.Resize(SizeSectors, setNewBits: true);
            }

            foreach (Func<bool> wait in WriteBitmap())
            {
                yield return wait;
            }
        }

        IoBatch flush = new();
        FlushMeta(flush);
        yield return () => flush.IsDone;
        if (flush.Failed || data.Failed || _metaDataFailed)
        {
            // The ring stays as it is: it may be the only place that names the hot extents.
            _metaDataFailed = true;
            yield break;
        }

        foreach (Func<bool> wait in FillLog())
        {
            yield return wait;
        }
    }

    /// <summary>The disk's state follows from the flags; with a connection the nodes negotiate it first.</summary>
    private void ComeUp()
    {
        uint flags = (uint)_superBlock.Flags;
        bool wasPrimary = _superBlock.Flags.HasFlag(SuperBlockFlags.PrimaryIndicator);
        bool reattachWhileFrozen = State.Role == Role.Primary && State.SuspendedNoData;
        Uuids = _superBlock.Uuids;
        CrashedPrimary = _superBlock.Flags.HasFlag(SuperBlockFlags.CrashedPrimary)
            || (wasPrimary && !reattachWhileFrozen);
        Degraded = State.Role != Role.Primary && wasPrimary
            && !_superBlock.Flags.HasFlag(SuperBlockFlags.ConnectedIndicator);
        SetFlag(SuperBlockFlags.ActivityLogDisabled, !Options.Disk.ActivityLogUpdates);
        _negotiatedDisk = StateRules.DiskStateAtAttach(flags, Options.Disk.Fencing);
        _negotiatedPeerDisk = StateRules.PeerDiskAtAttach(flags);
        if (IsConnected(State))
        {
            ChangeTo(State with { Disk = DiskState.Negotiating }, hard: true);
        }
        else
        {
            ChangeTo(State with { Disk = _negotiatedDisk, PeerDisk = _negotiatedPeerDisk }, hard: true);
            ExposedUuid = Uuids.Current;
        }

        SetUuids(Uuids.WithRole(State.Role == Role.Primary));
        LogSuspended = MaySuspendLog() && Log!.Reset();
        BeginRecord();
        _host.DeviceChanged(Number);
    }

    /// <summary>The disk is Failed, by error or by request: last words to it, then it goes.</summary>
    private IEnumerable<Func<bool>> AfterDiskFailed()
    {
        if (_failedByError && Options.Disk.OnIoError == Core.Options.OnIoError.CallLocalIoError)
        {
            _host.RunHandler(default, HandlerKind.LocalIoError, Number);
        }

        AbortResyncWork();
        yield return () => DiskOperations == 0;
        if (State.Disk != DiskState.Failed)
        {
            yield break;
        }

        // What the meta data will say of the data must be true after a power failure too.
        IoBatch data = new();
        FlushDisk(data);
        yield return () => data.IsDone;
        if (data.Failed && (_dataUnflushed || _resyncDataUnflushed))
        {
            SetFlag(SuperBlockFlags.FullSync, on: true);
        }

        _dataUnflushed &= data.Failed;
        foreach (Func<bool> wait in SaveAll())
        {
            yield return wait;
        }

        yield return () => MetaOperations == 0 && DiskOperations == 0 && _commit == CommitPhase.Idle;
        Change(StateRequest.OwnDisk(DiskState.Diskless), hard: true);
        DropDisk();
    }

    private void DropDisk()
    {
        Layout = null;
        Disk = null;
        Bitmap = null;
        Log = null;
        LogSuspended = false;
        EndRecord();
        _superBlockDirty = false;
        _failedByError = _failedByRead = false;
        _host.CloseDisk(Number);
        _host.DeviceChanged(Number);
        _core.WakeBlocked();
    }

    /// <summary>An I/O error of the data area, judged by on-io-error.</summary>
    private void OnDiskError(bool read, string what)
    {
        if (State.Disk <= DiskState.Failed)
        {
            return;
        }

        LogLine(CoreLogLevel.Error, $"local disk error: {what} (on-io-error {Options.Disk.OnIoError})");
        if (Options.Disk.OnIoError == Core.Options.OnIoError.PassOn)
        {
            if (State.Disk > DiskState.Inconsistent)
            {
                Change(StateRequest.OwnDisk(DiskState.Inconsistent), hard: true);
            }

            return;
        }

        _failedByError = true;
        _failedByRead |= read;
        Change(StateRequest.OwnDisk(DiskState.Failed), hard: true);
    }
}
