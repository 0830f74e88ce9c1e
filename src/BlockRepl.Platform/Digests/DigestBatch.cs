using BlockRepl.Core.Protocol;

namespace BlockRepl.Platform.Digests;

/// <summary>Single digests.</summary>
public static class Digest
{
    /// <summary>Computes one digest; <paramref name="output"/> takes <see cref="DigestAlgorithms.Size"/> bytes.</summary>
    public static void Compute(DigestAlgorithm algorithm, ReadOnlySpan<byte> data, Span<byte> output) =>
        throw new NotImplementedException();

    /// <summary>Which implementations this processor uses, for the log.</summary>
    public static string Describe() => throw new NotImplementedException();
}

/// <summary>
/// Collects independent messages and hashes them together, several at a time where the processor can. Reads the data and
/// writes the digests when <see cref="Run"/> is called; until then both addresses must stay valid.
/// </summary>
public sealed class DigestBatch : IDisposable
{
    public DigestBatch(DigestAlgorithm algorithm, int capacity) => throw new NotImplementedException();

    public DigestAlgorithm Algorithm => throw new NotImplementedException();

    public int Count => throw new NotImplementedException();

    public bool IsFull => throw new NotImplementedException();

    /// <summary>Adds a message; a full batch is run first.</summary>
    public void Add(nint data, int byteCount, nint output) => throw new NotImplementedException();

    /// <summary>Computes everything added and empties the batch.</summary>
    public void Run() => throw new NotImplementedException();

    public void Dispose() => throw new NotImplementedException();
}
