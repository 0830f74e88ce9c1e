using BlockRepl.Core.Handshake;
using BlockRepl.Core.Options;
using BlockRepl.Core.Protocol;
using Xunit;

namespace BlockRepl.Core.Tests.Handshake;

public sealed class ProtocolCheckTests
{
    private static readonly NetOptions Own = new()
    {
        Protocol = ReplicationProtocol.C,
        AfterSplitBrain0Primaries = AfterSplitBrain.DiscardZeroChanges,
        AfterSplitBrain1Primary = AfterSplitBrain.DiscardSecondary,
        AfterSplitBrain2Primaries = AfterSplitBrain.Disconnect,
        IntegrityAlgorithm = DigestAlgorithm.Crc32c,
    };

    private static readonly PeerProtocol Peer = new(3, 3, 8, 0, false, false, "crc32c");

    private static string? Compare(
        PeerProtocol peer, NetOptions? own = null, bool discard = false, int version = 101) =>
        ProtocolCheck.Compare(own ?? Own, discard, version, peer);

    [Fact]
    public void Equal_options_fit() => Assert.Null(Compare(Peer));

    public static TheoryData<string, string, PeerProtocol> Mismatches => new()
    {
        { "protocol", "C here, A on the peer", Peer with { Protocol = 1 } },
        { "protocol", "C here, number 9 on the peer", Peer with { Protocol = 9 } },
        {
            "after-sb-0pri", "discard-zero-changes here, disconnect on the peer",
            Peer with { AfterSplitBrain0Primaries = 0 }
        },
        { "after-sb-1pri", "discard-secondary here, consensus on the peer", Peer with { AfterSplitBrain1Primary = 7 } },
        {
            "after-sb-2pri", "disconnect here, violently-as0p on the peer",
            Peer with { AfterSplitBrain2Primaries = 10 }
        },
        { "after-sb-2pri", "disconnect here, 77 on the peer", Peer with { AfterSplitBrain2Primaries = 77 } },
        { "allow-two-primaries", "no here, yes on the peer", Peer with { AllowTwoPrimaries = true } },
        { "data-integrity-alg", "crc32c here, none on the peer", Peer with { IntegrityAlgorithm = "" } },
        { "data-integrity-alg", "crc32c here, CRC32C on the peer", Peer with { IntegrityAlgorithm = "CRC32C" } },
    };

    [Theory]
    [MemberData(nameof(Mismatches), DisableDiscoveryEnumeration = true)]
    public void A_mismatch_names_the_option_and_both_values(string option, string values, PeerProtocol peer)
    {
        string? problem = Compare(peer);

        Assert.NotNull(problem);
        Assert.StartsWith(option, problem, StringComparison.Ordinal);
        Assert.Contains(values, problem, StringComparison.Ordinal);
    }

    [Fact]
    public void Discard_local_meets_discard_remote()
    {
        NetOptions local = Own with { AfterSplitBrain0Primaries = AfterSplitBrain.DiscardLocal };

        Assert.Null(Compare(Peer with { AfterSplitBrain0Primaries = 6 }, local));
        Assert.NotNull(Compare(Peer with { AfterSplitBrain0Primaries = 5 }, local));
        Assert.Null(Compare(
            Peer with { AfterSplitBrain0Primaries = 5 },
            Own with { AfterSplitBrain0Primaries = AfterSplitBrain.DiscardRemote }));
    }

    [Theory]
    [InlineData(true, true, false)]
    [InlineData(true, false, true)]
    [InlineData(false, true, true)]
    public void Only_one_node_may_discard_its_data(bool own, bool peer, bool fits) =>
        Assert.Equal(fits, Compare(Peer with { DiscardMyData = peer }, discard: own) is null);

    [Fact]
    public void Protocol_86_does_not_know_the_integrity_algorithm()
    {
        Assert.Null(Compare(Peer with { IntegrityAlgorithm = "" }, version: 86));
        Assert.NotNull(Compare(Peer with { IntegrityAlgorithm = "" }, version: 87));
    }
}
