using System.Globalization;
using BlockRepl.Administration;
using BlockRepl.Administration.Tools;
using BlockRepl.Cli.Offline;
using BlockRepl.Configuration;
using BlockRepl.Configuration.Syntax;
using BlockRepl.Core.MetaData;

namespace BlockRepl.Cli.Tools;

/// <summary>drbdmeta: <c>drbdmeta MINOR v08 DEVICE INDEX COMMAND</c>.</summary>
internal sealed class DrbdMeta(NodeLocation location, Terminal terminal, Func<string, bool, IOfflineDisk> open)
    : IMetaDataTool
{
    private const string StandardInput = "/dev/stdin";

    private static readonly string[] Commands =
    [
        "create-md", "dump-md", "restore-md FILE", "verify-dump FILE", "apply-al", "wipe-md", "check-resize", "get-gi",
        "show-gi", "set-gi GI", "dstate", "outdate", "invalidate",
    ];

    private readonly MetaDataActions _actions = new(terminal);
    private readonly OfflineRunner _runner = new(terminal, open);

    public async Task<int> RunAsync(IReadOnlyList<string> arguments, CancellationToken cancellation)
    {
        try
        {
            ToolWords given = ToolWords.Parse(arguments, ToolOption.OfMetaData);
            if (given.Words.Count < 5)
            {
                throw new ToolUsageException("too few words");
            }

            string command = given.Words[4];
            OfflineRunner.VolumeAction action = Action(command, given);
            VolumeConfiguration volume = Find(given.Words);
            if (command == "check-resize" && await OfflineRunner.IsAttachedAsync(location, volume, cancellation))
            {
                return ExitCodes.Success; // they are where they belong
            }

            bool readOnly = command is "dump-md" or "get-gi" or "show-gi" or "dstate" or "verify-dump";
            return await _runner.RunAsync(location, given.Words[0], volume, readOnly, action, cancellation);
        }
        catch (ToolUsageException error)
        {
            await terminal.Errors.WriteLineAsync(
                $"drbdmeta: {error.Message}\nUSAGE: drbdmeta [--force] MINOR v08 DEVICE INDEX COMMAND\n"
                + $"INDEX: internal, flexible, or a number; COMMAND: {string.Join(", ", Commands)}.");
            return ExitCodes.CannotExecute;
        }
        catch (ConfigurationException error)
        {
            await terminal.Errors.WriteLineAsync(error.Message);
            return ExitCodes.Refused;
        }
    }

    private OfflineRunner.VolumeAction Action(string command, ToolWords given) => command switch
    {
        "create-md" => (volume, name) => _actions.Create(volume, name, new CreateOptions(
            given.Has("force"), given.Has("ignore-sanity-checks"), Number(given, "al-stripes", 1),
            Number(given, "al-stripe-size-kB", 32), (uint)Number(given, "peer-max-bio-size", 0))),
        "dump-md" => (volume, name) => _actions.Dump(volume, name, given.Has("force")),
        "apply-al" => _actions.ApplyLog,
        "wipe-md" => (volume, name) => _actions.Wipe(volume, name, given.Has("force")),
        "get-gi" => _actions.GetGi,
        "show-gi" => _actions.ShowGi,
        "dstate" => _actions.DiskState,
        "outdate" => _actions.Outdate,
        "invalidate" => _actions.Invalidate,
        "check-resize" => _actions.CheckResize,
        "set-gi" when Argument(given) is { } words =>
            (volume, name) => _actions.SetGi(volume, name, words, given.Has("force")),
        "restore-md" => (volume, name) => _actions.Restore(
            volume, name, Argument(given) ?? StandardInput, given.Has("force")),
        "verify-dump" => (volume, name) => _actions.VerifyDump(volume, name, Argument(given) ?? StandardInput),
        "set-gi" => throw new ToolUsageException("set-gi needs the identifiers, as get-gi prints them"),
        _ => throw new ToolUsageException(
            $"there is no command '{command}'"
            + NearestWord.Question(command, Commands.Select(known => known.Split(' ')[0]))),
    };

    private static string? Argument(ToolWords given) => given.Words.Count > 5 ? given.Words[5] : null;

    /// <summary>The volume that the words describe; which disk external meta data belong to the configuration
    /// knows.</summary>
    private VolumeConfiguration Find(IReadOnlyList<string> words)
    {
        string minorText = Path.GetFileName(words[0]) is ['d', 'r', 'b', 'd', .. { } digits] ? digits : words[0];
        int minor = -1; // "-": no device has it
        if (words[0] != "-" && !int.TryParse(minorText, NumberStyles.None, CultureInfo.InvariantCulture, out minor))
        {
            throw new ToolUsageException($"'{words[0]}' is no minor");
        }

        if (words[1] != "v08")
        {
            throw new ToolUsageException(
                $"the format is '{words[1]}'; BlockRepl's meta data are v08, those of DRBD 8.4");
        }

        string device = words[2];
        if (words[3] is "internal" or "flex-internal")
        {
            return Volume(MetaDataKind.Internal, device, 0);
        }

        bool indexed = int.TryParse(words[3], NumberStyles.None, CultureInfo.InvariantCulture, out int index);
        if (!indexed && words[3] is not ("flexible" or "flex-external"))
        {
            throw new ToolUsageException($"'{words[3]}' is no index");
        }

        VolumeConfiguration known = SystemConfigurationFiles.Read(location).Resources
            .SelectMany(resource => resource.Volumes)
            .FirstOrDefault(volume => volume.Minor == minor && volume.MetaDiskPath == device)
            ?? throw new ToolUsageException(
                $"which disk the meta data on {device} belong to is to be seen from {location.ConfigPath}, and "
                + $"that has no minor {minor} with this meta-disk");
        return Volume(
            indexed ? MetaDataKind.IndexedExternal : MetaDataKind.FlexibleExternal, known.DiskPath, index);

        VolumeConfiguration Volume(MetaDataKind kind, string disk, int slot) => new(
            0, minor, $"/dev/drbd{minor}", disk, kind, device, slot, new SourcePosition(location.ConfigPath, 1));
    }

    private static int Number(ToolWords given, string option, int fallback) =>
        given.Value(option) is not { } text ? fallback
        : int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out int number) ? number
        : throw new ToolUsageException($"--{option}={text} is no number");
}
