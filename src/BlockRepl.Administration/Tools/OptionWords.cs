using BlockRepl.Configuration;

namespace BlockRepl.Administration.Tools;

/// <summary>The configuration's options as drbdsetup's words for them, as they are written in the files.</summary>
internal static class OptionWords
{
    public static IEnumerable<string> OfResource(ResourceConfiguration resource) => Words(resource.OptionTexts);

    public static IEnumerable<string> OfDisk(VolumeConfiguration volume) => Words(volume.DiskTexts);

    public static IEnumerable<string> OfConnection(ResourceConfiguration resource) => Words(resource.NetTexts);

    /// <summary>What waiting needs to know; the rest of startup { } is for the boot script.</summary>
    public static IEnumerable<string> OfStartup(ResourceConfiguration resource) => Words(
        resource.StartupTexts.Where(option => option.Name is not ("become-primary-on" or "stacked-timeouts")));

    private static IEnumerable<string> Words(IEnumerable<OptionText> options) =>
        options.Select(option => $"--{option.Name}={option.Text}");
}
