using BlockRepl.Configuration;
using BlockRepl.Core.Options;

namespace BlockRepl.Daemon.Nodes;

/// <summary>One thing that is different in a resource's new configuration.</summary>
/// <param name="What">Such as <c>net max-buffers: 2048 -> 36864</c>.</param>
internal readonly record struct ConfigurationChange(string What, ChangeKind Kind);

/// <summary>Whom a change concerns.</summary>
internal enum ChangeKind
{
    /// <summary>The daemon: it changes under whatever runs.</summary>
    Daemon,

    /// <summary>The core, which says under what conditions.</summary>
    Options,

    /// <summary>Where disks and peer are, and which volumes there are: the resource has to start anew.</summary>
    Place,
}

/// <summary>What is different between the configuration that a resource runs with and the one in the files.</summary>
internal static class ConfigurationChanges
{
    public static IReadOnlyList<ConfigurationChange> Between(ResourceConfiguration running, ResourceConfiguration now)
    {
        var changes = new List<ConfigurationChange>();
        Add(changes, "address", running.Own.ToString(), now.Own.ToString());
        Add(changes, "peer's address", running.Peer.ToString(), now.Peer.ToString());
        if (running.Options.Net != now.Options.Net)
        {
            AddOptions(changes, "net", running.NetTexts, now.NetTexts);
        }

        if (running.Options.OnNoDataAccessible != now.Options.OnNoDataAccessible)
        {
            AddOptions(changes, "options", running.OptionTexts, now.OptionTexts);
        }

        foreach (int number in running.Volumes.Concat(now.Volumes).Select(volume => volume.Number).Distinct().Order())
        {
            AddVolume(changes, number, running, now);
        }

        if (!running.Handlers.OrderBy(handler => handler.Key).SequenceEqual(now.Handlers.OrderBy(h => h.Key)))
        {
            changes.Add(new ConfigurationChange("handlers", ChangeKind.Daemon));
        }

        if (!running.StartupTexts.SequenceEqual(now.StartupTexts))
        {
            changes.Add(new ConfigurationChange("startup", ChangeKind.Daemon));
        }

        return changes;
    }

    private static void AddVolume(
        List<ConfigurationChange> changes, int number, ResourceConfiguration running, ResourceConfiguration now)
    {
        string name = $"volume {number}";
        VolumeConfiguration? before = running.Volumes.FirstOrDefault(volume => volume.Number == number);
        VolumeConfiguration? after = now.Volumes.FirstOrDefault(volume => volume.Number == number);
        if (before is null || after is null)
        {
            changes.Add(new ConfigurationChange($"{name}: {(before is null ? "new" : "gone")}", ChangeKind.Place));
            return;
        }

        Add(changes, $"{name} minor", $"{before.Minor}", $"{after.Minor}");
        Add(changes, $"{name} disk", before.DiskPath, after.DiskPath);
        Add(
            changes, $"{name} meta-disk", $"{before.MetaDataKind} {before.MetaDiskPath} {before.MetaDiskIndex}",
            $"{after.MetaDataKind} {after.MetaDiskPath} {after.MetaDiskIndex}");
        if (Disk(running, number) != Disk(now, number))
        {
            AddOptions(changes, $"{name} disk", before.DiskTexts, after.DiskTexts);
        }
    }

    private static DiskOptions Disk(ResourceConfiguration resource, int volume) =>
        resource.Options.Volumes.First(known => known.Number == volume).Disk;

    private static void Add(
        List<ConfigurationChange> changes, string what, string before, string after,
        ChangeKind kind = ChangeKind.Place)
    {
        if (before != after)
        {
            changes.Add(new ConfigurationChange($"{what}: {before} -> {after}", kind));
        }
    }

    /// <summary>Names the options; the last of the same name counts.</summary>
    private static void AddOptions(
        List<ConfigurationChange> changes, string section, IReadOnlyList<OptionText> before,
        IReadOnlyList<OptionText> after)
    {
        foreach (string name in before.Concat(after).Select(option => option.Name).Distinct())
        {
            Add(changes, $"{section} {name}", Value(before, name), Value(after, name), ChangeKind.Options);
        }
    }

    private static string Value(IReadOnlyList<OptionText> options, string name) =>
        options.LastOrDefault(option => option.Name == name) is { Name: not null } found
            ? found.InScale
            : "default";
}
