using BlockRepl.Sbd;

namespace BlockRepl.Fencing.Commands;

/// <summary>What went wrong, for people.</summary>
internal static class Outcomes
{
    public static string Describe(SlotTable table, ISectorDevice device) => table.Outcome switch
    {
        SlotOutcome.ReadFailed or SlotOutcome.WriteFailed => device.LastError ?? $"{device.Name}: I/O failed",
        SlotOutcome.NoHeader => $"{device.Name}: {table.Problem}",
        SlotOutcome.NoSuchNode => $"{device.Name}: no slot has this node's name",
        SlotOutcome.NoFreeSlot => $"{device.Name}: all {table.Header!.SlotCount} slots are in use",
        SlotOutcome.NotAsWritten => $"{device.Name}: the message does not read back as it was written",
        SlotOutcome.WorseWaits => $"{device.Name}: a message that ends the node waits there; it was left",
        SlotOutcome.NoAnswer => $"{device.Name}: the node has not answered",
        _ => $"{device.Name}: done",
    };
}
