using System.IO.Compression;

namespace BlockRepl.Core.Tests.Protocol.Golden;

/// <summary>Files of golden/wire, unpacked.</summary>
internal static class GoldenFile
{
    public static readonly string[] Captures = ["seed", "hmac", "sb", "sb-policies", "congestion"];

    public static byte[] Unpack(string name)
    {
        using FileStream packed = File.OpenRead(FullPath(name + ".br"));
        using BrotliStream stream = new(packed, CompressionMode.Decompress);
        using MemoryStream plain = new();
        stream.CopyTo(plain);
        return plain.ToArray();
    }

    /// <summary>The lines of NAME.packets.txt but comments.</summary>
    public static string[] Listing(string capture) =>
        [.. System.Text.Encoding.ASCII.GetString(Unpack(capture + ".packets.txt"))
            .Split('\n', StringSplitOptions.RemoveEmptyEntries)
            .Where(line => line[0] != '#')];

    /// <summary>The lines of counts.txt that concern a capture, without its name.</summary>
    public static string[] Counts(string capture) =>
        [.. File.ReadAllLines(FullPath("counts.txt"))
            .Where(line => line.StartsWith(capture + " ", StringComparison.Ordinal))
            .Select(line => line[(capture.Length + 1)..])];

    private static string FullPath(string name) => Path.Combine(AppContext.BaseDirectory, "golden", "wire", name);
}
