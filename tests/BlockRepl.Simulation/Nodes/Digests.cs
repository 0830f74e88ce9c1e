using System.Buffers.Binary;
using System.Numerics;
using System.Runtime.InteropServices;
using BlockRepl.Core.Protocol;

namespace BlockRepl.Simulation.Nodes;

/// <summary>
/// Stand-ins of the right sizes. Both nodes and all checks are here, so a digest need only tell payloads apart: any
/// single change of a payload changes it. The real ones cost a third of all time.
/// </summary>
internal static class Digests
{
    private const ulong Odd = 0x9E3779B97F4A7C15;

    public static int Compute(DigestAlgorithm algorithm, ReadOnlySpan<byte> data, Span<byte> into)
    {
        int size = algorithm.Size();
        if (size == 0)
        {
            return 0;
        }

        (ulong a, ulong b) = Mix((ulong)algorithm, data);
        Span<byte> all = stackalloc byte[DigestAlgorithms.MaxSize];
        for (int i = 0; i < size; i += 16)
        {
            BinaryPrimitives.WriteUInt64LittleEndian(all[i..], a ^ BitOperations.RotateLeft(b, 32));
            BinaryPrimitives.WriteUInt64LittleEndian(all[(i + 8)..], b);
            a *= Odd;
        }

        all[..size].CopyTo(into);
        return size;
    }

    /// <summary>Each step maps the state one to one, so that what has become different stays different.</summary>
    private static (ulong A, ulong B) Mix(ulong a, ReadOnlySpan<byte> data)
    {
        ulong b = (ulong)data.Length;
        ReadOnlySpan<ulong> words = MemoryMarshal.Cast<byte, ulong>(data);
        int i = 0;
        for (; i + 1 < words.Length; i += 2)
        {
            a = BitOperations.RotateLeft((a ^ words[i]) * Odd, 29);
            b = BitOperations.RotateLeft((b ^ words[i + 1]) * Odd, 31);
        }

        for (int at = i * 8; at < data.Length; at++)
        {
            a = BitOperations.RotateLeft((a ^ data[at]) * Odd, 29);
        }

        a ^= a >> 32;
        b ^= b >> 32;
        return (a * Odd, b * Odd);
    }
}
