using BlockRepl.Core.Protocol;

namespace BlockRepl.Core.Handshake;

/// <summary>cram-hmac: each node proves that it knows the shared secret by the HMAC of the other's challenge.</summary>
public static class Authentication
{
    /// <summary>Bytes of a challenge that this node sends, and of any challenge at least.</summary>
    public const int ChallengeBytes = 64;

    public const int MaxChallengeBytes = 128;

    /// <summary>Writes the answer to a challenge: the first Size(algorithm) bytes of <paramref name="response"/>.</summary>
    public static void Respond(
        DigestAlgorithm algorithm, string secret, ReadOnlySpan<byte> challenge, Span<byte> response) =>
        throw new NotImplementedException();

    /// <summary>Whether a response answers the own challenge; takes as long for a wrong one as for a right one.</summary>
    public static bool Verify(
        DigestAlgorithm algorithm, string secret, ReadOnlySpan<byte> ownChallenge, ReadOnlySpan<byte> response) =>
        throw new NotImplementedException();

    /// <summary>The peer sent back the own challenge.</summary>
    public static bool IsReflected(ReadOnlySpan<byte> ownChallenge, ReadOnlySpan<byte> peerChallenge) =>
        throw new NotImplementedException();
}
