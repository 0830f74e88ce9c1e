using System.Net;
using System.Net.Sockets;

namespace BlockRepl.Nodes;

/// <summary>Two nodes on 127.0.0.1 that keep one disk, in a temporary folder that goes with them.</summary>
public sealed class TwoNodes : IDisposable
{
    public TwoNodes(TwoNodesOptions options)
    {
        Options = options;
        Folder = Directory.CreateTempSubdirectory("blockrepl-").FullName;
        ConfigurationPath = Path.Combine(Folder, "drbd.conf");
        (int leftPort, int rightPort) = FreePorts();
        Left = CreateNode("left", leftPort);
        Right = CreateNode("right", rightPort);
        File.WriteAllText(ConfigurationPath, Configuration());
    }

    public TwoNodesOptions Options { get; }

    public string Folder { get; }

    public string ConfigurationPath { get; }

    public Node Left { get; }

    public Node Right { get; }

    /// <summary>Two running, connected nodes with new meta data and, if wished, a Primary and equal disks.</summary>
    public static TwoNodes Connected(TwoNodesOptions options, bool synced = true)
    {
        var nodes = new TwoNodes(options);
        try
        {
            nodes.CreateAndConnect();
            if (synced)
            {
                nodes.FirstSync();
            }

            return nodes;
        }
        catch
        {
            nodes.Dispose();
            throw;
        }
    }

    public void CreateAndConnect()
    {
        foreach (Node node in new[] { Left, Right })
        {
            node.Command("create-md", "--force", Options.Resource);
            node.Start();
            node.Command("up", Options.Resource);
        }

        Left.WaitFor(v => v.Connection == "Connected", "connection");
        Right.WaitFor(v => v.Connection == "Connected", "connection");
    }

    /// <summary>Makes left Primary and its disk the good one, and waits until right has all of it.</summary>
    public void FirstSync()
    {
        Left.Command("primary", "--force", Options.Resource);
        WaitInSync();
    }

    public void WaitInSync(int seconds = 120)
    {
        Left.WaitFor(v => v.IsInSync, "both disks UpToDate", seconds);
        Right.WaitFor(v => v.IsInSync, "both disks UpToDate", seconds);
    }

    /// <summary>Whether the data areas of both disks are the same, byte for byte. Both nodes must be down.</summary>
    /// <param name="byteCount">Size of the device.</param>
    public bool DisksAreEqual(long byteCount)
    {
        using FileStream left = File.OpenRead(Left.DiskPath);
        using FileStream right = File.OpenRead(Right.DiskPath);
        byte[] one = new byte[1 << 20];
        byte[] two = new byte[1 << 20];
        for (long at = 0; at < byteCount; at += one.Length)
        {
            int count = (int)Math.Min(one.Length, byteCount - at);
            left.ReadExactly(one, 0, count);
            right.ReadExactly(two, 0, count);
            if (!one.AsSpan(0, count).SequenceEqual(two.AsSpan(0, count)))
            {
                return false;
            }
        }

        return true;
    }

    /// <summary>
    /// Takes the resource down on both nodes, the Secondary first, and gives the size of the device in bytes.
    /// </summary>
    public long Down(Node primary, Node secondary)
    {
        long size = primary.Status().SizeSectors * 512;
        secondary.Command("down", Options.Resource);
        primary.Command("down", Options.Resource);
        return size;
    }

    public void Dispose()
    {
        Left.Dispose();
        Right.Dispose();
        Directory.Delete(Folder, recursive: true);
    }

    private Node CreateNode(string name, int port)
    {
        string folder = Directory.CreateDirectory(Path.Combine(Folder, name)).FullName;
        string disk = Options.DiskPath?.Invoke(name, folder) ?? CreateFile(Path.Combine(folder, "disk"));
        return new Node(name, folder, ConfigurationPath, Options.Resource, disk, port) { FrontEnd = Options.FrontEnd };
    }

    private string CreateFile(string path)
    {
        using FileStream file = File.Create(path);
        file.SetLength(Options.DiskBytes);
        return path;
    }

    private string Configuration() =>
        $$"""
        global { usage-count no; }
        resource {{Options.Resource}} {
            net { {{Options.Net}} }
            disk { {{Options.Disk}} }
            device /dev/drbd{{Options.Minor}};
        {{OnSection(Left)}}
        {{OnSection(Right)}}
        }

        """;

    private string OnSection(Node node) =>
        $$"""
            on {{node.Name}} {
                disk {{node.DiskPath}};
                address 127.0.0.1:{{node.Port}};
                {{Options.MetaDisk.Replace("{folder}", node.Folder, StringComparison.Ordinal)}}
            }
        """;

    private static (int Left, int Right) FreePorts()
    {
        using var one = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        using var two = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        one.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        two.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        return (((IPEndPoint)one.LocalEndPoint!).Port, ((IPEndPoint)two.LocalEndPoint!).Port);
    }
}
