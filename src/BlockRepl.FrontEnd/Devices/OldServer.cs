using BlockRepl.Platform.Devices;

namespace BlockRepl.FrontEnd.Devices;

/// <summary>The one that served a device before: the kernel needs a moment to see that it has gone.</summary>
internal static class OldServer
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan Poll = TimeSpan.FromMilliseconds(5);

    /// <summary>Does what the kernel refuses with EBUSY until it has seen that.</summary>
    /// <exception cref="KernelDeviceException">It refuses for another reason, or for longer than 10 s.</exception>
    public static T Outlast<T>(Func<T> attempt)
    {
        var deadline = Environment.TickCount64 + (long)Patience.TotalMilliseconds;
        while (true)
        {
            try
            {
                return attempt();
            }
            catch (KernelDeviceException error) when (error.IsBusy && Environment.TickCount64 < deadline)
            {
                Thread.Sleep(Poll);
            }
        }
    }
}
