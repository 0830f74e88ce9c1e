using System.Runtime.ExceptionServices;
using BlockRepl.Platform.Buffers;
using BlockRepl.Platform.Loop;
using Xunit;

namespace BlockRepl.Platform.Tests;

/// <summary>A running loop with a buffer pool, and a way to run code on it and see what it threw.</summary>
internal sealed class LoopFixture : IDisposable
{
    public static readonly TimeSpan Patience = TimeSpan.FromSeconds(20);

    private Exception? _fault;

    public LoopFixture(RingBackend backend)
    {
        try
        {
            Loop = new EventLoop(new EventLoopOptions { Backend = backend, Fault = e => _fault = e });
        }
        catch (PlatformNotSupportedException exception)
        {
            Assert.Skip(exception.Message);
            throw;
        }

        Loop.Start();
    }

    public EventLoop Loop { get; }

    /// <summary>Used on the loop's thread only.</summary>
    public IoBufferPool Pool { get; } = new(new IoBufferPoolOptions { TotalBytes = 32 << 20, Diagnostic = true });

    public void Run(Action action)
    {
        using var done = new ManualResetEventSlim();
        Exception? thrown = null;
        Assert.True(Loop.Post(() =>
        {
            try
            {
                action();
            }
            catch (Exception exception)
            {
                thrown = exception;
            }

            done.Set();
        }));
        Wait(done);
        if (thrown is not null)
        {
            ExceptionDispatchInfo.Throw(thrown);
        }
    }

    public void Wait(ManualResetEventSlim done)
    {
        for (var waited = TimeSpan.Zero; !done.Wait(50); waited += TimeSpan.FromMilliseconds(50))
        {
            if (_fault is not null)
            {
                ExceptionDispatchInfo.Throw(_fault);
            }

            Assert.True(waited < Patience, "the loop did not come to it in time");
        }
    }

    public void Dispose()
    {
        Loop.Dispose();
        Pool.Dispose();
        Assert.Null(_fault);
    }
}
