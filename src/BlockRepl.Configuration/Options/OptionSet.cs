using System.Globalization;

namespace BlockRepl.Configuration.Options;

/// <summary>One option as it was given.</summary>
/// <param name="Definition">What it is.</param>
/// <param name="Text">The value as DRBD's tools print it: yes or no for a flag in any form.</param>
/// <param name="Number">In the option's scale; of a flag 0 or 1, of a choice its index.</param>
/// <param name="Position">Where it was given.</param>
internal sealed record OptionValue(OptionDefinition Definition, string Text, long Number, SourcePosition Position)
{
    public string Name => Definition.KeptAs ?? Definition.Name;

    /// <summary>A number with its scale's letter; everything else as it is written.</summary>
    public string InScale => Definition.Kind != OptionKind.Number ? Text : Definition.Scale switch
    {
        512 => string.Create(CultureInfo.InvariantCulture, $"{Number}s"),
        1024 => string.Create(CultureInfo.InvariantCulture, $"{Number}k"),
        _ => Number.ToString(CultureInfo.InvariantCulture),
    };
}

/// <summary>
/// The options of one section of one kind, in the order in which they are printed. The same one may be there more
/// than once: the last counts.
/// </summary>
internal sealed class OptionSet(OptionSection section)
{
    private readonly List<OptionValue> _values = [];

    public OptionSection Section { get; } = section;

    public IReadOnlyList<OptionValue> Values => _values;

    /// <summary>Lines of a proxy's plugin section.</summary>
    public List<string> Plugins { get; init; } = [];

    public bool IsEmpty => _values.Count == 0 && Plugins.Count == 0;

    public void Add(OptionValue value)
    {
        if (value.Definition.Kind is OptionKind.Words)
        {
            _values.RemoveAll(known => known.Name == value.Name);
        }

        _values.Add(value);
    }

    public OptionValue? Find(string name) => _values.FindLast(value => value.Name == name);

    public long Number(string name, long fallback) => Find(name)?.Number ?? fallback;

    public int Integer(string name, int fallback) => checked((int)Number(name, fallback));

    public bool Flag(string name, bool fallback) => Find(name) is { } value ? value.Number != 0 : fallback;

    public string? Text(string name) => Find(name)?.Text;

    /// <summary>
    /// A copy in which what only <paramref name="outer"/> has is added. Each goes to the front, and the first of
    /// several equal ones keeps the others out: so do DRBD's tools, which shows in what they print and which counts.
    /// </summary>
    public OptionSet InheritFrom(OptionSet? outer)
    {
        var merged = new OptionSet(Section) { Plugins = [.. Plugins] };
        merged._values.AddRange(_values);
        HashSet<string> known = [.. _values.Select(value => value.Name)];
        var added = new List<OptionValue>();
        foreach (OptionValue value in outer?.Values ?? [])
        {
            if (known.Add(value.Name))
            {
                added.Add(value);
            }
        }

        added.Reverse();
        merged._values.InsertRange(0, added);
        foreach (string plugin in outer?.Plugins ?? [])
        {
            if (!merged.Plugins.Contains(plugin))
            {
                merged.Plugins.Insert(0, plugin);
            }
        }

        return merged;
    }

    /// <summary>A copy with each value changed, or left out where the change is null.</summary>
    public OptionSet Select(Func<OptionValue, OptionValue?> change)
    {
        var changed = new OptionSet(Section) { Plugins = [.. Plugins] };
        changed._values.AddRange(_values.Select(change).OfType<OptionValue>());
        return changed;
    }
}
