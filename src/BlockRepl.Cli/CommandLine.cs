using System.CommandLine;
using BlockRepl.Administration;
using BlockRepl.Administration.Tools;
using BlockRepl.Cli.Offline;

namespace BlockRepl.Cli;

/// <summary>The command line: names, options, and who carries each command out.</summary>
internal static class CommandLine
{
    public static RootCommand Build(Terminal terminal)
    {
        var node = new NodeOptions();
        var root = new RootCommand(
            "Administers replicated block devices as drbdadm does. RESOURCE is a name of the configuration, "
            + "RESOURCE/VOLUME one volume of it, or 'all'.");
        node.AddTo(root);
        var daemon = new DaemonCommands(node, terminal);
        var offline = new OfflineCommands(node, terminal, OfflineDisk.Open);
        AddLife(root, daemon);
        AddState(root, daemon);
        AddData(root, daemon, offline);
        AddWaits(root, daemon);
        AddQueries(root, daemon, offline);
        offline.AddTo(root);
        root.Subcommands.Add(new Command("sbd", SbdCommand.Description));
        foreach (string tool in ToolProgram.Names)
        {
            root.Subcommands.Add(new Command(tool, "The program of this name, which talks to the daemon faster"));
        }

        return root;
    }

    private static void AddLife(RootCommand root, DaemonCommands daemon)
    {
        root.Subcommands.Add(daemon.Create("up", "Read the configuration, attach the disks and connect"));
        root.Subcommands.Add(daemon.Create("down", "Demote, disconnect, detach and forget", doneWithoutDaemon: true));
        root.Subcommands.Add(daemon.CreateRestart());
        root.Subcommands.Add(daemon.Create("attach", "Attach the backing disk"));
        Option<bool> force = Flag("--force", "Do not wait for I/O that hangs");
        root.Subcommands.Add(daemon.Create(
            "detach", "Detach the backing disk", true, [force],
            (parsed, request) => request with { Force = parsed.GetValue(force) }));
        Option<bool> discard = Flag("--discard-my-data", "After a split brain: throw away this node's changes");
        Option<bool> tentative = Flag("--tentative", "Only find out what would happen, then disconnect");
        root.Subcommands.Add(daemon.Create(
            "connect", "Connect to the peer; does not wait for it", false, [discard, tentative],
            (parsed, request) => request with
            {
                DiscardMyData = parsed.GetValue(discard), Tentative = parsed.GetValue(tentative),
            }));
        Option<bool> forceDisconnect = Flag("--force", "Do not ask the peer");
        root.Subcommands.Add(daemon.Create(
            "disconnect", "End the connection; the resource becomes StandAlone", true, [forceDisconnect],
            (parsed, request) => request with { Force = parsed.GetValue(forceDisconnect) }));
    }

    private static void AddState(RootCommand root, DaemonCommands daemon)
    {
        Option<bool> force =
            Flag("--force", "Declare this node's data good although they are Inconsistent or Outdated");
        force.Aliases.Add("--overwrite-data-of-peer");
        root.Subcommands.Add(daemon.Create(
            "primary", "Make this node Primary: its device can be written", false, [force],
            (parsed, request) => request with { Force = parsed.GetValue(force) }));
        root.Subcommands.Add(daemon.Create("secondary", "Make this node Secondary", doneWithoutDaemon: true));
        root.Subcommands.Add(daemon.Create("suspend-io", "Hold back all requests of applications"));
        root.Subcommands.Add(daemon.Create("resume-io", "Let requests of applications go on"));
    }

