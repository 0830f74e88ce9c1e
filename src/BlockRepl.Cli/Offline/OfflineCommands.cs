using System.CommandLine;
using BlockRepl.Administration;
using BlockRepl.Core.MetaData;

namespace BlockRepl.Cli.Offline;

/// <summary>Commands that work on a disk which no daemon uses.</summary>
internal sealed class OfflineCommands(NodeOptions node, Terminal terminal, Func<string, bool, IOfflineDisk> open)
{
    private readonly MetaDataActions _actions = new(terminal);
    private readonly OfflineRunner _runner = new(terminal, open);

    public void AddTo(RootCommand root)
    {
        root.Subcommands.Add(CreateMd());
        Option<bool> forceDump = new("--force") { Description = "Also when the activity log was not applied" };
        root.Subcommands.Add(Simple(
            "dump-md", "Print the meta data as text", true,
            parsed => (volume, name) => _actions.Dump(volume, name, parsed.GetValue(forceDump)), forceDump));
        root.Subcommands.Add(Simple(
            "apply-al", "Put what the activity log of a crashed Primary names into the bitmap", false,
            _ => _actions.ApplyLog));
        root.Subcommands.Add(
            Simple("show-gi", "Print the generation identifiers with their names", true, _ => _actions.ShowGi));
        Option<bool> forceWipe = new("--force") { Description = "Without asking" };
        root.Subcommands.Add(Simple(
            "wipe-md", "Make the meta data unrecognisable; the data stay", false,
            parsed => (volume, name) => _actions.Wipe(volume, name, parsed.GetValue(forceWipe)), forceWipe));
    }

    public Task<int> InvalidateAsync(NodeLocation location, string target, CancellationToken cancellation) =>
        _runner.RunAsync(location, target, false, _actions.Invalidate, cancellation);

    public Task<int> OutdateAsync(NodeLocation location, string target, CancellationToken cancellation) =>
        _runner.RunAsync(location, target, false, _actions.Outdate, cancellation);

    public Task<int> DiskStateAsync(NodeLocation location, string target, CancellationToken cancellation) =>
        _runner.RunAsync(location, target, true, _actions.DiskState, cancellation);

    public Task<int> GetGiAsync(NodeLocation location, string target, CancellationToken cancellation) =>
        _runner.RunAsync(location, target, true, _actions.GetGi, cancellation);

    private Command CreateMd()
    {
        Option<bool> force =
            new("--force") { Description = "Overwrite existing meta data and unknown data without asking" };
        Option<bool> ignore = new("--ignore-sanity-checks")
        {
            Description = "Even where a recognised file system would lose its end",
        };
        Option<int> stripes =
            new("--al-stripes") { Description = "Stripes of the activity log", DefaultValueFactory = _ => 1 };
        Option<int> stripeKiB = new("--al-stripe-size-kB")
        {
            Description = "Size of each stripe in KiB", DefaultValueFactory = _ => 32,
        };
        Option<uint> peerMaxBio = new("--peer-max-bio-size")
        {
            Description = "Largest request in bytes that the peer is known to take", DefaultValueFactory = _ => 0,
        };
        peerMaxBio.Validators.Add(result =>
        {
            if (result.GetValueOrDefault<uint>() > CreateMetaData.MaxPeerMaxBioBytes)
            {
                result.AddError($"--peer-max-bio-size must be within [0..{CreateMetaData.MaxPeerMaxBioBytes}] bytes.");
            }
        });
        return Simple(
            "create-md", "Write new, empty meta data; data that leave room for them stay", false,
            parsed => (volume, name) => _actions.Create(volume, name, new CreateOptions(
                parsed.GetValue(force),
                parsed.GetValue(ignore),
                parsed.GetValue(stripes),
                parsed.GetValue(stripeKiB),
                parsed.GetValue(peerMaxBio))),
            force, ignore, stripes, stripeKiB, peerMaxBio);
    }

    private Command Simple(
        string name,
        string description,
        bool readOnly,
        Func<ParseResult, OfflineRunner.VolumeAction> action,
        params Option[] options)
    {
        Argument<string[]> targets = DaemonCommands.Targets(ArgumentArity.OneOrMore);
        var command = new Command(name, description) { targets };
        foreach (Option option in options)
        {
            command.Options.Add(option);
        }

        command.SetAction((parsed, cancellation) => DaemonCommands.ForEachAsync(
            parsed.GetValue(targets)!,
            target => _runner.RunAsync(node.Resolve(parsed), target, readOnly, action(parsed), cancellation)));
        return command;
    }
}

/// <summary>What create-md was told.</summary>
internal sealed record CreateOptions(
    bool Force, bool IgnoreSanityChecks, int AlStripes, int AlStripeSizeKiB, uint PeerMaxBioBytes)
{
    /// <summary>Zero for a size that is no multiple of a block, which no layout accepts.</summary>
    public int AlStripeSize4k => AlStripeSizeKiB % 4 == 0 ? AlStripeSizeKiB / 4 : 0;
}
