using BlockRepl.Platform.Native;
using Microsoft.Extensions.Logging;
using Mono.Unix.Native;

namespace BlockRepl.Daemon.Hosting;

/// <summary>
/// Protects the process as one that others' memory depends on: to free memory the kernel writes dirty pages to the
/// replicated device, that is through this process, which must then neither wait for memory nor be killed for it.
/// </summary>
internal static class ProcessSetup
{
    private const string OomScorePath = "/proc/self/oom_score_adj";

    public static void Protect(ILogger logger)
    {
        Report(logger, "Locking memory (mlockall)", ProcessProtection.LockMemory(),
            "under memory pressure the daemon may be paged out; give it CAP_IPC_LOCK or LimitMEMLOCK=infinity");
        Report(logger, "Marking as an I/O flusher (PR_SET_IO_FLUSHER)", ProcessProtection.SetIoFlusher(),
            "writing out dirty memory may wait for itself; give it CAP_SYS_RESOURCE");
        try
        {
            File.WriteAllText(OomScorePath, "-1000");
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            Log.ProtectionRefused(
                logger, "Protection from the OOM killer", error.Message,
                "set OOMScoreAdjust=-1000 in the unit, or run as root");
        }
    }

    private static void Report(ILogger logger, string what, int errno, string consequence)
    {
        if (errno != 0)
        {
            string words = NativeConvert.TryToErrno(errno, out Errno name) ? Stdlib.strerror(name) : $"errno {errno}";
            Log.ProtectionRefused(logger, what, words, consequence);
        }
    }
}
