using System.Buffers.Binary;
using System.Numerics;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using BlockRepl.Core.Protocol;

namespace BlockRepl.Simulation.Nodes;

/// <summary>The real digests, in managed code.</summary>
internal static class Digests
{
#pragma warning disable CA5350, CA5351 // What the wire protocol names, not a choice of this program.
    public static int Compute(DigestAlgorithm algorithm, ReadOnlySpan<byte> data, Span<byte> into)
    {
        switch (algorithm)
        {
            case DigestAlgorithm.Crc32c:
                BinaryPrimitives.WriteUInt32LittleEndian(into, Crc32C(data));
                return 4;
            case DigestAlgorithm.Md5:
                return MD5.HashData(data, into);
            case DigestAlgorithm.Sha1:
                return SHA1.HashData(data, into);
            case DigestAlgorithm.Sha256:
                return SHA256.HashData(data, into);
            default:
                return 0;
        }
    }
#pragma warning restore CA5350, CA5351

    private static uint Crc32C(ReadOnlySpan<byte> data)
    {
        uint crc = ~0u;
        foreach (ulong word in MemoryMarshal.Cast<byte, ulong>(data))
        {
            crc = BitOperations.Crc32C(crc, word);
        }

        foreach (byte value in data[(data.Length & ~7)..])
        {
            crc = BitOperations.Crc32C(crc, value);
        }

        return ~crc;
    }
}
