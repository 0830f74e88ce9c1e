using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;
using BlockRepl.Core.Protocol;
using BlockRepl.Core.State;
using Xunit;

namespace BlockRepl.Core.Tests;

/// <summary>The text of /proc/drbd, against lines that the kernel module printed.</summary>
public sealed partial class StatusTextTests
{
    private static readonly VolumeStatus Idle = new()
    {
        Volume = 0,
        Minor = 0,
        Connection = ConnectionState.Connected,
        Role = Role.Primary,
        PeerRole = Role.Secondary,
        Disk = DiskState.UpToDate,
        PeerDisk = DiskState.UpToDate,
        Protocol = ReplicationProtocol.C,
    };

    [Fact]
    public void Every_recorded_status_is_printed_as_the_kernel_did()
    {
        string path = Path.Combine(AppContext.BaseDirectory, "golden", "status", "proc-drbd.txt");
        string[] blocks = [.. Block().Matches(File.ReadAllText(path)).Select(match => match.Value)];
        Assert.Equal(56, blocks.Length);
        foreach (string block in blocks)
        {
            var text = new StringBuilder();
            StatusText.AppendVolume(text, Parse(block));
            Assert.Equal(block, text.ToString());
        }
    }

    [Fact]
    public void A_sync_of_more_than_4_GiB_counts_in_MiB_and_groups_thousands()
    {
        VolumeStatus status = Idle with
        {
            Connection = ConnectionState.SyncTarget,
            Progress = new ResyncProgress(false, 33552384, 23747584, 23808584, 18, 3600, 102400),
        };
        string[] lines = StatusText.ProcDrbd("tag", [status]).Split('\n');
        Assert.Equal("\t[====>...............] sync'ed: 29.3% (92764/131064)M", lines[4]);
        Assert.Equal("\tfinish: 1:56:35 speed: 13,552 (10,892) want: 102,400 K/sec", lines[5]);
    }

    [Theory]
    [InlineData(0UL, 0UL, "[===================>]", "100.0%")]
    [InlineData(5UL, 0UL, "[===================>]", "100.0%")]
    [InlineData(1000UL, 1000UL, "[===================>]", "100.0%")]
    [InlineData(4096UL, 4096UL, "[===>................]", " 20.0%")]
    [InlineData(262144UL, 262144UL, "[>....................]", "  0.4%")]
    [InlineData(6442450944UL, 6442450944UL, "[>....................]", "  0.1%")]
    public void Progress_at_the_edges(ulong left, ulong total, string bar, string percent)
    {
        VolumeStatus status = Idle with
        {
            Connection = ConnectionState.VerifyT,
            Progress = new ResyncProgress(true, total, left, total, 200, 200, 0),
        };
        string text = StatusText.ProcDrbd("tag", [status]);
        Assert.Contains($"\t{bar} verified:{percent} (", text);
        Assert.EndsWith("speed: 0 (0) K/sec (stalled)\n", text);
    }

    [Fact]
    public void Gaps_between_minors_are_empty_lines_and_unused_volumes_are_unconfigured()
    {
        VolumeStatus unused = Idle with
        {
            Minor = 12,
            Connection = ConnectionState.StandAlone,
            Role = Role.Secondary,
            Disk = DiskState.Diskless,
        };
        string text = StatusText.ProcDrbd("tag", [unused, Idle with { Minor = 1 }, Idle with { Minor = 2 }]);
        string[] lines = text.Split('\n');
        Assert.Equal("version: 8.4.11 (api:1/proto:86-101)", lines[0]);
        Assert.Equal("tag", lines[1]);
        Assert.Equal("", lines[2]);
        Assert.StartsWith(" 1: cs:Connected ro:Primary/Secondary ds:UpToDate/UpToDate C r-----", lines[3]);
        Assert.StartsWith(" 2: cs:Connected", lines[5]);
        Assert.Equal("", lines[7]);
        Assert.Equal("12: cs:Unconfigured", lines[8]);
    }

    [Fact]
    public void Flags_stand_in_their_columns()
    {
        VolumeStatus status = Idle with
        {
            SuspendedNoData = true, PausedByDependency = true, PausedByPeer = true, PausedByUser = true,
            Blocked = 'd', ActivityLogSuspended = true, Protocol = null,
        };
        Assert.Contains("ds:UpToDate/UpToDate   sapuds\n", StatusText.ProcDrbd("tag", [status]));
    }

