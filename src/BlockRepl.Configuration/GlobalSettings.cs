namespace BlockRepl.Configuration;

/// <summary>global { }; null = not given.</summary>
public sealed record GlobalSettings
{
    /// <summary>Statistics for DRBD's makers; BlockRepl sends none.</summary>
    public string UsageCount { get; init; } = "ask";

    /// <summary>minor-count: only a hint.</summary>
    public int? MinorCount { get; init; }

    /// <summary>dialog-refresh in seconds; 0 = never.</summary>
    public int DialogRefreshSeconds { get; init; } = 1;
    public bool DisableIpVerification { get; init; }
    public bool UdevAlwaysUseVolumeNumber { get; init; }

    public int? GivenCommandTimeoutShortSeconds { get; init; }
    public int? GivenCommandTimeoutMediumSeconds { get; init; }
    public int? GivenCommandTimeoutLongSeconds { get; init; }

    public int CommandTimeoutLongSeconds => GivenCommandTimeoutLongSeconds ?? 600;
}
