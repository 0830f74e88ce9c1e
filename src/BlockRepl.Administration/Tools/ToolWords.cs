namespace BlockRepl.Administration.Tools;

/// <summary>An option of a tool.</summary>
/// <param name="TakesValue">False: a flag, which may still say yes or no.</param>
public sealed record ToolOption(string Name, bool TakesValue = false, char Letter = '\0')
{
    /// <summary>drbdmeta's; create-md takes them all.</summary>
    public static IReadOnlyList<ToolOption> OfMetaData { get; } =
    [
        new("force"), new("ignore-sanity-checks"), new("peer-max-bio-size", true), new("al-stripes", true),
        new("al-stripe-size-kB", true),
    ];
}

/// <summary>An option as it was given.</summary>
/// <param name="Name">The option's full name, without dashes.</param>
/// <param name="Value">What stood behind it; null: nothing.</param>
public readonly record struct GivenOption(string Name, string? Value)
{
    public bool IsYes => Value is null or "yes";

    public override string ToString() => Value is null ? $"--{Name}" : $"--{Name}={Value}";
}

/// <summary>The command line cannot be understood; the message says why.</summary>
public sealed class ToolUsageException(string message) : Exception(message);

/// <summary>
/// Cuts command lines as getopt_long does: options and other words in any order, short letters, unique beginnings of
/// long names.
/// </summary>
public sealed class ToolWords
{
    private readonly List<string> _words = [];
    private readonly List<GivenOption> _options = [];

    public IReadOnlyList<string> Words => _words;

    public IReadOnlyList<GivenOption> Options => _options;

    public bool Has(string name) => _options.Exists(option => option.Name == name && option.IsYes);

    /// <summary>The last one given counts.</summary>
    public string? Value(string name) => _options.FindLast(option => option.Name == name).Value;

    /// <param name="passOn">Whether long options that are not known are taken as they are.</param>
    /// <param name="passOnBehindDashes">The same for those behind "--", which else are words like others.</param>
    /// <exception cref="ToolUsageException">An unknown option, or one without its value.</exception>
    public static ToolWords Parse(
        IReadOnlyList<string> arguments, IReadOnlyCollection<ToolOption> known, bool passOn = false,
        bool passOnBehindDashes = false)
    {
        var parsed = new ToolWords();
        bool raw = false;
        for (int i = 0; i < arguments.Count; i++)
        {
            string word = arguments[i];
            if (word == "--" && !raw)
            {
                raw = true;
            }
            else if (word is "-" or "" || word[0] != '-' || (raw && !passOnBehindDashes))
            {
                parsed._words.Add(word);
            }
            else
            {
                parsed._options.Add(Read(arguments, ref i, known, raw || passOn));
            }
        }

        return parsed;
    }

    private static GivenOption Read(
        IReadOnlyList<string> arguments, ref int at, IReadOnlyCollection<ToolOption> known, bool passOn)
    {
        string word = arguments[at];
        bool isLong = word.StartsWith("--", StringComparison.Ordinal);
        int equals = isLong ? word.IndexOf('=', StringComparison.Ordinal) : -1;
        string name = isLong ? (equals < 0 ? word[2..] : word[2..equals]) : word[1..2];
        ToolOption? option = isLong ? Find(name, known) : known.FirstOrDefault(o => o.Letter == name[0]);
        string? value = equals >= 0 ? word[(equals + 1)..] : !isLong && word.Length > 2 ? word[2..] : null;
        if (option is null)
        {
            return passOn && isLong
                ? new GivenOption(name, value)
                : throw new ToolUsageException($"unrecognized option '{(isLong ? "--" + name : word[..2])}'");
        }

        if (option.TakesValue && value is null)
        {
            value = ++at < arguments.Count
                ? arguments[at]
                : throw new ToolUsageException($"option '{word}' requires an argument");
        }
        else if (!option.TakesValue && !isLong && value is not null)
        {
            throw new ToolUsageException($"option '{word[..2]}' takes no argument");
        }

        return new GivenOption(option.Name, value);
    }

    private static ToolOption? Find(string name, IReadOnlyCollection<ToolOption> known)
    {
        ToolOption? exact = known.FirstOrDefault(option => option.Name == name);
        if (exact is not null || name.Length == 0)
        {
            return exact;
        }

        ToolOption[] begun = [.. known.Where(option => option.Name.StartsWith(name, StringComparison.Ordinal))];
        return begun.Length == 1 ? begun[0] : null;
    }
}
