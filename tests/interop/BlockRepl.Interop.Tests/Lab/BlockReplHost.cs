using System.Security.Cryptography;
using BlockRepl.Administration;
using BlockRepl.Administration.Control;
using BlockRepl.Nodes;

namespace BlockRepl.Interop.Tests;

/// <summary>Our daemon in the network namespace, with our commands.</summary>
internal sealed class BlockReplHost : Host, IDisposable
{
    private readonly NetworkSegment _segment;
    private readonly NodeLocation _location;

    public BlockReplHost(NetworkSegment segment, string folder, Disks disks)
        : base(disks)
    {
        _segment = segment;
        string configuration = Path.Combine(folder, "drbd.conf");
        Node = new Node(Name, Path.Combine(folder, Name), configuration, "r0", disks.Paths[0], 7788, segment.Name);
        _location = new NodeLocation { ConfigPath = configuration, Node = Name, RunDirectory = Node.RunDirectory };
    }

    public override string Name => "blockrepl";

    public Node Node { get; }

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

    public override ToolResult Try(string command, params string[] options) => Node.Try([command, .. options, "r0"]);

    public override Load StartLoad(LoadShape shape, int seed, int volume = 0) =>
        new NbdLoad(Node.NbdSocket, $"r0/{volume}", shape, seed);

    public override void PowerOff() => Node.Kill();

    public override void PowerOn() => Node.Start();

    public override void Configure(string configuration)
    {
        if (HasPower)
        {
            Node.Stop();
        }

        File.WriteAllText(_location.ConfigPath, configuration);
        Node.Start();
    }

    public override void Clear()
    {
        if (HasPower)
        {
            Node.Kill();
        }

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

    public override void Silence() => _segment.SilenceUs();

    public override void EndSilence() => _segment.HearUs();

    public void Dispose() => Node.Dispose();
}
