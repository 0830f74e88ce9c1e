using System.Text.Json;

namespace BlockRepl.Nodes;

/// <summary>A volume as <c>blockrepl status --json</c> shows it.</summary>
public sealed record VolumeView(JsonElement Json)
{
    public string Connection => Text("connection");
    public string Role => Text("role");
    public string PeerRole => Text("peerRole");
    public string Disk => Text("disk");
    public string PeerDisk => Text("peerDisk");
    public long OutOfSyncKiB => Number("outOfSyncKiB");
    public long SizeSectors => Number("sizeSectors");
    public long SentKiB => Number("sentKiB");
    public long ReceivedKiB => Number("receivedKiB");
    public long DiskWrittenKiB => Number("diskWrittenKiB");

    /// <summary>Connected, both disks good, nothing running.</summary>
    public bool IsInSync => Connection == "Connected" && Disk == "UpToDate" && PeerDisk == "UpToDate";

    private string Text(string name) => Json.GetProperty(name).GetString() ?? "";

    private long Number(string name) => Json.GetProperty(name).GetInt64();
}
