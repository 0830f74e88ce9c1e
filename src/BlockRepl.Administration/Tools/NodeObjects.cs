using System.Globalization;
using BlockRepl.Administration.Control;

namespace BlockRepl.Administration.Tools;

/// <summary>A field of an object, as events2 and status print it: <c>NAME:VALUE</c>.</summary>
internal readonly record struct ObjectField(string Name, string Value)
{
    public override string ToString() => $"{Name}:{Value}";
}

/// <summary>One object of a node: a resource, its connection, a device, the peer's half of it.</summary>
/// <param name="Kind">resource, connection, device or peer-device.</param>
/// <param name="Key">What it is called by, from its first field on.</param>
internal sealed record NodeObject(string Kind, string Key, IReadOnlyList<ObjectField> Fields)
{
    /// <summary>Each resource's objects, resources first, as events2 lists them.</summary>
    public static IReadOnlyList<NodeObject> From(NodeStatus status, bool statistics)
    {
        IGrouping<string, VolumeReport>[] resources = [.. status.Volumes.GroupBy(volume => volume.Resource)];
        return
        [
            .. resources.Select(resource => Resource(resource.Key, resource.First(), statistics)),
            .. resources.Select(resource => Connection(resource.Key, resource.First())),
            .. status.Volumes.Select(volume => Device(volume, statistics)),
            .. status.Volumes.Select(volume => PeerDevice(volume, statistics)),
        ];
    }

    /// <summary>What became of one list in the other, as lines of events2.</summary>
    public static IEnumerable<string> Changes(IReadOnlyList<NodeObject> before, IReadOnlyList<NodeObject> after)
    {
        foreach (NodeObject gone in before.Reverse().Where(old => after.All(now => !now.IsSame(old))))
        {
            yield return $"destroy {gone.Kind} {gone.Key}";
        }

        foreach (NodeObject now in after)
        {
            NodeObject? old = before.FirstOrDefault(known => known.IsSame(now));
            if (old is null)
            {
                yield return now.Line("create");
            }
            else if (now.Fields.Except(old.Fields).ToArray() is { Length: > 0 } changed)
            {
                yield return $"change {now.Kind} {now.Key} {string.Join(' ', changed)}";
            }
        }
    }

    public string Line(string verb) => $"{verb} {Kind} {Key} {string.Join(' ', Fields)}";

    /// <summary>The words that DRBD has for a connection's state since its version 9.</summary>
    public static string ConnectionWord(VolumeReport volume) =>
        volume.Connection == "WFConnection" ? "Connecting" : IsConnected(volume) ? "Connected" : volume.Connection;

    public static string ReplicationWord(VolumeReport volume) =>
        !IsConnected(volume) ? "Off" : volume.Connection == "Connected" ? "Established" : volume.Connection;

    public static bool IsConnected(VolumeReport volume) => volume.Connection is not (
        "StandAlone" or "Disconnecting" or "Unconnected" or "Timeout" or "BrokenPipe" or "NetworkFailure"
        or "ProtocolError" or "TearDown" or "WFConnection" or "WFReportParams");

    public static string SuspendedWord(VolumeReport volume) => Reasons(
        (volume.SuspendedByUser, "user"), (volume.SuspendedNoData, "no-data"), (volume.SuspendedFencing, "fencing"));

    public static string ResyncSuspendedWord(VolumeReport volume) => Reasons(
        (volume.PausedByUser, "user"), (volume.PausedByPeer, "peer"), (volume.PausedByDependency, "dependency"));

    public static IEnumerable<ObjectField> DeviceStatistics(VolumeReport volume) =>
    [
        Number("size", volume.SizeSectors / 2), Number("read", volume.DiskReadKiB),
        Number("written", volume.DiskWrittenKiB), Number("al-writes", volume.ActivityLogWrites),
        Number("bm-writes", 0), Number("upper-pending", (ulong)volume.ApplicationPending),
        Number("lower-pending", (ulong)volume.LocalPending),
        new("al-suspended", volume.ActivityLogSuspended ? "yes" : "no"), new("blocked", BlockedWord(volume)),
    ];

    public static IEnumerable<ObjectField> PeerStatistics(VolumeReport volume) =>
    [
        Number("received", volume.ReceivedKiB), Number("sent", volume.SentKiB),
        Number("out-of-sync", volume.OutOfSyncKiB), Number("pending", (ulong)volume.PeerPending),
        Number("unacked", (ulong)volume.Unacknowledged),
    ];

    public static string WriteOrderingWord(VolumeReport volume) => volume.WriteOrdering switch
    {
        "b" => "barrier",
        "f" => "flush",
        "d" => "drain",
        _ => "none",
    };

    public static string BlockedWord(VolumeReport volume) => volume.Blocked switch
    {
        "b" => "lower",
        "d" or "a" => "upper",
        "n" => "congested",
        _ => "no",
    };

    private bool IsSame(NodeObject other) => Kind == other.Kind && Key == other.Key;

    private static NodeObject Resource(string name, VolumeReport first, bool statistics) => new(
        "resource", $"name:{name}",
        [
            new("role", first.Role), new("suspended", SuspendedWord(first)),
            .. statistics ? new ObjectField[] { new("write-ordering", WriteOrderingWord(first)) } : [],
        ]);

    private static NodeObject Connection(string name, VolumeReport first) => new(
        "connection", $"name:{name} {Peer}",
        [new("connection", ConnectionWord(first)), new("role", first.PeerRole)]);

    private static NodeObject Device(VolumeReport volume, bool statistics) => new(
        "device", $"name:{volume.Resource} volume:{volume.Volume} minor:{volume.Minor}",
        [new("disk", volume.Disk), .. statistics ? DeviceStatistics(volume) : []]);

    private static NodeObject PeerDevice(VolumeReport volume, bool statistics) => new(
        "peer-device", $"name:{volume.Resource} {Peer} volume:{volume.Volume}",
        [
            new("replication", ReplicationWord(volume)), new("peer-disk", volume.PeerDisk),
            new("resync-suspended", ResyncSuspendedWord(volume)), .. statistics ? PeerStatistics(volume) : [],
        ]);

    /// <summary>DRBD 8.4 has one peer; its tools always call it so.</summary>
    public const string Peer = "peer-node-id:0 conn-name:peer";

    private static string Reasons(params (bool Holds, string Word)[] reasons)
    {
        string words = string.Join(',', reasons.Where(reason => reason.Holds).Select(reason => reason.Word));
        return words.Length > 0 ? words : "no";
    }

    private static ObjectField Number(string name, ulong value) =>
        new(name, value.ToString(CultureInfo.InvariantCulture));
}
