namespace BlockRepl.Core.Generations;

/// <summary>A node's generation identifiers: current, bitmap and the two history UUIDs. Bit 0 is a role mark.</summary>
public readonly record struct UuidSet(ulong Current, ulong Bitmap, ulong History1, ulong History2)
{
    /// <summary>The current UUID of meta data that never had data: "just created".</summary>
    public const ulong JustCreated = 4;
}
