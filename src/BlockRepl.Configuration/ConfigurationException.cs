namespace BlockRepl.Configuration;

/// <summary>A place in the configuration, for messages: the file as it was named and the line, from 1.</summary>
public readonly record struct SourcePosition(string File, int Line)
{
    public override string ToString() => $"{File}:{Line}";
}

/// <summary>
/// The configuration cannot be used. <see cref="Exception.Message"/> starts with <c>FILE:LINE: </c>, names the thing at
/// fault, what would be allowed and what to do.
/// </summary>
public sealed class ConfigurationException(SourcePosition position, string reason) : Exception($"{position}: {reason}")
{
    public SourcePosition Position { get; } = position;

    /// <summary>The message without the place.</summary>
    public string Reason { get; } = reason;
}
