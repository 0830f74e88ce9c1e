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

    /// <summary>A resource's own address is none of this machine's: no peer would ever reach it.</summary>
    public static ConfigurationException AddressIsNotHere(
        SourcePosition position, string resource, string host, string address) => new(
            position,
            $"in resource {resource}, on {host}: the address {address} is on no interface of this machine. Correct it, "
            + "bring the interface up, or set disable-ip-verification in global { }.");
}
