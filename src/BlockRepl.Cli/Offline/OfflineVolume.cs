using BlockRepl.Administration.Tools;
using BlockRepl.Configuration;
using BlockRepl.Core.Bitmap;
using BlockRepl.Core.MetaData;
using BlockRepl.Platform.Storage;

namespace BlockRepl.Cli.Offline;

/// <summary>A volume's meta data on a disk that is not attached.</summary>
internal sealed class OfflineVolume : IDisposable
{
    private readonly IOfflineDisk _device;
    private readonly string _lastKnown;

    private OfflineVolume(VolumeConfiguration configuration, string lastKnown, IOfflineDisk device, BackingDisk disk)
    {
        Configuration = configuration;
        _lastKnown = lastKnown;
        _device = device;
        Disk = disk;
    }

    public VolumeConfiguration Configuration { get; }

    public BackingDisk Disk { get; }

    /// <summary>The meta-data device as messages name it.</summary>
    public string DeviceName => Configuration.MetaDiskPath;

    /// <summary>Opens the meta-data device, and the backing disk for as long as its size takes to read.</summary>
    /// <param name="lastKnown">The file that remembers how large the disk was.</param>
    /// <exception cref="BlockDeviceException">One of them is not there, in use, or not permitted.</exception>
    public static OfflineVolume Open(
        VolumeConfiguration volume, string lastKnown, bool readOnly, Func<string, bool, IOfflineDisk> open)
    {
        IOfflineDisk device = open(volume.MetaDiskPath, readOnly);
        try
        {
            BlockDeviceFacts facts = device.Facts;
            BlockDeviceFacts dataFacts = facts;
            if (volume.MetaDataKind != MetaDataKind.Internal)
            {
                using IOfflineDisk data = open(volume.DiskPath, true);
                dataFacts = data.Facts;
            }

            var disk = new BackingDisk(
                (ulong)dataFacts.SizeBytes / 512,
                (ulong)facts.SizeBytes / 512,
                volume.MetaDataKind,
                volume.MetaDiskIndex,
                dataFacts.LogicalBlockBytes,
                dataFacts.CanDiscard,
                dataFacts.DiscardZeroes);
            return new OfflineVolume(volume, lastKnown, device, disk);
        }
        catch
        {
            device.Dispose();
            throw;
        }
    }

    /// <summary>The superblock and its layout, or the reason in words why there is none that can be used.</summary>
    public string? TryRead(out SuperBlock? superBlock, out MetaDataLayout? layout)
    {
        byte[] block = ReadBlock(MetaDataLayout.FindSuperBlock(Disk));
        MetaDataError error = SuperBlock.TryDecode(block, Disk, out superBlock, out layout);
        return error == MetaDataError.None ? null : MetaDataErrors.Describe(error, Disk, DeviceName, block) + ".";
    }

    /// <summary>
    /// Internal meta data where the disk ended when its size was last remembered, before it grew; false: none.
    /// </summary>
    public bool TryReadAtFormerEnd(out SuperBlock? superBlock, out MetaDataLayout? layout)
    {
        superBlock = null;
        layout = null;
        if (Disk.Kind != MetaDataKind.Internal || LastKnownDisk.Read(_lastKnown) is not { } known
            || known.Bytes >= _device.Facts.SizeBytes)
        {
            return false;
        }

        ulong sectors = (ulong)known.Bytes / 512;
        BackingDisk former = Disk with { DiskSectors = sectors, MetaDeviceSectors = sectors };
        return SuperBlock.TryDecode(
            ReadBlock(MetaDataLayout.FindSuperBlock(former)), former, out superBlock, out layout) == MetaDataError.None
            && (known.DeviceUuid ?? superBlock!.DeviceUuid) == superBlock!.DeviceUuid;
    }

    /// <summary>For the time when the disk has grown.</summary>
    /// <returns>Null, or why it could not be remembered.</returns>
    public string? RememberSize(SuperBlock superBlock) => Configuration.Minor < 0
        ? null
        : new LastKnownDisk((long)Disk.DiskSectors * 512, Configuration.DiskPath, superBlock.DeviceUuid)
            .Write(_lastKnown);

    /// <summary>Looks at what creating meta data would destroy.</summary>
    public ProbeResult Probe(int alStripes, int alStripeSize4k)
    {
        var start = new byte[Math.Min(FoundContent.WindowBytes, _device.Facts.SizeBytes)];
        _device.Read(0, start);
        return MetaDataProbe.Examine(
            Disk,
            DeviceName,
            alStripes,
            alStripeSize4k,
            start,
            ReadBlock(MetaDataLayout.FindSuperBlock(Disk)),
            ReadBlock(MetaDataProbe.Version07Offset(Disk)));
    }

    public OfflineReplay PlanReplay(SuperBlock superBlock, MetaDataLayout layout)
    {
        var ring = new byte[layout.ActivityLogBytes];
        _device.Read(layout.ActivityLogOffset, ring);
        return OfflineReplay.Plan(superBlock, ring);
    }

    public byte[] ReadBitmapPage(MetaDataLayout layout, int page)
    {
        var bytes = new byte[OutOfSyncBitmap.PageBytes];
        _device.Read(layout.BitmapOffset + ((long)page * OutOfSyncBitmap.PageBytes), bytes);
        return bytes;
    }

    /// <summary>All pages of the bitmap that the recorded size needs.</summary>
    public byte[] ReadBitmap(MetaDataLayout layout, SuperBlock superBlock)
    {
        var bytes = new byte[MetaDataDump.BitmapBytes(superBlock.SizeSectors)];
        _device.Read(layout.BitmapOffset, bytes);
        return bytes;
    }

    public void Do(IEnumerable<MetaDataStep> steps)
    {
        foreach (MetaDataStep step in steps)
        {
            if (step.IsFlush)
            {
                _device.Flush();
            }
            else
            {
                _device.Write(step.Offset, step.Data.Span);
            }
        }
    }

    public void Dispose() => _device.Dispose();

    /// <summary>Four KiB at an offset; empty where the device has none.</summary>
    private byte[] ReadBlock(long offset)
    {
        if (offset < 0 || offset + SuperBlock.Bytes > _device.Facts.SizeBytes)
        {
            return [];
        }

        var block = new byte[SuperBlock.Bytes];
        _device.Read(offset, block);
        return block;
    }
}
