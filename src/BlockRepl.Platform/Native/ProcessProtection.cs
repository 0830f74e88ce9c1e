namespace BlockRepl.Platform.Native;

/// <summary>What a process in a block device's write path asks of the kernel.</summary>
public static class ProcessProtection
{
    /// <summary>
    /// Locks present and future memory, page by page as it is touched; returns 0 or a positive errno.
    /// </summary>
    public static int LockMemory() => -NativeMethods.ProcessLockMemory();

    /// <summary>
    /// Marks the calling thread, and those that it will start, as needed to write out dirty memory
    /// (PR_SET_IO_FLUSHER); returns 0 or a positive errno.
    /// </summary>
    public static int SetIoFlusher() => -NativeMethods.ProcessSetIoFlusher();

    /// <summary>
    /// The highest real-time priority, for the processor and for disks, for the calling thread; returns 0 or a
    /// positive errno.
    /// </summary>
    public static int SetRealTime() => -NativeMethods.ThreadRealTime();

    /// <summary>Standard input, output and error become /dev/null: who started this process need not wait for it.
    /// </summary>
    public static void ReleaseStandardStreams() => _ = NativeMethods.StdioRelease();
}
