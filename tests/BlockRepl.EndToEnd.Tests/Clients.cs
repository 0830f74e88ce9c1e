using System.Security.Cryptography;
using BlockRepl.Nodes;

namespace BlockRepl.EndToEnd.Tests;

/// <summary>Block clients that are not ours, against a node's NBD export.</summary>
internal static class Clients
{
    /// <summary>A file of random content that a seed determines.</summary>
    public static string RandomFile(string folder, string name, int byteCount, int seed)
    {
        string path = Path.Combine(folder, name);
        byte[] content = new byte[byteCount];
        new Random(seed).NextBytes(content);
        File.WriteAllBytes(path, content);
        return path;
    }

    /// <summary>Writes a file to the start of the device and flushes.</summary>
    public static void CopyIn(string file, Node node) => Tool.Run("nbdcopy", "--flush", file, node.NbdUri).OrThrow();

    /// <summary>SHA-256 of the first bytes of the device, as a client reads them.</summary>
    public static string HashOfDevice(Node node, long byteCount)
    {
        string copy = Path.Combine(node.Folder, "copy");
        Tool.Run("nbdcopy", node.NbdUri, copy).OrThrow();
        using (FileStream file = File.Open(copy, FileMode.Open))
        {
            file.SetLength(byteCount);
        }

        return HashOfFile(copy);
    }

    public static string HashOfFile(string path)
    {
        using FileStream stream = File.OpenRead(path);
        return Convert.ToHexString(SHA256.HashData(stream));
    }

    /// <summary>Runs fio with its nbd engine; every option is given without its leading dashes.</summary>
    public static ToolResult Fio(Node node, params string[] options) =>
        Tool.Run("fio", ["--name=test", "--ioengine=nbd", "--uri=" + node.NbdUri, .. options.Select(o => "--" + o)]);
}
