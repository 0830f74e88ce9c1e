using System.Diagnostics.CodeAnalysis;
using System.Security.Cryptography;
using System.Text;
using BlockRepl.Core.Protocol;

namespace BlockRepl.Core.Handshake;

/// <summary>cram-hmac: each node proves that it knows the shared secret by the HMAC of the other's challenge.</summary>
public static class Authentication
{
    /// <summary>Bytes of a challenge that this node sends, and of any challenge at least.</summary>
    public const int ChallengeBytes = 64;

    public const int MaxChallengeBytes = 128;

    /// <summary>
    /// Writes the answer to a challenge: the first Size(algorithm) bytes of <paramref name="response"/>. All bytes of
    /// the challenge count; the key is the secret without a terminating zero.
    /// </summary>
    /// <exception cref="ArgumentOutOfRangeException">The algorithm has no HMAC (none, crc32c).</exception>
    public static void Respond(
        DigestAlgorithm algorithm, string secret, ReadOnlySpan<byte> challenge, Span<byte> response) =>
        ComputeHmac(algorithm, secret, challenge, response);

    /// <summary>
    /// Whether a response answers the own challenge; takes as long for a wrong one as for a right one.
    /// </summary>
    /// <exception cref="ArgumentOutOfRangeException">The algorithm has no HMAC (none, crc32c).</exception>
    public static bool Verify(
        DigestAlgorithm algorithm, string secret, ReadOnlySpan<byte> ownChallenge, ReadOnlySpan<byte> response)
    {
        Span<byte> expected = stackalloc byte[DigestAlgorithms.MaxSize];
        expected = expected[..algorithm.Size()];
        ComputeHmac(algorithm, secret, ownChallenge, expected);
        return CryptographicOperations.FixedTimeEquals(expected, response);
    }

    /// <summary>
    /// The peer sent back the own challenge, and would send back the answer to its own: it need not know the secret.
    /// </summary>
    public static bool IsReflected(ReadOnlySpan<byte> ownChallenge, ReadOnlySpan<byte> peerChallenge) =>
        peerChallenge.Length >= ownChallenge.Length
        && CryptographicOperations.FixedTimeEquals(ownChallenge, peerChallenge[..ownChallenge.Length]);

    [SuppressMessage("Security", "CA5350", Justification = "DRBD's protocol; operators choose the algorithm.")]
    [SuppressMessage("Security", "CA5351", Justification = "DRBD's protocol; operators choose the algorithm.")]
    private static void ComputeHmac(
        DigestAlgorithm algorithm, string secret, ReadOnlySpan<byte> challenge, Span<byte> response)
    {
        byte[] key = Encoding.UTF8.GetBytes(secret);
        switch (algorithm)
        {
            case DigestAlgorithm.Md5:
                HMACMD5.HashData(key, challenge, response);
                break;
            case DigestAlgorithm.Sha1:
                HMACSHA1.HashData(key, challenge, response);
                break;
            case DigestAlgorithm.Sha256:
                HMACSHA256.HashData(key, challenge, response);
                break;
            default:
                throw new ArgumentOutOfRangeException(nameof(algorithm), algorithm, "no HMAC");
        }
    }
}
