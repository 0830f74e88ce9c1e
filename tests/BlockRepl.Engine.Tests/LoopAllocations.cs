using BlockRepl.Platform.Loop;

namespace BlockRepl.Engine.Tests;

/// <summary>
/// Asks a loop's thread how much it has allocated. The answer is left in a field: completing a task allocates or not,
/// depending on who was faster, the loop or the thread that waits for it.
/// </summary>
internal sealed class LoopAllocations : ILoopTask, IDisposable
{
    private readonly ManualResetEventSlim _done = new();
    private long _bytes;

    private LoopAllocations()
    {
    }

    /// <summary>Bytes that the loop's thread has allocated since it began. Blocks until the loop answers.</summary>
    public static long Of(EventLoop loop)
    {
        using var question = new LoopAllocations();
        Assert.True(loop.Post(question), "the loop has stopped");
        Assert.True(question._done.Wait(TimeSpan.FromSeconds(20)), "the loop does not answer");
        return question._bytes;
    }

    public void Dispose() => _done.Dispose();

    public void Run()
    {
        _bytes = GC.GetAllocatedBytesForCurrentThread();
        _done.Set();
    }
}
