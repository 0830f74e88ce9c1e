using BlockRepl.Platform.Storage;

namespace BlockRepl.Cli.Offline;

/// <summary>A device that a command works on, one call after the other.</summary>
internal interface IOfflineDisk : IDisposable
{
    BlockDeviceFacts Facts { get; }

    /// <exception cref="BlockDeviceException">I/O error or past the end.</exception>
    void Read(long byteOffset, Span<byte> data);

    /// <exception cref="BlockDeviceException">I/O error or past the end.</exception>
    void Write(long byteOffset, ReadOnlySpan<byte> data);

    /// <exception cref="BlockDeviceException">I/O error.</exception>
    void Flush();
}

/// <summary>The platform's device.</summary>
internal sealed class OfflineDisk(OfflineDevice device) : IOfflineDisk
{
    /// <exception cref="BlockDeviceException">Not there, in use, no permission.</exception>
    public static IOfflineDisk Open(string path, bool readOnly) => new OfflineDisk(OfflineDevice.Open(path, readOnly));

    public BlockDeviceFacts Facts => device.Facts;

    public void Read(long byteOffset, Span<byte> data) => device.Read(byteOffset, data);

    public void Write(long byteOffset, ReadOnlySpan<byte> data) => device.Write(byteOffset, data);

    public void Flush() => device.Flush();

    public void Dispose() => device.Dispose();
}
