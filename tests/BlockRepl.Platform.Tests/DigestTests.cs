using System.Runtime.InteropServices;
using System.Security.Cryptography;
using BlockRepl.Core.Protocol;
using BlockRepl.Platform.Digests;
using Xunit;

namespace BlockRepl.Platform.Tests;

public sealed unsafe class DigestTests
{
    [Theory]
    [InlineData(DigestAlgorithm.Md5)]
    [InlineData(DigestAlgorithm.Sha1)]
    [InlineData(DigestAlgorithm.Sha256)]
    public void Single_digest_agrees_with_the_framework(DigestAlgorithm algorithm)
    {
        var random = new Random(7);
        for (var length = 0; length < 300; length++)
        {
            var data = new byte[length];
            random.NextBytes(data);
            var digest = new byte[algorithm.Size()];
            Digest.Compute(algorithm, data, digest);
            Assert.Equal(Expected(algorithm, data), digest);
        }
    }

    [Fact]
    public void Crc32c_of_the_check_string_is_the_published_value()
    {
        var digest = new byte[4];
        Digest.Compute(DigestAlgorithm.Crc32c, "123456789"u8, digest);
        Assert.Equal(0xe3069283u, BitConverter.ToUInt32(digest));
    }

    [Theory]
    [InlineData(DigestAlgorithm.Md5, 1)]
    [InlineData(DigestAlgorithm.Md5, 5)]
    [InlineData(DigestAlgorithm.Md5, 64)]
    [InlineData(DigestAlgorithm.Sha256, 9)]
    public void Batch_gives_each_message_its_own_digest(DigestAlgorithm algorithm, int capacity)
    {
        var random = new Random(11);
        const int Messages = 50;
        var data = (byte*)NativeMemory.Alloc(Messages * 5000);
        var output = (byte*)NativeMemory.Alloc(Messages * 32);
        random.NextBytes(new Span<byte>(data, Messages * 5000));
        using (var batch = new DigestBatch(algorithm, capacity))
        {
            for (var i = 0; i < Messages; i++)
            {
                batch.Add((nint)(data + (i * 5000)), i * 97, (nint)(output + (i * 32)));
            }

            batch.Run();
            Assert.Equal(0, batch.Count);
        }

        for (var i = 0; i < Messages; i++)
        {
            var expected = Expected(algorithm, new Span<byte>(data + (i * 5000), i * 97));
            Assert.Equal(expected, new Span<byte>(output + (i * 32), expected.Length).ToArray());
        }

        NativeMemory.Free(data);
        NativeMemory.Free(output);
    }

    [Fact]
    public void Description_names_every_algorithm()
    {
        var text = Digest.Describe();
        Assert.Contains("md5: ", text, StringComparison.Ordinal);
        Assert.Contains("crc32c: ", text, StringComparison.Ordinal);
    }

    private static byte[] Expected(DigestAlgorithm algorithm, ReadOnlySpan<byte> data) => algorithm switch
    {
#pragma warning disable CA5350, CA5351 // what DRBD uses
        DigestAlgorithm.Md5 => MD5.HashData(data),
        DigestAlgorithm.Sha1 => SHA1.HashData(data),
#pragma warning restore CA5350, CA5351
        _ => SHA256.HashData(data),
    };
}
