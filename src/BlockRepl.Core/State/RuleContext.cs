using BlockRepl.Core.Options;

namespace BlockRepl.Core.State;

/// <summary>What the state rules must know besides the two states.</summary>
public readonly record struct RuleContext
{
    /// <summary>Agreed protocol version; while there is no connection that of the last one, or 101.</summary>
    public int AgreedVersion { get; init; }

    /// <summary>Whether there is a network configuration; without it allow-two-primaries does not matter.</summary>
    public bool HasNetConfig { get; init; }

    public bool AllowTwoPrimaries { get; init; }

    /// <summary>The peer is Primary in another volume of this resource.</summary>
    public bool OtherVolumePeerPrimary { get; init; }

    /// <summary>
    /// The volume's configured policy; it counts only while the present disk is Inconsistent or better.
    /// </summary>
    public FencingPolicy Fencing { get; init; }

    public bool HasVerifyAlgorithm { get; init; }

    /// <summary>Somebody has the device open.</summary>
    public bool DeviceOpen { get; init; }

    /// <summary>"State sent": from before the first P_SIZES until every volume has left WFReportParams.</summary>
    public bool HandshakeRunning { get; init; }

    public OnNoData OnNoData { get; init; }

    /// <summary>The exposed UUID is the current UUID on disk: a negotiation that broke off may keep the disk.</summary>
    public bool ExposedUuidMatchesDisk { get; init; }

    /// <summary>What the own disk becomes when its negotiation is over.</summary>
    public DiskState NegotiatedDisk { get; init; }

    /// <summary>What the peer's disk becomes then.</summary>
    public DiskState NegotiatedPeerDisk { get; init; }
}
