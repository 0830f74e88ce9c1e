using System.Buffers.Binary;
using System.Numerics;
using System.Security.Cryptography;
using BlockRepl.Core.Protocol;

namespace BlockRepl.Core.Tests.Protocol.Golden;

/// <summary>Digests as the Linux crypto API emits them, computed by the base library.</summary>
internal static class TestDigest
{
#pragma warning disable CA5350, CA5351 // DRBD's algorithms are what they are
    public static byte[] Compute(DigestAlgorithm algorithm, ReadOnlySpan<byte> data) => algorithm switch
    {
        DigestAlgorithm.Crc32c => Crc32c(data),
        DigestAlgorithm.Md5 => MD5.HashData(data),
        DigestAlgorithm.Sha1 => SHA1.HashData(data),
        DigestAlgorithm.Sha256 => SHA256.HashData(data),
        _ => [],
    };

    public static byte[] Hmac(DigestAlgorithm algorithm, ReadOnlySpan<byte> key, ReadOnlySpan<byte> data) =>
        algorithm switch
        {
            DigestAlgorithm.Md5 => HMACMD5.HashData(key, data),
            DigestAlgorithm.Sha1 => HMACSHA1.HashData(key, data),
            DigestAlgorithm.Sha256 => HMACSHA256.HashData(key, data),
            _ => throw new ArgumentOutOfRangeException(nameof(algorithm)),
        };
#pragma warning restore CA5350, CA5351

    private static byte[] Crc32c(ReadOnlySpan<byte> data)
    {
        uint crc = uint.MaxValue;
        while (data.Length >= 8)
        {
            crc = BitOperations.Crc32C(crc, BinaryPrimitives.ReadUInt64LittleEndian(data));
            data = data[8..];
        }

        foreach (byte b in data)
        {
            crc = BitOperations.Crc32C(crc, b);
        }

        byte[] digest = new byte[4];
        BinaryPrimitives.WriteUInt32LittleEndian(digest, ~crc);
        return digest;
    }
}
