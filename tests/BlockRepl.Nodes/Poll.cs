using System.Diagnostics;

namespace BlockRepl.Nodes;

/// <summary>Waits for a condition of the real world, with a deadline and without guessing how long it takes.</summary>
public static class Poll
{
    private const int PauseMilliseconds = 20;
    private const int LongestPauseMilliseconds = 500;

    /// <exception cref="TimeoutException">The condition did not come true; the message says what was waited for and
    /// seen.</exception>
    public static void Until(Func<bool> condition, string what, int seconds = 30, Func<string>? seen = null)
    {
        var clock = Stopwatch.StartNew();
        while (true)
        {
            TimeSpan start = clock.Elapsed;
            if (condition())
            {
                return;
            }

            if (clock.Elapsed.TotalSeconds > seconds)
            {
                throw new TimeoutException($"waited {seconds} s for: {what}\n{seen?.Invoke()}");
            }

            // Whoever is looked at shall have more time for its work than for answering; and what has taken long may
            // take longer.
            double lookMilliseconds = (clock.Elapsed - start).TotalMilliseconds;
            double pause = Math.Max(2 * lookMilliseconds, clock.Elapsed.TotalMilliseconds / 8);
            Thread.Sleep((int)Math.Clamp(pause, PauseMilliseconds, LongestPauseMilliseconds));
        }
    }
}