    private static VolumeStatus Parse(string block)
    {
        string[] lines = block.TrimEnd('\n').Split('\n');
        Match first = FirstLine().Match(lines[0]);
        Assert.True(first.Success, lines[0]);
        Dictionary<string, string> counters = lines[1].Trim().Split(' ').Select(field => field.Split(':'))
            .ToDictionary(field => field[0], field => field[1]);
        string flags = first.Groups["flags"].Value;
        VolumeStatus status = Idle with
        {
            Minor = int.Parse(first.Groups["minor"].Value, CultureInfo.InvariantCulture),
            Connection = Enum.Parse<ConnectionState>(first.Groups["cs"].Value),
            Role = Enum.Parse<Role>(first.Groups["ro"].Value),
            PeerRole = Enum.Parse<Role>(first.Groups["peer"].Value),
            Disk = Enum.Parse<DiskState>(first.Groups["ds"].Value),
            PeerDisk = Enum.Parse<DiskState>(first.Groups["pdsk"].Value),
            Protocol = first.Groups["p"].Value == " " ? null : Enum.Parse<ReplicationProtocol>(first.Groups["p"].Value),
            SuspendedByUser = flags[0] == 's',
            PausedByDependency = flags[1] == 'a',
            PausedByPeer = flags[2] == 'p',
            PausedByUser = flags[3] == 'u',
            Blocked = flags[4],
            ActivityLogSuspended = flags[5] == 's',
            SentKiB = Number("ns"),
            ReceivedKiB = Number("nr"),
            DiskWrittenKiB = Number("dw"),
            DiskReadKiB = Number("dr"),
            ActivityLogWrites = Number("al"),
            LocalPending = (int)Number("lo"),
            PeerPending = (int)Number("pe"),
            Unacknowledged = (int)Number("ua"),
            ApplicationPending = (int)Number("ap"),
            Epochs = (int)Number("ep"),
            WriteOrdering = counters["wo"][0],
            OutOfSyncKiB = Number("oos"),
        };
        return lines.Length == 2 ? status : status with { Progress = ParseProgress(lines[2], lines[3]) };

        ulong Number(string field) => ulong.Parse(counters[field], CultureInfo.InvariantCulture);
    }

    /// <summary>
    /// The seconds behind a printed speed are not printed; the smallest that fit are taken, and must give the rest.
    /// </summary>
    private static ResyncProgress ParseProgress(string bar, string speeds)
    {
        Match amounts = Amounts().Match(bar);
        ulong left = ulong.Parse(amounts.Groups[1].Value, CultureInfo.InvariantCulture) / 4;
        ulong total = ulong.Parse(amounts.Groups[2].Value, CultureInfo.InvariantCulture) / 4;
        Match speed = Speeds().Match(speeds.Replace(",", ""));
        ulong wanted = ulong.Parse(speed.Groups[1].Value, CultureInfo.InvariantCulture);
        long seconds = Enumerable.Range(1, 100).First(candidate => (total - left) / (ulong)candidate * 4 == wanted);
        int want = speed.Groups[2].Success ? int.Parse(speed.Groups[2].Value, CultureInfo.InvariantCulture) : 0;
        return new ResyncProgress(bar.Contains("verified"), total, left, total, seconds, seconds, want);
    }

    [GeneratedRegex(@"^ *\d+: cs:.*\n    ns:.*\n(\t.*\n\t.*\n)?", RegexOptions.Multiline)]
    private static partial Regex Block();

    [GeneratedRegex(
        @"^ *(?<minor>\d+): cs:(?<cs>\w+) ro:(?<ro>\w+)/(?<peer>\w+) ds:(?<ds>\w+)/(?<pdsk>\w+) "
        + @"(?<p>[ ABC]) (?<flags>.{6})$")]
    private static partial Regex FirstLine();

    [GeneratedRegex(@"\((\d+)/(\d+)\)K")]
    private static partial Regex Amounts();

    [GeneratedRegex(@"speed: (\d+) \(\d+\)(?: want: (\d+))? K/sec")]
    private static partial Regex Speeds();
}
