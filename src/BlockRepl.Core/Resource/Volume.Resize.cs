using BlockRepl.Core.MetaData;
using BlockRepl.Core.Protocol;
using BlockRepl.Core.Sizes;
using BlockRepl.Core.State;

namespace BlockRepl.Core.Resource;

/// <summary>The size of the device while it is in use, and internal meta data that move with the disk's end.</summary>
internal sealed partial class Volume
{
    /// <summary>Internal meta data are on their way: the activity log takes nothing until they have arrived.</summary>
    private bool _movesMetaData;

    /// <summary>A backing disk that is larger than at the attach, and where meta data belong on it.</summary>
    private sealed record GrownDisk(BackingDisk Facts, MetaDataLayout Layout);

    /// <summary>The resize command's local half; a positive number is DRBD's error code.</summary>
    public IEnumerable<Func<bool>> Resize(AdminCommand.Resize wanted, Action<CommandResult> answer)
    {
        if (Layout is null || !HasDisk)
        {
            answer(new CommandResult(138, "there is no disk: attach it first"));
            yield break;
        }

        if (State.Connection > ConnectionState.Connected)
        {
            answer(new CommandResult(130, "not while a resync or verify runs: wait for its end"));
            yield break;
        }

        if (State.Role == Role.Secondary && State.PeerRole == Role.Secondary)
        {
            answer(new CommandResult(131, "one of the nodes must be Primary to resize"));
            yield break;
        }

        GrownDisk? grown = FindGrowth();
        SizeInput input = new(
            (grown?.Layout ?? Layout).MaxCapacitySectors, PeerDiskSectors, SizeSectors, wanted.SizeSectors,
            IsConnected(State), wanted.AssumePeerHasSpace);
        SizeVerdict verdict = DeviceSize.Determine(input, layoutChange: false);
        if (verdict.Error != SizeError.None)
        {
            answer(new CommandResult((int)verdict.Error, $"the size cannot be taken: {verdict.Error}"));
            yield break;
        }

        LimitSectors = wanted.SizeSectors;
        bool grew = verdict.Sectors > SizeSectors;
        foreach (Func<bool> wait in SetSize(verdict.Sectors, wanted.AssumeClean, grown))
        {
            yield return wait;
        }

        if (IsConnected(State))
        {
            _resizePending = grew;
            SendUuids();
            DeviceSizeFlags flags = (wanted.AssumePeerHasSpace ? DeviceSizeFlags.Forced : 0)
                | (wanted.AssumeClean ? DeviceSizeFlags.NoResync : 0);
            SendSizes(triggerReply: true, flags);
        }

        answer(CommandResult.Success);
    }

    /// <summary>Null if the backing disk is as it was. One that became smaller is left alone: its data are.</summary>
    private GrownDisk? FindGrowth()
    {
        if (!HasDisk || Layout is null || Disk is null || _host.DiskFacts(Number) is not { } facts
            || facts.DiskSectors <= Disk.DiskSectors)
        {
            return null;
        }

        MetaDataLayout? layout = facts.Kind == MetaDataKind.Internal
            ? MetaDataLayout.Compute(facts, Layout.Ring.Stripes, Layout.Ring.StripeSize4k, out _)
            : MetaDataLayout.FromOffsets(
                facts, Layout.MdSizeSectors, Layout.AlOffsetSectors, Layout.BmOffsetSectors, Layout.Ring);
        if (layout is null)
        {
            LogLine(CoreLogLevel.Error, $"the backing disk has {facts.DiskSectors} sectors now: too many");
            return null;
        }

        return new GrownDisk(facts, layout);
    }

    /// <summary>
    /// A new size of the device: bitmap in memory and on disk, guarded by FULL_SYNC until both fit again. On a grown
    /// disk internal meta data are found at the new end only, so they go there even if the size stays.
    /// </summary>
    private IEnumerable<Func<bool>> SetSize(ulong sectors, bool assumeClean, GrownDisk? grown)
    {
        if (sectors == SizeSectors && grown is null)
        {
            yield break;
        }

        LogLine(CoreLogLevel.Information, $"size {SizeSectors} -> {sectors} sectors");
        if (Bitmap is null || !HasMetaData)
        {
            SizeSectors = sectors;
            _host.DeviceChanged(Number);
            yield break;
        }

        bool moves = grown is not null && grown.Layout.SuperBlockOffset != Layout!.SuperBlockOffset;
        _movesMetaData = moves;
        if (moves)
        {
            // What is under way to the old place must not end on what is new there.
            yield return () => !HasMetaData || Log is null
                || (_commit == CommitPhase.Idle && Log.PendingChanges == 0 && !_bitmapBusy && !_superBlockBusy);
        }

        if (HasMetaData)
        {
            if (grown is not null)
            {
                Disk = grown.Facts;
                Layout = grown.Layout;
                UpdateSuperBlock(_superBlock.WithLayout(grown.Layout));
            }

            foreach (Func<bool> wait in WriteResized(sectors, assumeClean, moves))
            {
                yield return wait;
            }
        }

        _movesMetaData = false;
        _core.WakeBlocked();
        _host.DeviceChanged(Number);
    }

    /// <summary>From its first write to its last FULL_SYNC is on the disk, wherever a crash comes.</summary>
    private IEnumerable<Func<bool>> WriteResized(ulong sectors, bool assumeClean, bool moves)
    {
        SetFlag(SuperBlockFlags.FullSync | SuperBlockFlags.ActivityLogDisabled, on: true);
        foreach (Func<bool> wait in SyncSuperBlock())
        {
            yield return wait;
        }

        if (Bitmap is null)
        {
            yield break;
        }

        bool fromZero = SizeSectors == 0;
        SizeSectors = sectors;
        Bitmap.Resize(sectors, setNewBits: fromZero || !assumeClean);
        if (moves)
        {
            Bitmap.MarkAllPagesDirty();
            foreach (Func<bool> wait in FillLog())
            {
                yield return wait;
            }
        }

        foreach (Func<bool> wait in WriteBitmap())
        {
            yield return wait;
        }

        EndFullSync();
        SetFlag(SuperBlockFlags.ActivityLogDisabled, !Options.Disk.ActivityLogUpdates);
        _superBlockDirty = true;
        foreach (Func<bool> wait in SyncSuperBlock())
        {
            yield return wait;
        }
    }
}
