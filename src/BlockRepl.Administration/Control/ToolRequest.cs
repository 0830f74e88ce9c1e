namespace BlockRepl.Administration.Control;

/// <summary>A command line of drbdadm, drbdsetup or drbdmeta, as its user typed it.</summary>
public sealed record ToolRequest
{
    public required string Program { get; init; }

    /// <summary>Settable, like the others: the JSON reader overwrites what is init-only with null.</summary>
    public IReadOnlyList<string> Arguments { get; set; } = [];

    /// <summary>What relative paths are relative to.</summary>
    public string Directory { get; set; } = "/";

    /// <summary>Width of the terminal that is printed to; null where it is none.</summary>
    public int? Columns { get; init; }

    /// <summary>The few variables of the environment that say which node is meant.</summary>
    public IReadOnlyDictionary<string, string> Environment { get; set; } = new Dictionary<string, string>();

    /// <summary>Whether everything that must be there is.</summary>
    public bool IsComplete => Program is not null && Directory is not null && Arguments is not null
        && Environment is not null && Arguments.All(argument => argument is not null)
        && Environment.Values.All(value => value is not null);
}

/// <summary>
/// The answer to a <see cref="ToolRequest"/>: parts of a head line, <c>KIND NUMBER</c>, and perhaps bytes behind it. It
/// comes while the command runs.
/// </summary>
public static class ToolAnswer
{
    /// <summary>So many bytes for standard output.</summary>
    public const char Output = 'o';

    /// <summary>So many bytes for standard error.</summary>
    public const char Error = 'e';

    /// <summary>The exit code; the last part.</summary>
    public const char Exit = 'x';

    /// <summary>Nothing was done: the command needs a process of its own, with its user's terminal. The last
    /// part.</summary>
    public const char OwnProcess = 'l';
}
