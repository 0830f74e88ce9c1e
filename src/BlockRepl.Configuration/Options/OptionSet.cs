namespace BlockRepl.Configuration.Options;

/// <summary>One option as it was given: its text, its number in the option's scale, and where.</summary>
internal sealed record OptionValue(OptionDefinition Definition, string Text, long Number, SourcePosition Position);

/// <summary>The options of one section of one kind; later values of the same option replace earlier ones.</summary>
internal sealed class OptionSet(OptionSection section)
{
    private readonly Dictionary<string, OptionValue> _values = new(StringComparer.Ordinal);

    public OptionSection Section { get; } = section;

    public IEnumerable<OptionValue> Values => _values.Values;

    public void Add(OptionValue value) => _values[value.Definition.KeptAs ?? value.Definition.Name] = value;

    public OptionValue? Find(string name) => _values.GetValueOrDefault(name);

    public long Number(string name, long fallback) => Find(name)?.Number ?? fallback;

    public int Integer(string name, int fallback) => checked((int)Number(name, fallback));

    public bool Flag(string name, bool fallback) => Find(name) is { } value ? value.Number != 0 : fallback;

    public string? Text(string name) => Find(name)?.Text;

    /// <summary>Option by option, the first set that has one wins.</summary>
    public static OptionSet Merge(OptionSection section, params ReadOnlySpan<OptionSet> strongestFirst)
    {
        var merged = new OptionSet(section);
        for (int i = strongestFirst.Length - 1; i >= 0; i--)
        {
            foreach (OptionValue value in strongestFirst[i].Values)
            {
                merged.Add(value);
            }
        }

        return merged;
    }
}
