using System.Diagnostics;

namespace BlockRepl.Nodes;

/// <summary>Waits for a condition of the real world, with a deadline and without guessing how long it takes.</summary>
public static class Poll
{
    private const int PauseMilliseconds = 20;

    /// <exception cref="TimeoutException">The condition did not come true; the message says what was waited for and
    /// seen.</exception>
    public static void Until(Func<bool> condition, string what, int seconds = 30, Func<string>? seen = null)
    {
        var clock = Stopwatch.StartNew();
        while (!condition())
        {
            if (clock.Elapsed.TotalSeconds > seconds)
            {
                throw new TimeoutException($"waited {seconds} s for: {what}\n{seen?.Invoke()}");
            }

            Thread.Sleep(PauseMilliseconds);
        }
    }
}
