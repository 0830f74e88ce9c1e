using System.Globalization;
using System.Text.RegularExpressions;
using BlockRepl.Administration.Control;

namespace BlockRepl.Interop.Tests;

/// <summary>A volume as a node sees it, in DRBD's words.</summary>
internal sealed partial record HostStatus(
    string Connection, string Role, string PeerRole, string Disk, string PeerDisk, long OutOfSyncKiB, string Flags)
{
    /// <summary>A minor that is not there.</summary>
    public static readonly HostStatus Absent = new("Unconfigured", "Unknown", "Unknown", "Unknown", "Unknown", 0, "");

    public bool IsConnected =>
        Connection is not ("Unconfigured" or "StandAlone" or "Disconnecting" or "Unconnected" or "Timeout"
            or "BrokenPipe" or "NetworkFailure" or "ProtocolError" or "TearDown" or "WFConnection" or "WFReportParams");

    /// <summary>Connected, both disks good, nothing running, nothing marked.</summary>
    public bool IsInSync =>
        Connection == "Connected" && Disk == "UpToDate" && PeerDisk == "UpToDate" && OutOfSyncKiB == 0;

    public static HostStatus From(VolumeReport report) => new(
        report.Connection, report.Role, report.PeerRole, report.Disk, report.PeerDisk, (long)report.OutOfSyncKiB,
        (report.Suspended ? "s" : "r") + (report.ActivityLogSuspended ? "s" : "-"));

    /// <param name="text">What /proc/drbd holds.</param>
    public static HostStatus Parse(string text, int minor)
    {
        Match match = Regex.Match(
            text,
            $@"^ *{minor}: cs:(\S+)(?: ro:(\S+?)/(\S+) ds:(\S+?)/(\S+) (?:[ABC] )? *(\S+))?",
            RegexOptions.Multiline);
        if (!match.Success || !match.Groups[2].Success)
        {
            return Absent;
        }

        string counters = text[match.Index..];
        long outOfSync = long.Parse(OutOfSync().Match(counters).Groups[1].Value, CultureInfo.InvariantCulture);
        string[] f = [.. match.Groups.Values.Select(g => g.Value)];
        return new HostStatus(f[1], f[2], f[3], f[4], f[5], outOfSync, f[6]);
    }

    public override string ToString() =>
        $"cs:{Connection} ro:{Role}/{PeerRole} ds:{Disk}/{PeerDisk} {Flags} oos:{OutOfSyncKiB}";

    [GeneratedRegex(@"oos:(\d+)")]
    private static partial Regex OutOfSync();
}
