using System.Buffers.Binary;
using System.Security.Cryptography;
using BlockRepl.Administration;
using BlockRepl.Administration.Tools;
using BlockRepl.Core.MetaData;
using BlockRepl.Core.State;

namespace BlockRepl.Cli.Offline;

/// <summary>What each command does to the meta data of one volume.</summary>
internal sealed partial class MetaDataActions(Terminal terminal)
{
    private const int NoMetaData = 119;

    /// <summary>create-md: never without a look at what is there.</summary>
    public int Create(OfflineVolume volume, string name, CreateOptions options)
    {
        ProbeResult probe = volume.Probe(options.AlStripes, options.AlStripeSize4k);
        if (probe.Layout is null)
        {
            terminal.Errors.WriteLine($"{name}: {probe.Message}.");
            return ExitCodes.CannotExecute;
        }

        if (probe.IsRefused && !options.IgnoreSanityChecks)
        {
            terminal.Errors.WriteLine($"{name}: {probe.Message}.");
            if (options.Force)
            {
                terminal.Errors.WriteLine("--force does not go so far; --ignore-sanity-checks does.");
            }

            return ExitCodes.CreateRefused;
        }

        if (probe.Verdict != ProbeVerdict.Empty && !Confirm(name, probe.Message, options.Force))
        {
            return ExitCodes.Usage;
        }

        Span<byte> random = stackalloc byte[sizeof(ulong)];
        RandomNumberGenerator.Fill(random);
        SuperBlock superBlock = CreateMetaData.NewSuperBlock(probe.Layout, options.PeerMaxBioBytes) with
        {
            DeviceUuid = BinaryPrimitives.ReadUInt64LittleEndian(random),
        };
        terminal.Output.WriteLine("initializing activity log");
        terminal.Errors.WriteLine($"initializing bitmap ({probe.Layout.BitmapBytes / 1024} KB) to all zero");
        terminal.Output.WriteLine("Writing meta data...");
        volume.Do(CreateMetaData.Steps(probe.Layout, superBlock));
        terminal.Output.WriteLine("New drbd meta data block successfully created.");
        RememberSize(volume, superBlock);
        return ExitCodes.Success;
    }

    public int Dump(OfflineVolume volume, string name, bool force)
    {
        if (volume.TryRead(out SuperBlock? superBlock, out MetaDataLayout? layout) is { } reason)
        {
            return Refuse(name, reason, ExitCodes.Refused);
        }

        if (superBlock!.NeedsReplay && !force)
        {
            terminal.Errors.WriteLine(
                $"{name}: the meta data are of a disk that was in use, so the bitmap may lack what the activity log "
                + "names. Run apply-al first, or dump them as they are with --force.");
            return ExitCodes.CannotExecute;
        }

        foreach (string line in DumpMetaData.Lines(superBlock, layout!, page => volume.ReadBitmapPage(layout!, page)))
        {
            terminal.Output.WriteLine(line);
        }

        return ExitCodes.Success;
    }

    public int ApplyLog(OfflineVolume volume, string name)
    {
        if (volume.TryRead(out SuperBlock? superBlock, out MetaDataLayout? layout) is { } reason)
        {
            return Refuse(name, reason, ExitCodes.Refused);
        }

        OfflineReplay replay = volume.PlanReplay(superBlock!, layout!);
        switch (replay.Action)
        {
            case ReplayAction.RefuseVersion83Log:
                return RefuseVersion83Log(volume, name);
            case ReplayAction.MarkEverything:
                terminal.Errors.WriteLine(
                    $"{name}: the activity log cannot be read; everything counts as out of sync.");
                break;
            case ReplayAction.MarkExtents:
                long added =
                    replay.Pages.Sum(page => (long)replay.MarkPage(page, volume.ReadBitmapPage(layout!, page)));
                terminal.Output.WriteLine($"Marked additional {Amount(added * 4)} as out-of-sync based on AL.");
                break;
        }

        volume.Do(replay.Steps(layout!, page => volume.ReadBitmapPage(layout!, page)));
        return ExitCodes.Success;
    }

    public int GetGi(OfflineVolume volume, string name)
    {
        if (volume.TryRead(out SuperBlock? superBlock, out _) is { } reason)
        {
            return Refuse(name, reason, ExitCodes.Usage);
        }

        terminal.Output.WriteLine(GenerationInfo.Format(superBlock!));
        return ExitCodes.Success;
    }

