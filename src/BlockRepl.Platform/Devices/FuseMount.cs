using BlockRepl.Platform.Native;

namespace BlockRepl.Platform.Devices;

/// <summary>
/// Mounts a file that this process serves over a regular file; for root. A zero is success, else an errno.
/// </summary>
public static class FuseMount
{
    public const string DevicePath = "/dev/fuse";

    /// <summary>Mounts and gives the descriptor of a <see cref="MessageChannel"/>.</summary>
    public static int TryMount(string file, string source, int maxReadBytes, out int descriptor)
    {
        AbiCheck.Run();
        descriptor = NativeMethods.FuseMount(file, source, (uint)maxReadBytes);
        return descriptor < 0 ? -descriptor : 0;
    }

    /// <summary>Lets fail what waits for an answer, now and later.</summary>
    public static int Abort(string file)
    {
        AbiCheck.Run();
        return -NativeMethods.FuseAbort(file);
    }

    /// <summary>Takes the mount away; who has the file open keeps it.</summary>
    public static int Unmount(string file)
    {
        AbiCheck.Run();
        return -NativeMethods.FuseUnmount(file);
    }

    /// <summary>An errno in words.</summary>
    public static string Describe(int errno) => NativeError.Message(errno);
}
