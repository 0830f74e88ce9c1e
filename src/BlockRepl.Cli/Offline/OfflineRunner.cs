using BlockRepl.Administration;
using BlockRepl.Administration.Control;
using BlockRepl.Configuration;
using BlockRepl.Platform.Storage;

namespace BlockRepl.Cli.Offline;

/// <summary>
/// Finds the volumes that a command is about and runs it on each, unless the daemon has the disk attached: it would not
/// see what changes under it.
/// </summary>
internal sealed class OfflineRunner(Terminal terminal, Func<string, bool, IOfflineDisk> open)
{
    /// <summary>Works on one volume; returns the exit code.</summary>
    public delegate int VolumeAction(OfflineVolume volume, string name);

    /// <param name="readOnly">The action does not write: then an attached disk is no obstacle, only worth a
    /// remark.</param>
    public async Task<int> RunAsync(
        NodeLocation location, string target, bool readOnly, VolumeAction action, CancellationToken cancellation)
    {
        try
        {
            NodeConfiguration configuration = SystemConfigurationFiles.Read(location);
            foreach (string remark in configuration.Warnings)
            {
                await terminal.Errors.WriteLineAsync(remark);
            }

            HashSet<int> attached = await AttachedAsync(location, cancellation);
            int highest = 0;
            foreach ((string name, VolumeConfiguration volume) in Select(configuration, target))
            {
                highest = Math.Max(highest, RunOn(
                    location, name, volume, attached.Contains(volume.Minor), readOnly, action));
                if (highest >= ExitCodes.CannotExecute)
                {
                    break;
                }
            }

            return highest;
        }
        catch (ConfigurationException error)
        {
            await terminal.Errors.WriteLineAsync(error.Message);
            return ExitCodes.Refused;
        }
        catch (TargetException error)
        {
            await terminal.Errors.WriteLineAsync(error.Message);
            return ExitCodes.Usage;
        }
    }

    /// <summary>As above, for one volume that the command line describes.</summary>
    public async Task<int> RunAsync(
        NodeLocation location, string name, VolumeConfiguration volume, bool readOnly, VolumeAction action,
        CancellationToken cancellation) =>
        RunOn(
            location, name, volume, await IsAttachedAsync(location, volume, cancellation), readOnly, action);

    public static async Task<bool> IsAttachedAsync(
        NodeLocation location, VolumeConfiguration volume, CancellationToken cancellation) =>
        (await AttachedAsync(location, cancellation)).Contains(volume.Minor);

    private int RunOn(
        NodeLocation location, string name, VolumeConfiguration volume, bool attached, bool readOnly,
        VolumeAction action)
    {
        if (attached && !readOnly)
        {
            terminal.Errors.WriteLine(
                $"Device '{volume.Minor}' is configured! The daemon uses {name}; detach it first: "
                + $"blockrepl detach {name}");
            return ExitCodes.CannotExecute;
        }

        if (attached)
        {
            terminal.Errors.WriteLine($"# {name} is attached: its meta data change while they are read.");
        }

        try
        {
            using OfflineVolume opened = OfflineVolume.Open(
                volume, location.LastKnownDiskPath(volume.Minor), readOnly, open);
            return action(opened, name);
        }
        catch (BlockDeviceException error)
        {
            terminal.Errors.WriteLine($"{name}: {error.Message}");
            return ExitCodes.CannotExecute;
        }
    }

    private static (string Name, VolumeConfiguration Volume)[] Select(NodeConfiguration configuration, string target)
    {
        string[] parts = target.Split('/', 2);
        IReadOnlyList<ResourceConfiguration> resources = target == "all"
            ? configuration.Resources
            : configuration.Find(parts[0]) is { } one ? [one] : [];
        if (resources.Count == 0)
        {
            throw new TargetException(configuration.WhyMissing(target == "all" ? null : parts[0]));
        }

        (string Name, VolumeConfiguration Volume)[] volumes =
        [
            .. from resource in resources
               from volume in resource.Volumes
               let name = $"{resource.Name}/{volume.Number}"
               where parts.Length == 1 || name == target
               select (Name: name, Volume: volume),
        ];
        return volumes.Length > 0
            ? volumes
            : throw new TargetException($"{target}: the resource {parts[0]} has no such volume.");
    }

    /// <summary>The minors of the volumes whose disk the daemon has attached.</summary>
    private static async Task<HashSet<int>> AttachedAsync(NodeLocation location, CancellationToken cancellation)
    {
        try
        {
            ControlReply reply = await ControlClient.AskAsync(
                location, new ControlRequest { Command = "status" }, cancellation);
            return
            [
                .. (reply.Status?.Volumes ?? [])
                    .Where(volume => volume.Disk != "Diskless")
                    .Select(volume => volume.Minor),
            ];
        }
        catch (ControlException)
        {
            // No daemon; if one does not answer, the exclusive open of the disk still protects it.
            return [];
        }
    }

    private sealed class TargetException(string message) : Exception(message);
}
