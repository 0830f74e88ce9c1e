using BlockRepl.Core.Protocol;
using BlockRepl.Platform.Digests;

namespace BlockRepl.Engine;

/// <summary>
/// Digests that are wanted at the end of the turn, collected per algorithm so that several are computed at once.
/// </summary>
internal sealed class DigestQueue : IDisposable
{
    /// <summary>As many messages are worth waiting for: the widest implementation hashes 16 at a time.</summary>
    public const int GatherMessages = 16;

    /// <summary>
    /// As many bytes are worth waiting for. Two large messages together already cost less than half, and more would
    /// leave the peer and the disk without work meanwhile.
    /// </summary>
    public const int GatherBytes = 2 << 20;

    /// <summary>
    /// With so many bytes waiting it pays to look once more at the sockets, without sleeping, whether another message
    /// has begun: its head cannot be seen before the payload in front of it was taken.
    /// </summary>
    public const int LookBytes = 64 << 10;


    /// <summary>Messages per batch; more are run in pieces.</summary>
    private const int BatchCapacity = 64;

    private readonly DigestBatch?[] _batches = new DigestBatch?[(int)DigestAlgorithm.Sha256 + 1];

    /// <summary>
    /// Longest wait for more messages: about what hashing these alone takes on a fast core, since that is what the wait
    /// saves when others come. From the first of them, in nanoseconds.
    /// </summary>
    public static long GatherNs(long bytes) => Math.Min(bytes, 1_000_000);

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
