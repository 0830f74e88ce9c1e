using BlockRepl.Iscsi;
using BlockRepl.Iscsi.Protocol;

namespace BlockRepl.Fencing.CommandLine;

/// <summary>Which words name a device.</summary>
internal static class DeviceNames
{
    /// <summary>A path from the root, or the address of a disk behind an iSCSI target.</summary>
    public static bool IsUsable(string name) => name.StartsWith('/') || IsAddress(name);

    public static bool IsAddress(string name) =>
        name.StartsWith(IscsiAddress.Scheme, StringComparison.OrdinalIgnoreCase);

    /// <summary>The name as it may be printed: an address may have a password in it.</summary>
    public static string Shown(string name)
    {
        if (!IsAddress(name))
        {
            return name;
        }

        try
        {
            return IscsiAddress.Parse(name).ToString();
        }
        catch (IscsiException)
        {
            return IscsiAddress.Scheme + "...";
        }
    }
}