    public int ShowGi(OfflineVolume volume, string name)
    {
        if (volume.TryRead(out SuperBlock? superBlock, out _) is { } reason)
        {
            return Refuse(name, reason, ExitCodes.Usage);
        }

        SuperBlock found = superBlock!;
        TextWriter output = terminal.Output;
        string role = found.Flags.HasFlag(SuperBlockFlags.PrimaryIndicator) ? "Primary" : "Secondary";
        string connection = found.Flags.HasFlag(SuperBlockFlags.ConnectedIndicator) ? "Connected" : "StandAlone";
        output.WriteLine(GenerationPages.Of(
            found.Uuids, $"{role}, {connection}, {found.DiskStates().Disk}"
            + (found.Flags.HasFlag(SuperBlockFlags.FullSync) ? ", full sync" : "")
            + (found.Flags.HasFlag(SuperBlockFlags.CrashedPrimary) ? ", crashed Primary" : "")
            + (found.Flags.HasFlag(SuperBlockFlags.PeerOutDated) ? ", peer outdated" : "")));
        output.WriteLine($"meta-data: {(found.NeedsReplay ? "need apply-al" : "clean")}");
        output.WriteLine(found.SizeSectors == 0
            ? "zero size device -- never seen peer yet?"
            : $"last agreed size: {found.SizeSectors / 2} KB ({found.SizeSectors} sectors)");
        return ExitCodes.Success;
    }

    public int DiskState(OfflineVolume volume, string name)
    {
        if (volume.TryRead(out SuperBlock? superBlock, out _) is { } reason)
        {
            return Refuse(name, reason, ExitCodes.Usage);
        }

        DiskState disk = superBlock!.DiskStates().Disk;
        terminal.Output.WriteLine(disk.ToString());
        return ExitCodes.Success;
    }

    public int Outdate(OfflineVolume volume, string name)
    {
        if (volume.TryRead(out SuperBlock? superBlock, out MetaDataLayout? layout) is { } reason)
        {
            return Refuse(name, reason, ExitCodes.Usage);
        }

        if (superBlock!.Outdate() is not { } outdated)
        {
            terminal.Errors.WriteLine(ExitCodes.Describe(name, -16, ""));
            return ExitCodes.FromResult(-16);
        }

        return Rewrite(volume, layout!, outdated);
    }

    public int Invalidate(OfflineVolume volume, string name)
    {
        if (volume.TryRead(out SuperBlock? superBlock, out MetaDataLayout? layout) is { } reason)
        {
            return Refuse(name, reason, ExitCodes.Usage);
        }

        return Rewrite(volume, layout!, superBlock!.Invalidate());
    }

    public int Wipe(OfflineVolume volume, string name, bool force)
    {
        if (volume.TryRead(out SuperBlock? superBlock, out MetaDataLayout? layout) is { } reason)
        {
            return Refuse(name, reason, ExitCodes.Usage);
        }

        string what = $"the meta data {GenerationInfo.Format(superBlock!)} on {volume.DeviceName} will be lost";
        if (!Confirm(name, what, force))
        {
            return ExitCodes.Usage;
        }

        volume.Do([CreateMetaData.Wipe(layout!.SuperBlockOffset), MetaDataStep.Flush]);
        terminal.Output.WriteLine("DRBD meta data block successfully wiped out.");
        return ExitCodes.Success;
    }

    private static int Rewrite(OfflineVolume volume, MetaDataLayout layout, SuperBlock superBlock)
    {
        volume.Do([CreateMetaData.WriteSuperBlock(layout, superBlock), MetaDataStep.Flush]);
        return ExitCodes.Success;
    }

    private int RefuseVersion83Log(OfflineVolume volume, string name)
    {
        terminal.Errors.WriteLine(
            $"{name}: {MetaDataErrors.Describe(MetaDataError.Unclean83Log, volume.Disk, volume.DeviceName)}.");
        return ExitCodes.CannotExecute;
    }

    private int Refuse(string name, string reason, int exitCode)
    {
        terminal.Errors.WriteLine(ExitCodes.Describe(name, NoMetaData, reason));
        return exitCode;
    }

    /// <summary>Asks for a typed "yes"; --force is one, and without a terminal there is none.</summary>
    private bool Confirm(string name, string what, bool force)
    {
        terminal.Errors.WriteLine($"{name}: {what}.");
        if (force)
        {
            terminal.Errors.WriteLine("*** confirmation forced via --force option ***");
            return true;
        }

        if (terminal.Input is null)
        {
            terminal.Errors.WriteLine(
                "Cancelled: standard input is no terminal, so nobody can confirm. Use --force if it is meant.");
            return false;
        }

        terminal.Errors.Write("Go on? Type 'yes': ");
        terminal.Errors.Flush();
        bool confirmed = terminal.Input.ReadLine()?.Trim() == "yes";
        terminal.Errors.WriteLine(confirmed ? "" : "Cancelled.");
        return confirmed;
    }

    /// <summary>An amount of KiB as the tools print it: at most four digits and a unit.</summary>
    private static string Amount(long kib)
    {
        string[] units = ["KB", "MB", "GB", "TB"];
        int unit = 0;
        while (kib >= 10000 && unit < units.Length - 1)
        {
            kib >>= 10;
            unit++;
        }

        return $"{kib} {units[unit]}";
    }
}