    private static void AddData(RootCommand root, DaemonCommands daemon, OfflineCommands offline)
    {
        root.Subcommands.Add(daemon.CreateWithOffline(
            "invalidate", "Throw away the local data and take all of the peer's", offline.InvalidateAsync));
        root.Subcommands.Add(daemon.Create("invalidate-remote", "Send all data to the peer, replacing its own"));
        root.Subcommands.Add(
            daemon.CreateWithOffline("outdate", "Mark the local data as outdated", offline.OutdateAsync));
        root.Subcommands.Add(daemon.Create("pause-sync", "Hold the resync of a volume"));
        root.Subcommands.Add(daemon.Create("resume-sync", "Let the resync of a volume go on"));
        Option<ulong?> start = Sectors("--start", "First sector (512 bytes) to compare");
        Option<ulong?> stop = Sectors("--stop", "Sector to stop at");
        root.Subcommands.Add(daemon.Create(
            "verify", "Start to compare all blocks with the peer's; differences are marked, not repaired",
            false, [start, stop],
            (parsed, request) =>
                request with { StartSector = parsed.GetValue(start), StopSector = parsed.GetValue(stop) }));
        Option<bool> clear = Flag("--clear-bitmap", "Both disks are known to be equal: skip the first sync");
        root.Subcommands.Add(daemon.Create(
            "new-current-uuid", "Begin a new data generation", false, [clear],
            (parsed, request) => request with { ClearBitmap = parsed.GetValue(clear) }));
        Option<ulong?> size = Sectors("--size", "Wanted size in sectors (512 bytes); default as large as possible");
        Option<bool> peerHasSpace = Flag("--assume-peer-has-space", "Grow although the peer is not connected");
        Option<bool> clean = Flag("--assume-clean", "The new area is equal on both nodes: do not sync it");
        root.Subcommands.Add(daemon.Create(
            "resize", "Use the new size of the backing disks", false, [size, peerHasSpace, clean],
            (parsed, request) => request with
            {
                SizeSectors = parsed.GetValue(size),
                AssumePeerHasSpace = parsed.GetValue(peerHasSpace),
                AssumeClean = parsed.GetValue(clean),
            }));
    }

    private static void AddWaits(RootCommand root, DaemonCommands daemon)
    {
        foreach ((string name, string description) in new[]
        {
            ("wait-connect", "Wait until connected; exit code 5 on time-out"),
            ("wait-sync", "Wait until connected and in sync; exit code 5 on time-out"),
        })
        {
            Option<int?> wait =
                Seconds("--wfc-timeout", "Time-out in seconds, 0 = for ever (default: the configuration's)");
            wait.Aliases.Add("--timeout");
            Option<int?> degraded = Seconds("--degr-wfc-timeout", "The same for a node that was alone before");
            Option<int?> outdated = Seconds("--outdated-wfc-timeout", "The same for a peer whose data are outdated");
            Option<bool?> afterSplitBrain = new("--wait-after-sb")
            {
                Description = "Wait on although StandAlone after a split brain",
                Arity = ArgumentArity.ZeroOrOne,
                DefaultValueFactory = _ => null,
            };
            root.Subcommands.Add(daemon.Create(
                name, description, false, [wait, degraded, outdated, afterSplitBrain],
                (parsed, request) => request with
                {
                    WaitSeconds = parsed.GetValue(wait),
                    DegradedWaitSeconds = parsed.GetValue(degraded),
                    OutdatedWaitSeconds = parsed.GetValue(outdated),
                    WaitAfterSplitBrain = parsed.GetResult(afterSplitBrain) is { Implicit: false }
                        ? parsed.GetValue(afterSplitBrain) ?? true
                        : null,
                }));
        }
    }

    private static void AddQueries(RootCommand root, DaemonCommands daemon, OfflineCommands offline)
    {
        root.Subcommands.Add(daemon.CreateStatus());
        root.Subcommands.Add(daemon.Create("role", "Print own and peer's role"));
        root.Subcommands.Add(daemon.Create("cstate", "Print the connection's state"));
        root.Subcommands.Add(
            daemon.CreateWithOffline("dstate", "Print own and peer's disk state", offline.DiskStateAsync));
        root.Subcommands.Add(daemon.CreateWithOffline(
            "get-gi", "Print the generation identifiers: current:bitmap:history:history:flags", offline.GetGiAsync));
    }

    private static Option<bool> Flag(string name, string description) => new(name) { Description = description };

    private static Option<ulong?> Sectors(string name, string description) =>
        new(name) { Description = description, HelpName = "SECTORS" };

    private static Option<int?> Seconds(string name, string description)
    {
        var option = new Option<int?>(name) { Description = description, HelpName = "SECONDS" };
        option.Validators.Add(result =>
        {
            if (result.GetValueOrDefault<int?>() is < 0 or > 300000)
            {
                result.AddError($"{name} must be within [0..300000] seconds.");
            }
        });
        return option;
    }
}
