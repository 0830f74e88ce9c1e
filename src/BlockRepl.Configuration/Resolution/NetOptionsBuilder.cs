using BlockRepl.Configuration.Options;
using BlockRepl.Configuration.Syntax;
using BlockRepl.Core.Options;
using BlockRepl.Core.Protocol;

namespace BlockRepl.Configuration.Resolution;

/// <summary>The net options from their merged values; what is not given keeps DRBD's default.</summary>
internal sealed class NetOptionsBuilder(ResourceSyntax resource, OptionSet set, HostSyntax own, HostSyntax peer)
{
    private const string DiscardNode = "discard-node-";

    private static readonly NetOptions Default = new();

    public NetOptions Build()
    {
        var net = new NetOptions
        {
            Protocol = ParseProtocol(),
            TimeoutDeciseconds = set.Integer("timeout", Default.TimeoutDeciseconds),
            ConnectIntervalSeconds = set.Integer("connect-int", Default.ConnectIntervalSeconds),
            PingIntervalSeconds = set.Integer("ping-int", Default.PingIntervalSeconds),
            PingTimeoutDeciseconds = set.Integer("ping-timeout", Default.PingTimeoutDeciseconds),
            SocketCheckTimeoutDeciseconds = set.Integer("socket-check-timeout", 0),
            KoCount = set.Integer("ko-count", Default.KoCount),
            MaxBuffersPages = set.Integer("max-buffers", Default.MaxBuffersPages),
            MaxEpochSizeWrites = set.Integer("max-epoch-size", Default.MaxEpochSizeWrites),
            SendBufferBytes = set.Integer("sndbuf-size", 0),
            ReceiveBufferBytes = set.Integer("rcvbuf-size", 0),
            AllowTwoPrimaries = set.Flag("allow-two-primaries", false),
            AuthAlgorithm = Digest("cram-hmac-alg"),
            SharedSecret = set.Text("shared-secret") ?? "",
            IntegrityAlgorithm = Digest("data-integrity-alg"),
            VerifyAlgorithm = Digest("verify-alg"),
            ChecksumAlgorithm = Digest("csums-alg"),
            ChecksumsAfterCrashOnly = set.Flag("csums-after-crash-only", false),
            AfterSplitBrain0Primaries = ParseAfterSplitBrain0(),
            AfterSplitBrain1Primary = ParseAfterSplitBrain("after-sb-1pri"),
            AfterSplitBrain2Primaries = ParseAfterSplitBrain("after-sb-2pri"),
            AlwaysAfterSplitBrain = set.Flag("always-asbp", false),
            ResyncRoleConflict = (ResyncRoleConflict)set.Number("rr-conflict", 0),
            OnCongestion = (OnCongestion)set.Number("on-congestion", 0),
            CongestionFillSectors = set.Integer("congestion-fill", 0),
            CongestionExtents = set.Integer("congestion-extents", Default.CongestionExtents),
            UseRunLengthEncoding = set.Flag("use-rle", true),
        };
        CheckRules(net);
        return net;
    }

    private void CheckRules(NetOptions net)
    {
        int shortest = Math.Min(net.ConnectIntervalSeconds, net.PingIntervalSeconds) * 10;
        if (net.TimeoutDeciseconds >= shortest)
        {
            throw At(
                "timeout",
                $"timeout {net.TimeoutDeciseconds} (0.1 s) must be shorter than connect-int "
                + $"({net.ConnectIntervalSeconds} s) and ping-int ({net.PingIntervalSeconds} s).");
        }

        if (net.AllowTwoPrimaries && net.Protocol != ReplicationProtocol.C)
        {
            throw At(
                "allow-two-primaries", $"(139) allow-two-primaries needs protocol C, but protocol is {net.Protocol}.");
        }

        if (net.OnCongestion == OnCongestion.PullAhead && net.Protocol != ReplicationProtocol.A)
        {
            throw At(
                "on-congestion", $"(155) on-congestion pull-ahead needs protocol A, but protocol is {net.Protocol}.");
        }

        if (net.AuthAlgorithm != DigestAlgorithm.None && net.SharedSecret.Length == 0)
        {
            throw At("cram-hmac-alg", "cram-hmac-alg needs a shared-secret; set the same one on both nodes.");
        }
    }

    private ReplicationProtocol ParseProtocol() => set.Text("protocol") switch
    {
        "A" => ReplicationProtocol.A,
        "B" => ReplicationProtocol.B,
        _ => ReplicationProtocol.C,
    };

    private DigestAlgorithm Digest(string name) => (DigestAlgorithm)set.Number(name, (long)DigestAlgorithm.None);

    private AfterSplitBrain ParseAfterSplitBrain0()
    {
        string? text = set.Text("after-sb-0pri");
        switch (text)
        {
            case null or "disconnect": return AfterSplitBrain.Disconnect;
            case "discard-younger-primary": return AfterSplitBrain.DiscardYoungerPrimary;
            case "discard-older-primary": return AfterSplitBrain.DiscardOlderPrimary;
            case "discard-zero-changes": return AfterSplitBrain.DiscardZeroChanges;
            case "discard-least-changes": return AfterSplitBrain.DiscardLeastChanges;
            case "discard-local": return AfterSplitBrain.DiscardLocal;
            case "discard-remote": return AfterSplitBrain.DiscardRemote;
        }

        string host = text.StartsWith(DiscardNode, StringComparison.Ordinal) ? text[DiscardNode.Length..] : "";
        if (own.Names.Contains(host))
        {
            return AfterSplitBrain.DiscardLocal;
        }

        return peer.Names.Contains(host)
            ? AfterSplitBrain.DiscardRemote
            : throw At(
                "after-sb-0pri",
                $"after-sb-0pri {OptionReader.Shorten(text)}: must be one of disconnect, discard-younger-primary, "
                + "discard-older-primary, discard-zero-changes, discard-least-changes, discard-local, discard-remote, "
                + $"{DiscardNode}{own.Names[0]}, {DiscardNode}{peer.Names[0]}.");
    }

    private AfterSplitBrain ParseAfterSplitBrain(string name) => set.Text(name) switch
    {
        "consensus" => AfterSplitBrain.Consensus,
        "discard-secondary" => AfterSplitBrain.DiscardSecondary,
        "call-pri-lost-after-sb" => AfterSplitBrain.CallPrimaryLostAfterSplitBrain,
        "violently-as0p" => AfterSplitBrain.ViolentlyAs0Primaries,
        _ => AfterSplitBrain.Disconnect,
    };

    private ConfigurationException At(string option, string reason) =>
        new(set.Find(option)?.Position ?? resource.Position, $"in resource {resource.Name}: {reason}");
}
