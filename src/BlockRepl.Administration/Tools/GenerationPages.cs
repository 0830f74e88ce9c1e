using BlockRepl.Core.Generations;

namespace BlockRepl.Administration.Tools;

/// <summary>The generation identifiers for people, as show-gi prints them.</summary>
public static class GenerationPages
{
    /// <param name="flags">In words.</param>
    public static string Of(in UuidSet uuids, string flags) =>
        $"""
        current   {uuids.Current:X16}
        bitmap    {uuids.Bitmap:X16}
        history 1 {uuids.History1:X16}
        history 2 {uuids.History2:X16}
        flags: {flags}
        """;
}
