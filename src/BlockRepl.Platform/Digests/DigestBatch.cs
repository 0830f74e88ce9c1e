using System.Runtime.InteropServices;
using BlockRepl.Core.Protocol;
using BlockRepl.Platform.Native;

namespace BlockRepl.Platform.Digests;

/// <summary>Single digests.</summary>
public static unsafe class Digest
{
    private static readonly string[] VariantNames = ["auto", "scalar", "SSE2", "AVX2", "NEON", "processor", "AVX-512"];

    /// <summary>
    /// Computes one digest; <paramref name="output"/> takes <see cref="DigestAlgorithms.Size"/> bytes.
    /// </summary>
    public static void Compute(DigestAlgorithm algorithm, ReadOnlySpan<byte> data, Span<byte> output)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(output.Length, algorithm.Size());
        AbiCheck.Run();
        fixed (byte* from = data)
        fixed (byte* to = output)
        {
            var item = new NativeDigestItem { Data = (ulong)from, Length = (ulong)data.Length, Output = (ulong)to };
            Run(algorithm, &item, 1);
        }
    }

    /// <summary>Which implementations this processor uses, for the log.</summary>
    public static string Describe()
    {
        AbiCheck.Run();
        DigestAlgorithm[] all =
            [DigestAlgorithm.Crc32c, DigestAlgorithm.Md5, DigestAlgorithm.Sha1, DigestAlgorithm.Sha256];
        return string.Join(
            ", ",
            all.Select(a => $"{a.LinuxName()}: {VariantNames[NativeMethods.DigestBestVariant((uint)a)]}"));
    }

    internal static void Run(DigestAlgorithm algorithm, NativeDigestItem* items, int count)
    {
        if (algorithm == DigestAlgorithm.None)
        {
            return;
        }

        var result = NativeMethods.Digest((uint)algorithm, 0, items, (uint)count);
        ArgumentOutOfRangeException.ThrowIfNegative(result, nameof(algorithm));
    }
}

/// <summary>
/// Collects independent messages and hashes them together, several at a time where the processor can. Reads the data
/// and writes the digests when <see cref="Run"/> is called; until then both addresses must stay valid.
/// </summary>
public sealed unsafe class DigestBatch : IDisposable
{
    private readonly NativeDigestItem* _items;
    private readonly int _capacity;
    private bool _disposed;

    public DigestBatch(DigestAlgorithm algorithm, int capacity)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(capacity, 1);
        AbiCheck.Run();
        Algorithm = algorithm;
        _capacity = capacity;
        _items = (NativeDigestItem*)NativeMemory.Alloc((nuint)capacity, (nuint)sizeof(NativeDigestItem));
    }

    public DigestAlgorithm Algorithm { get; }

    public int Count { get; private set; }

    public bool IsFull => Count == _capacity;

    /// <summary>Adds a message; a full batch is run first.</summary>
    public void Add(nint data, int byteCount, nint output)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        if (IsFull)
        {
            Run();
        }

        _items[Count++] =
            new NativeDigestItem { Data = (ulong)data, Length = (ulong)byteCount, Output = (ulong)output };
    }

    /// <summary>Computes everything added and empties the batch.</summary>
    public void Run()
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        if (Count > 0)
        {
            Digest.Run(Algorithm, _items, Count);
            Count = 0;
        }
    }

    public void Dispose()
    {
        if (!_disposed)
        {
            _disposed = true;
            NativeMemory.Free(_items);
        }
    }
}
