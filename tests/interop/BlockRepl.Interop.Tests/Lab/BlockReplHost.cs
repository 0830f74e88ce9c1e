using System.Security.Cryptography;
using BlockRepl.Administration;
using BlockRepl.Administration.Control;
using BlockRepl.Nodes;
using Xunit;

namespace BlockRepl.Interop.Tests;

/// <summary>Our daemon in the network namespace, with our commands.</summary>
internal sealed class BlockReplHost : Host, IDisposable
{
    private readonly NetworkSegment _segment;
    private readonly NodeLocation _location;
    private readonly string _folder;
    private FailingDisk? _failingDisk;

    public BlockReplHost(NetworkSegment segment, string folder, Disks disks, string handlerRecord)
        : base(disks, handlerRecord)
    {
        _segment = segment;
        _folder = folder;
        string configuration = Path.Combine(folder, "drbd.conf");
        Node = new Node(Name, Path.Combine(folder, Name), configuration, "r0", disks.Paths[0], 7788, segment.Name);
        _location = new NodeLocation { ConfigPath = configuration, Node = Name, RunDirectory = Node.RunDirectory };
    }

    public override string Name => "blockrepl";

    public Node Node { get; }

    protected override QemuControl DiskControl =>
        _failingDisk?.Control ?? throw new InvalidOperationException("the script did not ask for DisksCanFail");

    /// <summary>Puts something below the first disk that lets it fail.</summary>
    public void LetDiskFail()
    {
        if (Tool.Find("qemu-storage-daemon") is null || !File.Exists("/dev/fuse"))
        {
            Assert.Skip("needs qemu-storage-daemon and FUSE: a disk that can be made to fail");
        }

        _failingDisk = new FailingDisk(Disks.Paths[Disks.Small], Path.Combine(_folder, "failing"));
    }

    public override string DiskPath(int disk) =>
        disk == Disks.Small && _failingDisk is not null ? _failingDisk.Path : Disks.Paths[disk];

    public override void ResizeDisk(int disk, long bytes)
    {
        using FileStream file = File.Open(Disks.Paths[disk], FileMode.Open, FileAccess.ReadWrite, FileShare.ReadWrite);
        file.SetLength(bytes);
    }

    public override bool HasPower => !Node.DaemonHasExited;

    public override HostStatus Status(int volume = 0)
    {
        var request = new ControlRequest { Command = "status", Target = "all" };
        ControlReply reply =
            ControlClient.AskAsync(_location, request, CancellationToken.None).GetAwaiter().GetResult();
        VolumeReport? report = reply.Status?.Volumes.FirstOrDefault(v => v.Resource == "r0" && v.Volume == volume);
        return report is null ? HostStatus.Absent : HostStatus.From(report);
    }

    public override Generations Generations(int volume = 0) =>
        Interop.Tests.Generations.Parse(Node.Command("get-gi", $"r0/{volume}"));

    public override ToolResult Try(string command, params string[] options) => command == "adjust"
        ? Node.Run("drbdadm", "adjust", "r0") // drbdadm's alone
        : Node.Try([command, .. options, "r0"]);

    public override Load StartLoad(LoadShape shape, int seed, int volume = 0) =>
        new NbdLoad(Node.NbdSocket, $"r0/{volume}", shape, seed);

    /// <summary>With the daemon goes what it left for its successor: that is in memory.</summary>
    public override void PowerOff()
    {
        Node.Kill();
        Node.DeleteRecord();
    }

    /// <summary>Ends the daemon without any warning; the machine keeps its power.</summary>
    public void KillDaemon() => Node.Kill();

    public override void PowerOn() => Node.Start();

    public override void Configure(string configuration)
    {
        if (HasPower)
        {
            Node.Stop();
        }

        WriteConfiguration(configuration);
        Node.Start();
    }

    public override void WriteConfiguration(string configuration) =>
        File.WriteAllText(_location.ConfigPath, configuration);

    public override void Clear()
    {
        if (HasPower)
        {
            Node.Kill();
        }

        Node.DeleteRecord();
        _failingDisk?.Dispose();
        _failingDisk = null;
        File.Delete(HandlerRecord);
        Disks.Clear();
    }

    public override string HashOfDevice(long byteCount)
    {
        const int piece = 1 << 20;
        using var client = new NbdClient(Node.NbdSocket, "r0/0");
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.MD5);
        for (long at = 0; at < byteCount; at += piece)
        {
            hash.AppendData(client.Read(at, (int)Math.Min(piece, byteCount - at)));
        }

        return Convert.ToHexStringLower(hash.GetHashAndReset());
    }

    public override void Discard(long offset, int bytes)
    {
        using var client = new NbdClient(Node.NbdSocket, "r0/0");
        client.Trim(offset, bytes);
    }

    public override void WriteZeroes(long offset, int bytes, bool mayUnmap)
    {
        using var client = new NbdClient(Node.NbdSocket, "r0/0");
        client.WriteZeroes(offset, bytes, mayUnmap);
    }

    public override bool TryRead(long offset, int bytes) => Succeeds(client => client.Read(offset, bytes));

    public override bool TryWrite(long offset, int bytes, byte pattern) =>
        Succeeds(client => client.Write(offset, Enumerable.Repeat(pattern, bytes).ToArray()));

    public override long DeviceBytes() => Node.Status().SizeSectors * 512;

    public override IDisposable HoldOpen() => new NbdClient(Node.NbdSocket, "r0/0");

    public override string[] HandlersCalled() =>
        File.Exists(HandlerRecord) ? File.ReadAllLines(HandlerRecord) : [];

    private bool Succeeds(Action<NbdClient> request)
    {
        using var client = new NbdClient(Node.NbdSocket, "r0/0");
        try
        {
            request(client);
            return true;
        }
        catch (IOException)
        {
            return false;
        }
    }

    public override void Silence() => _segment.SilenceUs();

    public override void EndSilence() => _segment.HearUs();

    public void Dispose()
    {
        File.Delete(HandlerRecord);
        Node.Dispose();
        _failingDisk?.Dispose();
    }
}
