using Xunit;

namespace BlockRepl.Interop.Tests;

/// <summary>
/// How an application writes. Each stream has a part of the range of its own and one write in flight.
/// </summary>
internal sealed record LoadShape
{
    public int Streams { get; init; } = 4;

    /// <summary>Writes have random lengths from a sector to this.</summary>
    public int LargestBytes { get; init; } = 64 << 10;

    /// <summary>A flush after so many writes of a stream; 0: none.</summary>
    public int FlushEvery { get; init; } = 16;

    /// <summary>Writes of each stream; 0: until it is stopped.</summary>
    public int Count { get; init; }

    public long From { get; init; }

    /// <summary>Bytes; 0: up to the end of the device.</summary>
    public long Length { get; init; }
}

/// <summary>Writes of unique data that go on beside the script.</summary>
internal abstract class Load : IDisposable
{
    /// <summary>Waits for the end of a load with a count.</summary>
    /// <exception cref="InvalidOperationException">A write failed.</exception>
    public abstract void WaitForEnd(int seconds = 120);

    /// <summary>Ends it after the writes in flight, and waits until they are answered or failed.</summary>
    public abstract void Stop(int seconds = 120);

    /// <summary>Whether a write was answered with an error or not at all.</summary>
    public abstract bool HasFailed { get; }

    /// <summary>Stops it, and no request may have failed until then.</summary>
    public void MustEndWithoutError()
    {
        Stop();
        Assert.False(HasFailed);
    }

    /// <summary>How many writes were answered so far.</summary>
    public abstract long Done { get; }

    public abstract void Dispose();
}
