using BlockRepl.Core.MetaData;

namespace BlockRepl.Core.Tests.MetaData;

/// <summary>Backing disks for tests.</summary>
internal static class Disks
{
    public const ulong MiB = 2048;

    public static BackingDisk Internal(ulong sectors) =>
        new(sectors, sectors, MetaDataKind.Internal, 0, 512, false, false);

    public static BackingDisk Flexible(ulong dataSectors, ulong metaSectors) =>
        new(dataSectors, metaSectors, MetaDataKind.FlexibleExternal, 0, 512, false, false);

    public static BackingDisk Indexed(ulong dataSectors, ulong metaSectors, int index) =>
        new(dataSectors, metaSectors, MetaDataKind.IndexedExternal, index, 512, false, false);

    public static MetaDataLayout Layout(BackingDisk disk, int stripes = 1, int stripeSize4k = 8) =>
        MetaDataLayout.Compute(disk, stripes, stripeSize4k, out MetaDataError error)
        ?? throw new InvalidOperationException(error.ToString());
}
