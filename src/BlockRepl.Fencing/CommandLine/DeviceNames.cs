namespace BlockRepl.Fencing.CommandLine;

/// <summary>Which words name a device.</summary>
internal static class DeviceNames
{
    /// <summary>A path from the root.</summary>
    public static bool IsUsable(string name) => name.StartsWith('/');
}
