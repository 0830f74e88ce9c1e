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

    public BackingDisk Facts { get; } = facts;

    public MetaDataLayout Layout { get; } =
        MetaDataLayout.Compute(facts, 1, 8, out MetaDataError error)
        ?? throw new SimulationException($"no layout for meta data: {error}");

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
