using System.Runtime.InteropServices;
using BlockRepl.Core;

namespace BlockRepl.Platform.Native;

/// <summary>The error numbers that are told apart; the same on x86-64 and arm64.</summary>
internal static class NativeError
{
    public const int NotPermitted = 1;
    public const int NoEntry = 2;
    public const int Interrupted = 4;
    public const int InputOutput = 5;
    public const int Again = 11;
    public const int Access = 13;
    public const int NotBlock = 15;
    public const int Busy = 16;
    public const int Exists = 17;
    public const int NoDevice = 19;
    public const int Invalid = 22;
    public const int NoSpace = 28;
    public const int NotSupported = 95;
    public const int AddressInUse = 98;
    public const int AddressNotAvailable = 99;
    public const int TimedOut = 110;

    public static string Message(int errno) => Marshal.GetPInvokeErrorMessage(errno);

    /// <summary>The class of a disk result (0 and more, or a negated errno).</summary>
    public static IoError Classify(int result) =>
        result >= 0 ? IoError.None : result == -NotSupported ? IoError.NotSupported : IoError.Failed;
}
