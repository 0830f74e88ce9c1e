using System.Net;
using System.Net.Sockets;
using BlockRepl.Nodes;
using Xunit;

namespace BlockRepl.Interop.Tests;

/// <summary>
/// Versions of the protocol that no kernel of today agrees on: a peer that is a script of bytes. It needs neither a
/// guest nor root.
/// </summary>
[Trait("Category", "Interop")]
public sealed class OldVersionScripts
{
    private const long DiskBytes = 16 << 20;
    private const ushort Data = 0x00;

    private static readonly int[] InShortChoice = [86, 90, 95, 100];

    public static TheoryData<int> Versions { get; } =
    [
        .. new[] { 86, 87, 88, 89, 90, 91, 94, 95, 96, 97, 99, 100 }.Select(Row),
    ];

    [Theory]
    [MemberData(nameof(Versions))]
    public void Either_can_be_Primary_with_a_peer_of_an_older_version(int version)
    {
        string folder = Directory.CreateTempSubdirectory("interop-old-").FullName;
        try
        {
            using Node node = StartNode(folder);
            node.Command("primary", "--force", "r0");
            node.Command("secondary", "r0");
            Generations generations = Generations.Parse(node.Command("get-gi", "r0")).WithoutRoles();
            long size = node.Status().SizeSectors * 512;
            using var peer = new ScriptedPeer(version, node.Port, generations, size);
            node.WaitFor(v => v.IsInSync, "connection with version " + version);
            LetNodeWrite(node, peer);
            node.Command("secondary", "r0");
            LetPeerWrite(node, peer);
            node.Command("disconnect", "r0");
            Assert.Empty(peer.Complaints);
            node.Command("down", "r0");
            byte[] disk = File.ReadAllBytes(node.DiskPath);
            Assert.True(peer.Image.AsSpan().SequenceEqual(disk.AsSpan(0, (int)size)), "the disks differ");
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    private static TheoryDataRow<int> Row(int version)
    {
        var row = new TheoryDataRow<int>(version);
        return InShortChoice.Contains(version) ? Variants.InShortChoice(row) : row;
    }

    private static void LetNodeWrite(Node node, ScriptedPeer peer)
    {
        node.Command("primary", "r0");
        var random = new Random(7);
        using var client = new NbdClient(node.NbdSocket, "r0/0");
        foreach (int bytes in new[] { 512, 4096, 32 << 10, 36 << 10, 128 << 10, 256 << 10, 1 << 20 })
        {
            byte[] data = new byte[bytes];
            random.NextBytes(data);
            client.Write(random.Next(20) * 65536, data);
            client.Flush();
        }

        Assert.True(peer.Seen(Data) >= 7, $"the peer saw {peer.Seen(Data)} writes");
    }

    private static void LetPeerWrite(Node node, ScriptedPeer peer)
    {
        node.WaitFor(v => v.Role == "Secondary", "role");
        peer.Promote();
        node.WaitFor(v => v.PeerRole == "Primary", "role of the peer");
        var random = new Random(8);
        uint epoch = 100;
        foreach (int bytes in new[] { 512, 4096, 32 << 10 })
        {
            byte[] data = new byte[bytes];
            random.NextBytes(data);
            peer.Write(random.Next(20) * 131072, data, epoch++);
        }
    }

    private static Node StartNode(string folder)
    {
        int port = FreePort();
        string configuration = Path.Combine(folder, "drbd.conf");
        string disk = Path.Combine(folder, "disk");
        using (FileStream file = File.Create(disk))
        {
            file.SetLength(DiskBytes);
        }

        File.WriteAllText(
            configuration,
            $$"""
            resource r0 {
                net { protocol C; }
                device /dev/drbd0;
                meta-disk internal;
                on ours { disk {{disk}}; address 127.0.0.1:{{port}}; }
                on old { disk /dev/old; address 127.0.0.1:{{FreePort()}}; }
            }
            """);
        var node = new Node("ours", folder, configuration, "r0", disk, port);
        node.Command("create-md", "--force", "r0");
        node.Start();
        node.Command("up", "r0");
        return node;
    }

    private static int FreePort()
    {
        using var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        socket.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        return ((IPEndPoint)socket.LocalEndPoint!).Port;
    }
}
