using BlockRepl.Core;

namespace BlockRepl.Simulation.Nodes;

/// <summary>The record of a volume's writes under way: it outlives the process, not the machine.</summary>
public sealed class SimRecord
{
    private readonly Dictionary<int, WriteRange> _writes = [];

    public RecordFacts Facts { get; set; }

    public void Put(int slot, in WriteRange write) => _writes[slot] = write;

    public void Remove(int slot) => _writes.Remove(slot);

    public SurvivingWrites Read() => new(Facts, [.. _writes.OrderBy(w => w.Key).Select(w => w.Value)]);
}
