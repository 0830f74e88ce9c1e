using System.Runtime.InteropServices;
using BlockRepl.Platform.Native;

namespace BlockRepl.Platform.Storage;

/// <summary>
/// A block device or file that other nodes write to as well: whole sectors, unbuffered, durable when a write returns.
/// Calls block for as long as the device takes; one thread at a time.
/// </summary>
public sealed unsafe class SectorFile : IDisposable
{
    private const int SmallestSector = 512;
    private const int LargestSector = 4096;

    private readonly int _descriptor;
    private readonly ulong _sizeBytes;
    private readonly void* _buffer;

    private SectorFile(int descriptor, uint sectorSize, ulong bytes)
    {
        IsRegular = sectorSize == 0;
        _descriptor = descriptor;
        _sizeBytes = bytes;
        SectorSize = IsRegular ? SmallestSector : (int)sectorSize;
        _buffer = NativeMemory.AlignedAlloc(LargestSector, LargestSector);
    }

    public bool IsRegular { get; }

    /// <summary>512 or 4096; that of a file may be changed.</summary>
    public int SectorSize { get; set; }

    public long SectorCount => (long)_sizeBytes / SectorSize;

    /// <summary>Opens without a claim: other programs and nodes use it at the same time.</summary>
    /// <exception cref="BlockDeviceException">Not there, no permission, or of an unusable kind.</exception>
    public static SectorFile Open(string path)
    {
        AbiCheck.Run();
        uint sectorSize;
        ulong bytes;
        var descriptor = NativeMethods.SectorOpen(path, &sectorSize, &bytes);
        if (descriptor < 0)
        {
            throw DeviceFile.OpenFailed(path, -descriptor);
        }

        if (sectorSize is not (0 or 512 or 4096))
        {
            _ = NativeMethods.Close(descriptor);
            throw new BlockDeviceException(
                $"{path}: has sectors of {sectorSize} bytes; only 512 and 4096 can be used", NativeError.Invalid);
        }

        return new SectorFile(descriptor, sectorSize, bytes);
    }

    /// <returns>0 or a positive errno.</returns>
    public int Read(long sector, Span<byte> into)
    {
        var result = NativeMethods.SectorTransfer(
            _descriptor, _buffer, (uint)SectorSize, (ulong)(sector * SectorSize), write: 0);
        new ReadOnlySpan<byte>(_buffer, SectorSize).CopyTo(into);
        return -result;
    }

    /// <returns>0 or a positive errno.</returns>
    public int Write(long sector, ReadOnlySpan<byte> from)
    {
        from.CopyTo(new Span<byte>(_buffer, SectorSize));
        return -NativeMethods.SectorTransfer(
            _descriptor, _buffer, (uint)SectorSize, (ulong)(sector * SectorSize), write: 1);
    }

    /// <summary>The words for an errno of this class.</summary>
    public static string Describe(int errno) => NativeError.Message(errno);

    /// <summary>Only when no call is under way.</summary>
    public void Dispose()
    {
        _ = NativeMethods.Close(_descriptor);
        NativeMemory.AlignedFree(_buffer);
    }
}
