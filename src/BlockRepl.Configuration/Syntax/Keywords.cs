using System.Collections.Frozen;
using BlockRepl.Configuration.Options;

namespace BlockRepl.Configuration.Syntax;

/// <summary>Words that are refused by name, with the reason.</summary>
internal static class Keywords
{
    private static readonly FrozenSet<string> OnlyDrbd9 = FrozenSet.Create(
        StringComparer.Ordinal,
        "node-id", "connection", "connection-mesh", "hosts", "host", "path", "peers", "transport", "template-file",
        "quorum", "quorum-minimum-redundancy", "on-no-quorum", "on-suspended-primary-outdated", "auto-promote",
        "auto-promote-timeout", "peer-ack-window", "peer-ack-delay", "twopc-timeout", "twopc-retry-timeout",
        "max-io-depth", "quorum-lost", "disconnected", "load-balance-paths", "rdma-ctrl-rcvbuf-size",
        "rdma-ctrl-sndbuf-size", "tls", "tls-keyring", "tls-privkey", "tls-certificate", "bitmap", "block-size",
        "drbd8-compat-mode", "require-drbd-module-version-ge", "require-drbd-module-version-gt",
        "require-drbd-module-version-le", "require-drbd-module-version-lt",
        "require-drbd-module-version-eq", "require-drbd-module-version-ne", "rs-discard-granularity-alignment");

    private static readonly FrozenSet<string> Reserved = FrozenSet.Create(
        StringComparer.Ordinal,
        [
            "global", "common", "resource", "skip", "include", "on", "volume", "device", "disk", "meta-disk",
            "flexible-meta-disk", "net", "startup", "options", "handlers", "syncer", "protocol", "proxy", "plugin",
            "floating", "stacked-on-top-of", "ignore-on", "_this_host", "_remote_host", "address",
            "alternate-link-address", "inside", "outside", "minor", "ipv4", "ipv6", "sdp", "ssocks", "sci", "yes", "no",
            "ask", "usage-count", "minor-count", "dialog-refresh", "disable-ip-verification", "udev-always-use-vnr",
            "cmd-timeout-short", "cmd-timeout-medium", "cmd-timeout-long", "discard-my-data",
            .. Enum.GetValues<OptionSection>().SelectMany(OptionTable.Names),
        ]);

    /// <summary>
    /// Whether a bare word has a meaning of its own, wherever it stands: a name that is equal must be quoted.
    /// </summary>
    public static bool IsReserved(string word) => Reserved.Contains(word);

    /// <summary>
    /// A sentence for a word that DRBD 8.4 does not have but others do; null if there is nothing to say.
    /// </summary>
    public static string? Explain(string word) => word switch
    {
        "discard-my-data" => "'discard-my-data' does not belong into the file, where it would throw data away at every "
            + "connect; give it once: blockrepl connect --discard-my-data RESOURCE.",
        _ when OnlyDrbd9.Contains(word) =>
            $"'{word}' is of DRBD 9; BlockRepl reads the configuration of DRBD 8.4, which does not have it. Remove it.",
        _ => null,
    };
}
