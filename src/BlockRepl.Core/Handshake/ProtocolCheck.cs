using BlockRepl.Core.Options;

namespace BlockRepl.Core.Handshake;

/// <summary>What the peer's P_PROTOCOL says.</summary>
/// <param name="Protocol">1 A, 2 B, 3 C.</param>
/// <param name="IntegrityAlgorithm">Linux name, "" = none; from version 87 on.</param>
public readonly record struct PeerProtocol(
    int Protocol,
    int AfterSplitBrain0Primaries,
    int AfterSplitBrain1Primary,
    int AfterSplitBrain2Primaries,
    bool DiscardMyData,
    bool AllowTwoPrimaries,
    string IntegrityAlgorithm);

/// <summary>Compares the network options that both nodes must have alike.</summary>
public static class ProtocolCheck
{
    /// <summary>Null, or a sentence that names the option and both values: the connection ends StandAlone.</summary>
    public static string? Compare(NetOptions own, bool ownDiscardMyData, int agreedVersion, in PeerProtocol peer) =>
        throw new NotImplementedException();
}
