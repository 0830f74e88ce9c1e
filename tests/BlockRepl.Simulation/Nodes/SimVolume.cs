using BlockRepl.Core.MetaData;
using BlockRepl.Simulation.Disk;

namespace BlockRepl.Simulation.Nodes;

/// <summary>One volume's disks on one node.</summary>
public sealed class SimVolume(int number, SimDisk data, SimDisk meta, BackingDisk facts)
{
    public int Number { get; } = number;

    public SimDisk Data { get; } = data;

    /// <summary>Where the meta data are; the same disk if they are internal.</summary>
    public SimDisk Meta { get; } = meta;

    /// <summary>With these the meta data on the disk are found.</summary>
    public BackingDisk Facts { get; private set; } = facts;

    public MetaDataLayout Layout { get; private set; } = LayoutOf(facts);

    /// <summary>What the device says of itself: other facts than those of the meta data once it grew.</summary>
    public BackingDisk Device { get; private set; } = facts;

    public void Grow(BackingDisk grown) => Device = grown;

    /// <summary>A superblock at the end of the grown device: meta data are found there from now on.</summary>
    public void OnWritten(long offset)
    {
        if (Device != Facts && offset == LayoutOf(Device).SuperBlockOffset)
        {
            Facts = Device;
            Layout = LayoutOf(Device);
        }
    }

    /// <summary>
    /// After a crash: if no superblock survived at the new end, an operator takes the device as it was.
    /// </summary>
    public void FindMetaData(BackingDisk before)
    {
        byte[] block = new byte[SuperBlock.Bytes];
        Meta.ReadCurrent(Layout.SuperBlockOffset, block);
        if (SuperBlock.TryDecode(block, Facts, out _, out _) != MetaDataError.None || Facts != Device)
        {
            Facts = Device = before;
            Layout = LayoutOf(before);
        }
    }

    private static MetaDataLayout LayoutOf(BackingDisk facts) =>
        MetaDataLayout.Compute(facts, 1, 8, out MetaDataError error)
        ?? throw new SimulationException($"no layout for meta data: {error}");

    /// <summary>What a killed process leaves for its successor.</summary>
    public SimRecord? Record { get; set; }

    /// <summary>Handed to the core by an attach, and not closed by it.</summary>
    public bool IsOpen { get; set; }

    public IEnumerable<SimDisk> Disks => Data == Meta ? [Data] : [Data, Meta];

    /// <summary>What create-md leaves on the disk.</summary>
    public void CreateMetaData()
    {
        foreach (MetaDataStep step in Core.MetaData.CreateMetaData.Steps(
            Layout, Core.MetaData.CreateMetaData.NewSuperBlock(Layout)))
        {
            if (!step.IsFlush)
            {
                Meta.Preset(step.Offset, step.Data.Span);
            }
        }
    }
}
