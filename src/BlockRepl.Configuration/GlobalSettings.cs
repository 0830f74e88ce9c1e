namespace BlockRepl.Configuration;

/// <summary>global { }, as far as a program in user space has a use for it.</summary>
public sealed record GlobalSettings
{
    /// <summary>minor-count: only a hint.</summary>
    public int MinorCount { get; init; } = 32;

    /// <summary>dialog-refresh in seconds; 0 = never.</summary>
    public int DialogRefreshSeconds { get; init; } = 1;
    public bool DisableIpVerification { get; init; }
    public bool UdevAlwaysUseVolumeNumber { get; init; }
    public int CommandTimeoutShortSeconds { get; init; } = 5;
    public int CommandTimeoutMediumSeconds { get; init; } = 121;
    public int CommandTimeoutLongSeconds { get; init; } = 600;
}
