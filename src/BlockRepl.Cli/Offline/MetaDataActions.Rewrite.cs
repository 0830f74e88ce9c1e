using BlockRepl.Administration;
using BlockRepl.Core.MetaData;

namespace BlockRepl.Cli.Offline;

/// <summary>What writes meta data that somebody else made: from words, from a text, from another place.</summary>
internal sealed partial class MetaDataActions
{
    /// <summary>set-gi: generation identifiers and flags by hand, in get-gi's form.</summary>
    public int SetGi(OfflineVolume volume, string name, string words, bool force)
    {
        if (volume.TryRead(out SuperBlock? superBlock, out MetaDataLayout? layout) is { } reason)
        {
            return Refuse(name, reason, ExitCodes.Usage);
        }

        if (GenerationInfo.Apply(superBlock!, words, out string problem) is not { } changed)
        {
            terminal.Errors.WriteLine($"{name}: {problem}.");
            return ExitCodes.Refused;
        }

        terminal.Output.WriteLine($"previously {GenerationInfo.Format(superBlock!)}");
        terminal.Output.WriteLine($"set GI to  {GenerationInfo.Format(changed)}");
        return Confirm(name, "with wrong identifiers nodes take old data for new", force)
            ? Rewrite(volume, layout!, changed)
            : ExitCodes.Usage;
    }

    /// <summary>restore-md: what dump-md printed, here or elsewhere, becomes this disk's meta data.</summary>
    public int Restore(OfflineVolume volume, string name, string file, bool force)
    {
        if (Load(volume, name, file, out MetaDataDump? dump, out MetaDataLayout? layout) is { } failure)
        {
            return failure;
        }

        bool isThere = volume.TryRead(out SuperBlock? old, out _) is null;
        if (!Confirm(
            name, isThere
                ? $"the meta data {GenerationInfo.Format(old!)} on {volume.DeviceName} will be overwritten"
                : $"meta data will be written to {volume.DeviceName}", force))
        {
            return ExitCodes.Usage;
        }

        // If this ends half-way there is nothing, not a superblock with the bitmap of another.
        SuperBlock superBlock = dump!.SuperBlock.WithLayout(layout!);
        volume.Do([CreateMetaData.Wipe(layout!.SuperBlockOffset), MetaDataStep.Flush]);
        volume.Do(MetaDataDump.Steps(layout, superBlock, dump.Bitmap));
        terminal.Output.WriteLine("Successfully restored meta data");
        RememberSize(volume, superBlock);
        return ExitCodes.Success;
    }

    /// <summary>verify-dump: whether restore-md would take it.</summary>
    public int VerifyDump(OfflineVolume volume, string name, string file)
    {
        if (Load(volume, name, file, out _, out _) is { } failure)
        {
            return failure;
        }

        terminal.Output.WriteLine("input file parsed ok");
        return ExitCodes.Success;
    }

    /// <summary>check-resize: internal meta data go to the new end of a disk that has grown.</summary>
    public int CheckResize(OfflineVolume volume, string name)
    {
        if (volume.TryRead(out SuperBlock? superBlock, out _) is not { } reason)
        {
            RememberSize(volume, superBlock!);
            return ExitCodes.Success;
        }

        if (!volume.TryReadAtFormerEnd(out superBlock, out MetaDataLayout? former)
            || superBlock!.SizeSectors > MetaDataDump.MaxSectors)
        {
            return Refuse(name, reason, ExitCodes.Usage);
        }

        OfflineReplay replay = volume.PlanReplay(superBlock!, former!);
        if (replay.Action == ReplayAction.RefuseVersion83Log)
        {
            return RefuseVersion83Log(volume, name);
        }

        MetaDataLayout? layout = MetaDataLayout.Compute(
            volume.Disk, superBlock!.Ring.Stripes, superBlock.Ring.StripeSize4k, out MetaDataError error);
        if (layout is null)
        {
            return Refuse(
                name, MetaDataErrors.Describe(error, volume.Disk, volume.DeviceName) + ".", ExitCodes.CannotExecute);
        }

        terminal.Output.WriteLine("Moving the internal meta data to its proper location");
        byte[] bitmap = volume.ReadBitmap(former!, superBlock);
        foreach (int page in replay.Pages)
        {
            replay.MarkPage(page, bitmap.AsSpan(page * SuperBlock.Bytes, SuperBlock.Bytes));
        }

        volume.Do(MetaDataDump.Steps(layout, replay.After.WithLayout(layout), bitmap));
        if (former!.SuperBlockOffset + SuperBlock.Bytes <= layout.BitmapOffset)
        {
            volume.Do([CreateMetaData.Wipe(former.SuperBlockOffset), MetaDataStep.Flush]);
        }

        terminal.Output.WriteLine("Internal drbd meta data successfully moved.");
        RememberSize(volume, superBlock);
        return ExitCodes.Success;
    }

    /// <returns>Null, or the exit code.</returns>
    private int? Load(
        OfflineVolume volume, string name, string file, out MetaDataDump? dump, out MetaDataLayout? layout)
    {
        dump = null;
        layout = null;
        try
        {
            using StreamReader text = File.OpenText(file);
            dump = MetaDataDump.Parse(text);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            terminal.Errors.WriteLine($"{name}: {error.Message}");
            return ExitCodes.CannotExecute;
        }
        catch (FormatException error)
        {
            terminal.Errors.WriteLine($"{file}: {error.Message}.");
            return ExitCodes.Refused;
        }

        SuperBlock superBlock = dump.SuperBlock;
        layout = MetaDataLayout.Compute(
            volume.Disk, superBlock.Ring.Stripes, superBlock.Ring.StripeSize4k, out MetaDataError problem);
        if (layout is not null && superBlock.SizeSectors <= layout.MaxCapacitySectors)
        {
            return null;
        }

        terminal.Errors.WriteLine($"{name}: " + (layout is null
            ? $"{MetaDataErrors.Describe(problem, volume.Disk, volume.DeviceName)}."
            : $"la-size-sect {superBlock.SizeSectors} is more than fits here, {layout.MaxCapacitySectors}."));
        return ExitCodes.Refused;
    }

    private void RememberSize(OfflineVolume volume, SuperBlock superBlock)
    {
        if (volume.RememberSize(superBlock) is { } problem)
        {
            terminal.Errors.WriteLine(problem);
        }
    }
}
