using BlockRepl.Core.Protocol;
using BlockRepl.Platform.Digests;

namespace BlockRepl.Engine;

/// <summary>
/// Digests that are wanted at the end of the turn, collected per algorithm so that several are computed at once.
/// </summary>
internal sealed class DigestQueue : IDisposable
{
    /// <summary>The widest implementation hashes as many messages at a time.</summary>
    private const int WidestBatch = 16;

    /// <summary>
    /// As many bytes are worth waiting for. Two large messages together already cost less than half, and more would
    /// leave the peer and the disk without work meanwhile.
    /// </summary>
    private const int GatherBytes = 2 << 20;

    /// <summary>Messages of this size or less, on average, are gathered for longer.</summary>
    private const int SmallMessage = 256 << 10;

    /// <summary>
    /// With so many bytes waiting it pays to look once more at the sockets, without sleeping, whether another message
    /// has begun: its head cannot be seen before the payload in front of it was taken.
    /// </summary>
    public const int LookBytes = 64 << 10;

    /// <summary>Messages per batch; more are run in pieces.</summary>
    private const int BatchCapacity = 64;

    private readonly DigestBatch?[] _batches = new DigestBatch?[(int)DigestAlgorithm.Sha256 + 1];

    /// <summary>
    /// Whether more messages would save less than the wait costs: the batch is full, or half full with so much data
    /// that the peer and the disk should get their work.
    /// </summary>
    public static bool IsEnough(int messages, long bytes) =>
        messages >= WidestBatch || bytes >= GatherBytes || (messages >= WidestBatch / 2 && bytes >= GatherBytes / 2);

    /// <summary>
    /// Longest wait for more messages, from the first of them, in nanoseconds. For large ones about what hashing these
    /// alone takes on a fast core, since that is what the wait saves when others come, and there are few of them on
    /// their way; small ones come in numbers, and each has to be received first.
    /// </summary>
    public static long GatherNs(int messages, long bytes) =>
        bytes > (long)SmallMessage * messages ? Math.Min(bytes, 1_000_000) : Math.Min(bytes * 8, 6_000_000);

    /// <summary>
    /// Reads <paramref name="data"/> and writes <paramref name="output"/> at the latest when <see cref="Run"/> is
    /// called.
    /// </summary>
    public void Add(DigestAlgorithm algorithm, nint data, int byteCount, nint output)
    {
        var batch = _batches[(int)algorithm] ??= new DigestBatch(algorithm, BatchCapacity);
        batch.Add(data, byteCount, output);
    }

    public void Run()
    {
        foreach (var batch in _batches)
        {
            if (batch is not null && batch.Count > 0)
            {
                batch.Run();
            }
        }
    }

    public void Dispose()
    {
        foreach (var batch in _batches)
        {
            batch?.Dispose();
        }
    }
}
