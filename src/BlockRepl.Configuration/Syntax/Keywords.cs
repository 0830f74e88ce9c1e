using System.Collections.Frozen;

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

    /// <summary>
    /// A sentence for a word that DRBD 8.4 does not have but others do; null if there is nothing to say.
    /// </summary>
    public static string? Explain(string word) => word switch
    {
        "discard-my-data" => "'discard-my-data' does not belong into the file, where it would throw data away at every "
            + "connect; give it once: blockrepl connect --discard-my-data RESOURCE.",
        "proxy" => "'proxy' sections configure DRBD Proxy, which BlockRepl does not have; remove the section.",
        "floating" => "'floating' sections are not supported; write an 'on HOST { ... }' section for each host.",
        "stacked-on-top-of" => "stacked resources are not supported; remove this resource.",
        _ when OnlyDrbd9.Contains(word) =>
            $"'{word}' is of DRBD 9; BlockRepl reads the configuration of DRBD 8.4, which does not have it. Remove it.",
        _ => null,
    };
}
