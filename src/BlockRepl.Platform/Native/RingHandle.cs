using System.Runtime.InteropServices;

namespace BlockRepl.Platform.Native;

/// <summary>
/// Owns a native ring. Other threads use it only to wake the ring; the count in it keeps the ring alive for that.
/// </summary>
internal sealed unsafe class RingHandle : SafeHandle
{
    public RingHandle()
        : base(0, ownsHandle: true)
    {
    }

    public override bool IsInvalid => handle == 0;

    /// <exception cref="PlatformNotSupportedException">The backend asked for does not work here.</exception>
    public static RingHandle Create(NativeRingOptions options)
    {
        AbiCheck.Run();
        var ring = new RingHandle();
        nint address;
        var result = NativeMethods.RingCreate(&options, &address);
        if (result < 0)
        {
            throw new PlatformNotSupportedException(
                $"no ring for I/O with {(options.Backend == 1 ? "io_uring" : "epoll")}: "
                + $"{NativeError.Message(-result)}");
        }

        ring.SetHandle(address);
        return ring;
    }

    protected override bool ReleaseHandle() => NativeMethods.RingDestroy(handle, force: 1) == 0;
}
