using BlockRepl.Fencing.CommandLine;
using BlockRepl.Sbd;

namespace BlockRepl.Fencing.Devices;

/// <summary>Opens what -d names.</summary>
internal static class SectorDevices
{
    /// <exception cref="SbdException">It cannot be opened, or not in time.</exception>
    public static ISectorDevice Open(string name, SbdOptions options) =>
        DeviceNames.IsAddress(name)
            ? IscsiSectorDevice.Open(name, options.IoTimeout)
            : TimedSectorDevice.Open(name, options.IoTimeout);
}
