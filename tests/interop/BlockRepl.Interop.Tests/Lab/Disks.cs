using System.Globalization;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using Microsoft.Win32.SafeHandles;

namespace BlockRepl.Interop.Tests;

/// <summary>
/// The backing disks of a node: sparse files, one small enough for a full sync, one for a second volume, a large one,
/// one for meta data.
/// </summary>
internal sealed partial class Disks
{
    public const int Small = 0;
    public const int Second = 1;
    public const int Large = 2;

    /// <summary>For external meta data, which want 128 MiB.</summary>
    public const int Meta = 3;

    private static readonly long[] Bytes = [40L << 20, 24L << 20, 1L << 30, 130L << 20];

    public Disks(string folder, string owner)
    {
        Paths = [.. Enumerable.Range(0, Bytes.Length)
            .Select(i => Path.Combine(folder, owner + i.ToString(CultureInfo.InvariantCulture)))];
        Clear();
    }

    public string[] Paths { get; }

    /// <summary>All zero, and of the first size again.</summary>
    public void Clear()
    {
        for (int i = 0; i < Paths.Length; i++)
        {
            using FileStream file =
                File.Open(Paths[i], FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.ReadWrite);
            file.SetLength(0);
            file.SetLength(Bytes[i]);
        }
    }

    /// <summary>Changes some bytes of a block of 4 KiB behind the node's back.</summary>
    public void Damage(int disk, long block)
    {
        using FileStream file = File.Open(Paths[disk], FileMode.Open, FileAccess.ReadWrite, FileShare.ReadWrite);
        file.Position = (block * 4096) + 100;
        file.Write("damaged behind the back"u8);
    }

    /// <summary>Its first size.</summary>
    public static long Size(int disk) => Bytes[disk];

    public byte[] Read(int disk, long offset, int bytes)
    {
        using FileStream file = File.Open(Paths[disk], FileMode.Open, FileAccess.Read, FileShare.ReadWrite);
        file.Position = offset;
        byte[] data = new byte[bytes];
        file.ReadExactly(data);
        return data;
    }

    /// <summary>MD5 of the first bytes; lower-case hexadecimal.</summary>
    public string Hash(int disk, long byteCount)
    {
        using FileStream file = File.Open(Paths[disk], FileMode.Open, FileAccess.Read, FileShare.ReadWrite);
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.MD5);
        byte[] buffer = new byte[1 << 20];
        for (long at = 0; at < byteCount; at += buffer.Length)
        {
            int count = (int)Math.Min(buffer.Length, byteCount - at);
            file.ReadExactly(buffer, 0, count);
            hash.AppendData(buffer, 0, count);
        }

        return Convert.ToHexStringLower(hash.GetHashAndReset());
    }

    /// <summary>
    /// Takes the disk out of one node and puts it into the other, and the reverse; both have no power.
    /// </summary>
    public static void Swap(Disks left, Disks right, int disk)
    {
        string aside = left.Paths[disk] + ".aside";
        File.Move(left.Paths[disk], aside);
        File.Move(right.Paths[disk], left.Paths[disk]);
        File.Move(aside, right.Paths[disk]);
    }

    /// <summary>The blocks of 4 KiB that are not the same on both, up to a number of bytes.</summary>
    public static List<long> DifferentBlocks(string left, string right, long byteCount)
    {
        const int block = 4096;
        using FileStream one = File.Open(left, FileMode.Open, FileAccess.Read, FileShare.ReadWrite);
        using FileStream two = File.Open(right, FileMode.Open, FileAccess.Read, FileShare.ReadWrite);
        byte[] a = new byte[1 << 20];
        byte[] b = new byte[1 << 20];
        var different = new List<long>();
        for (long at = NextData(one, two, 0); at < byteCount; at = NextData(one, two, at + a.Length))
        {
            int count = (int)Math.Min(a.Length, byteCount - at);
            one.Position = two.Position = at;
            one.ReadExactly(a, 0, count);
            two.ReadExactly(b, 0, count);
            for (int i = 0; i < count && !a.AsSpan(0, count).SequenceEqual(b.AsSpan(0, count)); i += block)
            {
                int size = Math.Min(block, count - i);
                if (!a.AsSpan(i, size).SequenceEqual(b.AsSpan(i, size)))
                {
                    different.Add((at + i) / block);
                }
            }
        }

        return different;
    }

    /// <summary>Skips what neither file has ever held; a block's start.</summary>
    private static long NextData(FileStream one, FileStream two, long from)
    {
        long next = Math.Min(NextData(one.SafeFileHandle, from), NextData(two.SafeFileHandle, from));
        return next / 4096 * 4096;
    }

    private static long NextData(SafeFileHandle file, long from)
    {
        const int seekData = 3;
        long next = Seek(file, from, seekData);
        return next < 0 ? long.MaxValue : next;
    }

    [LibraryImport("libc", EntryPoint = "lseek")]
    private static partial long Seek(SafeFileHandle file, long offset, int whence);
}
