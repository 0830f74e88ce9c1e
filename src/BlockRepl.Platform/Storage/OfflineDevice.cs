namespace BlockRepl.Platform.Storage;

/// <summary>A device used by a tool, one call after the other, without a loop. Any offset and length is allowed.</summary>
public sealed class OfflineDevice : IDisposable
{
    /// <summary>Opens a block device or a regular file, exclusively when it is opened for writing.</summary>
    /// <exception cref="BlockDeviceException">Not there, in use, no permission, or of an unusable kind.</exception>
    public static OfflineDevice Open(string path, bool readOnly) => throw new NotImplementedException();

    public string Path => throw new NotImplementedException();

    public BlockDeviceFacts Facts => throw new NotImplementedException();

    /// <exception cref="BlockDeviceException">I/O error or end of the device.</exception>
    public void Read(long byteOffset, Span<byte> data) => throw new NotImplementedException();

    /// <exception cref="BlockDeviceException">I/O error or end of the device.</exception>
    public void Write(long byteOffset, ReadOnlySpan<byte> data) => throw new NotImplementedException();

    /// <exception cref="BlockDeviceException">I/O error.</exception>
    public void Flush() => throw new NotImplementedException();

    public void Dispose() => throw new NotImplementedException();
}
