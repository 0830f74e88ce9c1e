using BlockRepl.Core.Generations;
using BlockRepl.Core.Options;
using BlockRepl.Core.Protocol;

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
    public static string? Compare(NetOptions own, bool ownDiscardMyData, int agreedVersion, in PeerProtocol peer)
    {
        if ((int)own.Protocol != peer.Protocol)
        {
            return Differ("protocol", own.Protocol.ToString(), NameOfProtocol(peer.Protocol));
        }

        string? policy =
            ComparePolicy("after-sb-0pri", own.AfterSplitBrain0Primaries, peer.AfterSplitBrain0Primaries)
            ?? ComparePolicy("after-sb-1pri", own.AfterSplitBrain1Primary, peer.AfterSplitBrain1Primary)
            ?? ComparePolicy("after-sb-2pri", own.AfterSplitBrain2Primaries, peer.AfterSplitBrain2Primaries);
        if (policy is not null)
        {
            return policy;
        }

        if (ownDiscardMyData && peer.DiscardMyData)
        {
            return "discard-my-data is set on both nodes: connect one of them without it";
        }

        if (own.AllowTwoPrimaries != peer.AllowTwoPrimaries)
        {
            return Differ("allow-two-primaries", YesNo(own.AllowTwoPrimaries), YesNo(peer.AllowTwoPrimaries));
        }

        string integrity = own.IntegrityAlgorithm.LinuxName();
        return agreedVersion >= 87 && !string.Equals(integrity, peer.IntegrityAlgorithm, StringComparison.Ordinal)
            ? Differ("data-integrity-alg", NameOrNone(integrity), NameOrNone(peer.IntegrityAlgorithm))
            : null;
    }

    private static string? ComparePolicy(string option, AfterSplitBrain own, int peer)
    {
        AfterSplitBrain mirrored = MirrorPolicy(peer);
        return own == mirrored
            ? null
            : Differ(option, SplitBrainPolicies.NameOf(own), SplitBrainPolicies.NameOf((AfterSplitBrain)peer));
    }

    /// <summary>What is local for the peer is remote here; the other policies mean the same on both nodes.</summary>
    public static AfterSplitBrain MirrorPolicy(int peer) => (AfterSplitBrain)peer switch
    {
        AfterSplitBrain.DiscardLocal => AfterSplitBrain.DiscardRemote,
        AfterSplitBrain.DiscardRemote => AfterSplitBrain.DiscardLocal,
        AfterSplitBrain same => same,
    };

    private static string Differ(string option, string own, string peer) =>
        $"{option} does not fit: {own} here, {peer} on the peer; configure both nodes alike"
        + (option.StartsWith("after-sb", StringComparison.Ordinal) ? " (discard-local meets discard-remote)" : "");

    private static string NameOfProtocol(int protocol) =>
        Enum.IsDefined((ReplicationProtocol)protocol)
            ? ((ReplicationProtocol)protocol).ToString()
            : $"number {protocol}";

    private static string YesNo(bool value) => value ? "yes" : "no";

    private static string NameOrNone(string name) => name.Length == 0 ? "none" : name;
}
