namespace BlockRepl.Configuration.Options;

/// <summary>The sections that hold options.</summary>
internal enum OptionSection
{
    Disk,
    Net,
    Startup,
    Options,
    Handlers,
    Proxy,
}

/// <summary>What an option's value is.</summary>
internal enum OptionKind
{
    /// <summary>A number with an optional unit letter.</summary>
    Number,

    /// <summary>yes, no, or nothing at all for yes.</summary>
    Boolean,

    /// <summary>Nothing at all, which means yes.</summary>
    Flag,

    /// <summary>A, B or C, in any case.</summary>
    Protocol,

    /// <summary>One of a list of words.</summary>
    Choice,

    /// <summary>Any text.</summary>
    Text,

    /// <summary>A digest's Linux name.</summary>
    Digest,

    /// <summary>One word or more.</summary>
    Words,

    /// <summary>Takes a value and has no effect: kept by DRBD for old files.</summary>
    Ignored,
}

/// <summary>One option of drbd.conf.</summary>
internal sealed record OptionDefinition(string Name, OptionKind Kind)
{
    /// <summary>Bytes of the unit that a number without a letter is in; 1 = a plain count or bytes.</summary>
    public int Scale { get; init; } = 1;

    public long Minimum { get; init; }

    public long Maximum { get; init; } = long.MaxValue;

    /// <summary>Unit for messages.</summary>
    public string Unit { get; init; } = "";

    /// <summary>
    /// DRBD's tools do not look at the number. Out of range is taken as the nearest bound, with a warning.
    /// </summary>
    public bool Clamps { get; init; }

    /// <summary>Words of a choice; longest text of a text.</summary>
    public IReadOnlyList<string> Choices { get; init; } = [];

    public int LongestText { get; init; } = ConfigurationLimits.QuotedCharacters;

    /// <summary>What counts if it is not given, as drbdsetup shows it; null: it is not shown.</summary>
    public string? Default { get; init; }

    /// <summary>What a number counts, in words.</summary>
    public string Counts { get; init; } = "";

    /// <summary>Whether it is shown in quotes.</summary>
    public bool IsQuoted { get; init; }

    /// <summary>The name under which the value is kept, if this is an old name for another option.</summary>
    public string? KeptAs { get; init; }

    /// <summary>An old "no-…" form: the flag alone means no.</summary>
    public bool MeansNo { get; init; }

    public OptionText Describe(string text, string inScale) =>
        new(Name, text, inScale, IsQuoted, Counts, inScale == Default);
}
