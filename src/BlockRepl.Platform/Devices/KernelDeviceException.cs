using BlockRepl.Platform.Native;

namespace BlockRepl.Platform.Devices;

/// <summary>The kernel refuses to make or change a device.</summary>
public sealed class KernelDeviceException(string action, int errno)
    : IOException($"{action}: {NativeError.Message(errno)}")
{
    /// <summary>Somebody else has what is needed; also: it is not yet free again.</summary>
    public bool IsBusy => errno is NativeError.Busy or NativeError.NoSpace;

    /// <summary>The number is another device's.</summary>
    public bool IsTaken => errno == NativeError.Exists;

    /// <summary>The kernel cannot do it at all.</summary>
    public bool IsNotSupported => errno is NativeError.NotSupported or NativeError.Invalid;

    /// <summary>Throws unless the result of a native function is zero or more.</summary>
    internal static int Check(int result, string action) =>
        result >= 0 ? result : throw new KernelDeviceException(action, -result);
}
