namespace BlockRepl.Administration.Control;

/// <summary>
/// One request on the control socket: one line of JSON. What a command does not use must be left out.
/// </summary>
public sealed record ControlRequest
{
    /// <summary>The command's name as on the command line.</summary>
    public required string Command { get; init; }

    /// <summary>
    /// RESOURCE, RESOURCE/VOLUME or all. Settable, because the JSON reader overwrites what is init-only with null.
    /// </summary>
    public string Target { get; set; } = "all";

    /// <summary>
    /// What refusals name, where the user did not write <see cref="Target"/>: drbdsetup's minor, for example.
    /// </summary>
    public string? CalledAs { get; init; }

    /// <summary>The configuration that counts for a resource that is started; null: the daemon's.</summary>
    public string? Config { get; init; }

    /// <summary>run: the command line; everything else is left out then.</summary>
    public ToolRequest? Run { get; init; }

    public bool Force { get; init; }

    /// <summary>show: also options that are not configured.</summary>
    public bool ShowDefaults { get; init; }

    public bool DiscardMyData { get; init; }

    public bool Tentative { get; init; }

    public bool ClearBitmap { get; init; }

    public bool AssumePeerHasSpace { get; init; }

    public bool AssumeClean { get; init; }

    /// <summary>verify: first sector.</summary>
    public ulong? StartSector { get; init; }

    /// <summary>verify: sector to stop at.</summary>
    public ulong? StopSector { get; init; }

    /// <summary>resize: sectors; 0 = as large as possible.</summary>
    public ulong? SizeSectors { get; init; }

    /// <summary>wait-connect and wait-sync: instead of the configuration's; seconds, 0 = for ever.</summary>
    public int? WaitSeconds { get; init; }

    public int? DegradedWaitSeconds { get; init; }

    public int? OutdatedWaitSeconds { get; init; }

    public bool? WaitAfterSplitBrain { get; init; }
}

/// <summary>The answer to a request: one line of JSON.</summary>
public sealed record ControlReply
{
    /// <summary>The exit code for the command, see <see cref="ExitCodes"/>.</summary>
    public required int ExitCode { get; init; }

    /// <summary>What to print to standard error, a line each: refusals with their reason, remarks.</summary>
    public IReadOnlyList<string> Messages { get; init; } = [];

    /// <summary>What to print to standard output.</summary>
    public string Output { get; init; } = "";

    /// <summary>Only for status.</summary>
    public NodeStatus? Status { get; init; }
}
