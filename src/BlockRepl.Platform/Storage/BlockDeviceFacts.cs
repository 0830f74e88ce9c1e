using BlockRepl.Core;
using BlockRepl.Platform.Native;

namespace BlockRepl.Platform.Storage;

/// <summary>What was found out about an opened block device or disk-image file.</summary>
/// <param name="SizeBytes">Size; a multiple of 512 (a file's odd tail is not used).</param>
/// <param name="LogicalBlockBytes">Smallest I/O: 512 or 4096.</param>
/// <param name="PhysicalBlockBytes">What the medium writes at once, as it says.</param>
/// <param name="CanDiscard">Whether discards are carried out.</param>
/// <param name="DiscardZeroes">Whether a discarded area is sure to read as zeroes.</param>
/// <param name="IsBlockDevice">A block device; else a regular file.</param>
/// <param name="IsDirect">Opened with O_DIRECT; false where a file system refuses it.</param>
public sealed record BlockDeviceFacts(
    long SizeBytes,
    int LogicalBlockBytes,
    int PhysicalBlockBytes,
    bool CanDiscard,
    bool DiscardZeroes,
    bool IsBlockDevice,
    bool IsDirect);

/// <summary>How to open a device.</summary>
public sealed record BlockDeviceOptions
{
    public bool ReadOnly { get; init; }

    /// <summary>
    /// Others may have it open too: no claim, no lock. For a meta-data device that several volumes use.
    /// </summary>
    public bool Shared { get; init; }

    /// <summary>Meta-data operations that the kernel has at one time; more wait in the device.</summary>
    public int MaxMetaOperations { get; init; } = 64;
}

/// <summary>Receives a device's results on the loop's thread; never called from inside a submitting call.</summary>
public interface IBlockDeviceHandler
{
    /// <summary>
    /// A read, write, zero or flush of the data area ended. <paramref name="errno"/> is 0 or positive.
    /// </summary>
    void OnDataDone(ulong token, IoError error, int errno);

    /// <summary>
    /// A meta-data operation ended; <paramref name="data"/> holds what a read returned, valid during the call.
    /// </summary>
    void OnMetaDone(ulong token, IoError error, int errno, ReadOnlySpan<byte> data);

    /// <summary>The device was closed; nothing follows.</summary>
    void OnDeviceClosed();
}

/// <summary>A device could not be opened or used; the message names the path and says why and what to do.</summary>
public sealed class BlockDeviceException(string message, int errno) : IOException(message)
{
    public int Errno => errno;
}

/// <summary>Opening and looking at devices, for both ways to use them.</summary>
internal static unsafe class DeviceFile
{
    /// <exception cref="BlockDeviceException">Not there, in use, no permission, or of an unusable kind.</exception>
    public static int Open(string path, bool readOnly, bool exclusive)
    {
        AbiCheck.Run();
        var flags = (readOnly ? NativeMethods.OpenReadOnly : 0) | (exclusive ? NativeMethods.OpenExclusive : 0);
        var descriptor = NativeMethods.DeviceOpen(path, flags);
        return descriptor >= 0 ? descriptor : throw OpenFailed(path, -descriptor);
    }

    /// <summary>Gives up what <see cref="Open"/> locked; for whoever closes it otherwise than here.</summary>
    public static void Unlock(int descriptor) => _ = NativeMethods.DeviceUnlock(descriptor);

    public static void Close(int descriptor)
    {
        Unlock(descriptor);
        _ = NativeMethods.Close(descriptor);
    }

    /// <exception cref="BlockDeviceException">The kernel does not tell.</exception>
    public static BlockDeviceFacts GetFacts(string path, int descriptor)
    {
        NativeDeviceInfo info;
        var result = NativeMethods.DeviceInfoGet(descriptor, &info);
        if (result < 0)
        {
            throw new BlockDeviceException($"{path}: cannot be examined: {NativeError.Message(-result)}", -result);
        }

        if (info.LogicalBlock is not (512 or 4096))
        {
            throw new BlockDeviceException(
                $"{path}: has logical blocks of {info.LogicalBlock} bytes; only 512 and 4096 can be used",
                NativeError.Invalid);
        }

        return new BlockDeviceFacts(
            (long)info.Size,
            (int)info.LogicalBlock,
            (int)info.PhysicalBlock,
            info.Flags.HasFlag(NativeDeviceFlags.Discard),
            info.Flags.HasFlag(NativeDeviceFlags.DiscardZeroes),
            info.Flags.HasFlag(NativeDeviceFlags.Block),
            info.Flags.HasFlag(NativeDeviceFlags.Direct));
    }

    public static BlockDeviceException OpenFailed(string path, int errno)
    {
        var why = errno switch
        {
            NativeError.NoEntry => "does not exist",
            NativeError.Busy => "is in use: it is mounted, part of another device, or open in another program",
            NativeError.NotBlock => "is neither a block device nor a regular file",
            NativeError.Access => "may not be opened: permission denied",
            _ => "cannot be opened: " + NativeError.Message(errno),
        };
        return new BlockDeviceException($"{path}: {why}", errno);
    }
}
