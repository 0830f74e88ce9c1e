namespace BlockRepl.Core.Protocol;

/// <summary>What a receiver must know to cut a stream into packets.</summary>
/// <param name="AgreedVersion">Agreed protocol version: it decides the header's form. 80 before the features
/// exchange.</param>
/// <param name="Features">Agreed feature flags: they decide the length of P_SIZES.</param>
/// <param name="PeerDigest">The algorithm whose digest precedes the peer's payloads.</param>
public readonly record struct Framing(int AgreedVersion, FeatureFlags Features, DigestAlgorithm PeerDigest)
{
    /// <summary>Before the features exchange everything travels with header80.</summary>
    public static readonly Framing Initial = new(80, FeatureFlags.None, DigestAlgorithm.None);
}

/// <summary>Feature flags of P_CONNECTION_FEATURES; agreed are those that both nodes announce.</summary>
[Flags]
public enum FeatureFlags : uint
{
    None = 0,
    Trim = 1,
    ThinResync = 2,

    /// <summary>P_SIZES carries queue limits; discards up to 128 MiB; UUID rule 41.</summary>
    WriteSame = 4,
    WriteZeroes = 8,
    All = Trim | ThinResync | WriteSame | WriteZeroes,
}

/// <summary>DRBD's replication protocols: when a write counts as replicated.</summary>
public enum ReplicationProtocol
{
    A = 1,
    B = 2,
    C = 3,
}
