using BlockRepl.Administration.Control;
using BlockRepl.Configuration;
using BlockRepl.Core;

namespace BlockRepl.Administration.Tools;

/// <summary>
/// Options of drbd.conf on drbdsetup's command line. The daemon takes them from the configuration; here they must say
/// the same, as they do where drbdadm wrote the command.
/// </summary>
internal sealed partial class DrbdSetup
{
    private void CheckConfigured(string command, VolumeReport volume, ToolWords given)
    {
        ResourceConfiguration resource = FindConfigured(volume.Resource, given.Words[0]);
        VolumeConfiguration? known = resource.Volumes.FirstOrDefault(v => v.Number == volume.Volume);
        if (known is null)
        {
            throw new RefusedException(
                given.Words[0], ErrorNumber.InvalidRequest,
                $"{volume.NbdExport} is not in {location.ConfigPath} any more.");
        }

        if (command == "attach" && given.Words[1] != known.DiskPath)
        {
            throw new RefusedException(
                given.Words[0], ErrorNumber.InvalidRequest,
                $"its disk is {known.DiskPath} in {location.ConfigPath}, not {given.Words[1]}; change it there.");
        }

        CheckOptions(command, given, OptionWords.OfDisk(known));
    }

    private void CheckConfigured(string command, string resource, ToolWords given)
    {
        ResourceConfiguration known = FindConfigured(resource, resource);
        CheckOptions(
            command, given,
            command is "connect" or "net-options" ? OptionWords.OfConnection(known) : OptionWords.OfResource(known));
    }

    /// <summary>check-resize: where the internal meta data of an attached volume are.</summary>
    private async Task<int> RememberSizeAsync(ToolWords given, CancellationToken cancellation)
    {
        VolumeReport volume = await FindVolumeAsync(given.Words[0], cancellation);
        VolumeConfiguration? known = FindConfigured(volume.Resource, given.Words[0]).Volumes
            .FirstOrDefault(v => v.Number == volume.Volume && volume.Disk != "Diskless");
        if (known is not null && host.DiskBytes(known.DiskPath) is { } bytes)
        {
            string path = location.LastKnownDiskPath(volume.Minor);
            string? problem = new LastKnownDisk(bytes, known.DiskPath, LastKnownDisk.Read(path)?.DeviceUuid)
                .Write(path);
            terminal.WriteError(problem is null ? "" : problem + "\n");
        }

        return ExitCodes.Success;
    }

    private ResourceConfiguration FindConfigured(string resource, string calledAs)
    {
        NodeConfiguration configuration = SystemConfigurationFiles.Read(location);
        return configuration.Find(resource)
            ?? throw new RefusedException(calledAs, ErrorNumber.UnknownResource, configuration.WhyMissing(resource));
    }

    private void CheckOptions(string command, ToolWords given, IEnumerable<string> configured)
    {
        HashSet<string> known = [.. configured];
        foreach (GivenOption option in given.Options.Where(
            option => SetupCommand.Find(command)!.Options.All(own => own.Name != option.Name)))
        {
            if (!known.Contains(option.ToString()))
            {
                throw new RefusedException(
                    given.Words[0], ErrorNumber.InvalidRequest,
                    $"{option} is not what {location.ConfigPath} says, and BlockRepl takes its options from there: "
                    + "change it there, then 'drbdadm adjust'.");
            }
        }
    }
}
