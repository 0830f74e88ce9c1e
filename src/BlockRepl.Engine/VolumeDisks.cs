using BlockRepl.Core;
using BlockRepl.Core.MetaData;
using BlockRepl.Platform.Buffers;
using BlockRepl.Platform.Loop;
using BlockRepl.Platform.Storage;

namespace BlockRepl.Engine;

/// <summary>A volume's opened backing disk and meta-data device (the same one for internal meta data).</summary>
internal sealed class VolumeDisks
{
    /// <summary>Largest meta-data read or write of one call: the bounce buffers' size.</summary>
    public const int MaxMetaBytes = 1 << 20;

    private readonly VolumeDisk _place;

    private VolumeDisks(VolumeDisk place, BlockDevice data, BlockDevice meta)
    {
        _place = place;
        Data = data;
        Meta = meta;
    }

    public BlockDevice Data { get; }

    public BlockDevice Meta { get; }

    /// <summary>Opens both, exclusively; may block, so it is called off the loop.</summary>
    /// <exception cref="BlockDeviceException">The message names the path and says why.</exception>
    public static VolumeDisks Open(ResourceDriver driver, VolumeDisk place, EventLoop loop, IoBufferPool pool)
    {
        var port = new DiskPort(driver, place.Volume);
        var data = BlockDevice.Open(loop, pool, place.DiskPath, new BlockDeviceOptions(), port);
        if (place.Kind == MetaDataKind.Internal)
        {
            return new VolumeDisks(place, data, data);
        }

        try
        {
            var path = place.MetaDiskPath ?? throw new BlockDeviceException(
                $"volume {place.Volume}: external meta data without a meta-disk", 22);
            var options = new BlockDeviceOptions { Shared = place.Kind == MetaDataKind.IndexedExternal };
            return new VolumeDisks(place, data, BlockDevice.Open(loop, pool, path, options, port));
        }
        catch (BlockDeviceException e)
        {
            loop.Post(data.Close);
            throw new MetaDeviceException(e.Message, e.Errno);
        }
    }

    /// <summary>The facts for the core, with the devices' present sizes.</summary>
    public BackingDisk Describe()
    {
        var (data, meta) = (Data.Facts, Meta.Facts);
        var sameDevice = ReferenceEquals(Data, Meta);
        return new BackingDisk(
            (ulong)data.SizeBytes >> 9,
            (ulong)(sameDevice ? data : meta).SizeBytes >> 9,
            _place.Kind,
            _place.MetaIndex,
            data.LogicalBlockBytes,
            data.CanDiscard,
            data.DiscardZeroes);
    }

    /// <summary>Looks at the sizes again.</summary>
    public BackingDisk Refresh()
    {
        Data.RefreshFacts();
        if (!ReferenceEquals(Data, Meta))
        {
            Meta.RefreshFacts();
        }

        return Describe();
    }

    /// <summary>On the loop's thread.</summary>
    public void Close()
    {
        Data.Close();
        if (!ReferenceEquals(Data, Meta))
        {
            Meta.Close();
        }
    }

    /// <summary>It was the meta-data device that could not be opened.</summary>
    public sealed class MetaDeviceException(string message, int errno) : IOException(message)
    {
        public int Errno => errno;
    }

    /// <summary>Carries a device's results to the core, under the volume's number.</summary>
    private sealed class DiskPort(ResourceDriver driver, int volume) : IBlockDeviceHandler
    {
        public void OnDataDone(ulong token, IoError error, int errno) =>
            driver.OnDiskDone(volume, new IoToken(token), error, errno);

        public void OnMetaDone(ulong token, IoError error, int errno, ReadOnlySpan<byte> data) =>
            driver.OnMetaDone(volume, new IoToken(token), error, errno, data);

        public void OnDeviceClosed()
        {
        }
    }
}
