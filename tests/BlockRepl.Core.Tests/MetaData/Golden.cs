using System.Globalization;
using System.IO.Compression;
using System.Security.Cryptography;
using System.Text.Json;
using BlockRepl.Core.MetaData;

namespace BlockRepl.Core.Tests.MetaData;

/// <summary>A sample of a device with meta data, see tests/golden/metadata/README.md: zero but for one part.</summary>
internal sealed class Golden
{
    private readonly long _start;
    private readonly byte[] _part;

    private Golden(string name, long deviceBytes, long start, byte[] part)
    {
        Name = name;
        DeviceBytes = deviceBytes;
        _start = start;
        _part = part;
    }

    public static string Folder => Path.Combine(AppContext.BaseDirectory, "golden", "metadata");

    public string Name { get; }

    public long DeviceBytes { get; }

    public static Golden Load(string name)
    {
        foreach (string line in File.ReadLines(Path.Combine(Folder, "parts.txt")))
        {
            string[] fields = line.Split(' ');
            if (fields[0] == name)
            {
                byte[] part = Unzip(name + ".part.gz");
                return new Golden(name, Number(fields[1]), Number(fields[2]), part);
            }
        }

        throw new FileNotFoundException(name);
    }

    public static string Text(string file) => File.ReadAllText(Path.Combine(Folder, file));

    public static JsonElement Json(string name) => JsonDocument.Parse(Text(name + ".json")).RootElement;

    public static byte[] Unzip(string file)
    {
        using var zipped = new GZipStream(File.OpenRead(Path.Combine(Folder, file)), CompressionMode.Decompress);
        using var bytes = new MemoryStream();
        zipped.CopyTo(bytes);
        return bytes.ToArray();
    }

    /// <summary>The device's size and kind; the data device of external meta data is as large as asked for.</summary>
    public BackingDisk Disk(MetaDataKind kind = MetaDataKind.Internal, int index = 0, ulong? dataSectors = null)
    {
        ulong sectors = (ulong)DeviceBytes / 512;
        return new BackingDisk(
            dataSectors ?? sectors, sectors, kind, index, 512, CanDiscard: false, DiscardZeroes: false);
    }

    public byte[] Read(long offset, int count)
    {
        var bytes = new byte[count];
        long from = Math.Max(offset, _start);
        long to = Math.Min(offset + count, _start + _part.Length);
        if (from < to)
        {
            _part.AsSpan((int)(from - _start), (int)(to - from)).CopyTo(bytes.AsSpan((int)(from - offset)));
        }

        return bytes;
    }

    /// <summary>The part after some steps; they must stay within it.</summary>
    public Golden After(IEnumerable<MetaDataStep> steps)
    {
        byte[] part = [.. _part];
        foreach (MetaDataStep step in steps)
        {
            if (!step.IsFlush)
            {
                step.Data.Span.CopyTo(part.AsSpan((int)(step.Offset - _start)));
            }
        }

        return new Golden(Name + " (changed)", DeviceBytes, _start, part);
    }

    /// <summary>The hash of the whole device, as the samples' notes give it.</summary>
    public string Sha256()
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        const int Chunk = 1 << 20;
        for (long offset = 0; offset < DeviceBytes; offset += Chunk)
        {
            hash.AppendData(Read(offset, (int)Math.Min(Chunk, DeviceBytes - offset)));
        }

        return Convert.ToHexStringLower(hash.GetHashAndReset());
    }

    public SuperBlock SuperBlock(BackingDisk disk, out MetaDataLayout layout)
    {
        byte[] block = Read(MetaDataLayout.FindSuperBlock(disk), Core.MetaData.SuperBlock.Bytes);
        MetaDataError error =
            Core.MetaData.SuperBlock.TryDecode(block, disk, out SuperBlock? superBlock, out MetaDataLayout? found);
        if (error != MetaDataError.None)
        {
            throw new InvalidDataException($"{Name}: {error}");
        }

        layout = found!;
        return superBlock!;
    }

    public byte[] Ring(MetaDataLayout layout) => Read(layout.ActivityLogOffset, layout.ActivityLogBytes);

    private static long Number(string text) => long.Parse(text, CultureInfo.InvariantCulture);
}
