using System.Globalization;
using BlockRepl.Platform.Native;

namespace BlockRepl.Platform.Devices;

/// <summary>How a loop device shall look.</summary>
public readonly record struct LoopDeviceOptions(int BlockBytes, bool Rotational, bool CanDiscard);

/// <summary>
/// Loop devices over a file, perhaps one that this process serves itself. The calls block, and answers of this process
/// may be what they wait for. A zero is success, else an errno.
/// </summary>
public static unsafe class LoopDevice
{
    public const string ControlPath = "/dev/loop-control";
    private const string BlockFolder = "/sys/block";
    private const string NamePrefix = "loop";

    public static string PathOf(int number) => $"/dev/{NamePrefix}{number}";

    /// <summary>Makes a free loop device the file's, with direct I/O.</summary>
    public static int TryAttach(string file, in LoopDeviceOptions options, out int number)
    {
        AbiCheck.Run();
        var native = new NativeLoopOptions
        {
            BlockBytes = (uint)options.BlockBytes,
            Flags = (options.Rotational ? NativeLoopFlags.Rotational : 0)
                | (options.CanDiscard ? 0 : NativeLoopFlags.NoDiscard),
        };
        uint taken;
        var result = NativeMethods.LoopAttach(file, &native, &taken);
        number = (int)taken;
        return -result;
    }

    /// <summary>Lets the kernel look for partitions; it does so in its own time.</summary>
    public static int StartPartitionScan(int number) => -NativeMethods.LoopScan((uint)number);

    /// <summary>
    /// Takes the loop device from the file; also successful if it is not over this file. 16 (EBUSY): somebody has it
    /// open. Then nothing has changed, or, with force, it goes when he closes it.
    /// </summary>
    public static int Detach(int number, string file, bool force)
    {
        AbiCheck.Run();
        return -NativeMethods.LoopDetach((uint)number, file, force ? 1u : 0u);
    }

    /// <summary>Takes over the file's size of now.</summary>
    public static int Resize(int number, string file) => -NativeMethods.LoopResize((uint)number, file);

    /// <summary>The loop devices over files in a folder.</summary>
    public static IReadOnlyList<(int Number, string File)> FindOver(string folder)
    {
        var found = new List<(int, string)>();
        if (!Directory.Exists(BlockFolder))
        {
            return found;
        }

        foreach (var device in Directory.GetFileSystemEntries(BlockFolder, NamePrefix + "*"))
        {
            var name = Path.GetFileName(device.AsSpan())[NamePrefix.Length..];
            if (int.TryParse(name, NumberStyles.None, CultureInfo.InvariantCulture, out var number)
                && BackingFile(device) is { } file && Path.GetDirectoryName(file) == folder)
            {
                found.Add((number, file));
            }
        }

        return found;
    }

    private static string? BackingFile(string device)
    {
        try
        {
            return File.ReadAllText(Path.Combine(device, "loop", "backing_file")).TrimEnd('\n');
        }
        catch (IOException)
        {
            return null; // not in use
        }
    }
}
