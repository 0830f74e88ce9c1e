namespace BlockRepl.Administration.Tools;

/// <summary>drbdadm's command line: general options, the command, what it is about, options to pass on.</summary>
internal sealed record AdmOptions
{
    private static readonly ToolOption[] General =
    [
        new("stacked", false, 'S'), new("dry-run", false, 'd'), new("verbose", false, 'v'),
        new("config-file", true, 'c'), new("config-to-test", true, 't'), new("drbdsetup", true, 's'),
        new("drbdmeta", true, 'm'), new("drbd-proxy-ctl", true, 'p'), new("sh-varname", true, 'n'),
        new("peer", true, 'P'), new("version", false, 'V'), new("setup-option", true, 'W'), new("help", false, 'h'),
    ];

    /// <summary>Null: none was given.</summary>
    public string? Command { get; private init; }

    public IReadOnlyList<string> Targets { get; private init; } = [];

    /// <summary>Handed on to the command below, as they are.</summary>
    public IReadOnlyList<string> PassedOn { get; private init; } = [];
    public bool Stacked { get; private init; }
    public bool DryRun { get; private init; }
    public bool Verbose { get; private init; }
    public bool Version { get; private init; }
    public bool Help { get; private init; }
    public string? ConfigFile { get; private init; }
    public string? ConfigToTest { get; private init; }
    public string? ShellVariable { get; private init; }

    /// <exception cref="ToolUsageException">An unknown option, or one without its value.</exception>
    public static AdmOptions Parse(IReadOnlyList<string> arguments)
    {
        string? name = FindCommand(arguments);
        AdmCommand? command = name is null ? null : AdmCommand.Find(name);
        ToolWords given = ToolWords.Parse(
            arguments, [.. General, .. command?.Options ?? []], passOn: command?.PassesOn ?? name is not null,
            passOnBehindDashes: true);
        int at = Math.Max(0, given.Words.ToList().IndexOf(name ?? ""));
        return new AdmOptions
        {
            Command = given.Words.Count > 0 ? given.Words[at] : null,
            Targets = [.. given.Words.Skip(at + 1)],
            PassedOn =
            [
                .. given.Words.Take(at),
                .. given.Options.Where(option => General.All(known => known.Name != option.Name))
                    .Select(option => option.ToString()),
                .. given.Options.Where(option => option.Name == "setup-option").Select(option => option.Value!),
            ],
            Stacked = given.Has("stacked"),
            DryRun = given.Has("dry-run"),
            Verbose = given.Has("verbose"),
            Version = given.Has("version"),
            Help = given.Has("help"),
            ConfigFile = given.Value("config-file"),
            ConfigToTest = given.Value("config-to-test"),
            ShellVariable = given.Value("sh-varname"),
        };
    }

    public static string GeneralUsage => string.Concat(General.Select(
        option => $"  --{option.Name}{(option.TakesValue ? "=..." : "")}, -{option.Letter}"
            + $"{(option.TakesValue ? " ..." : "")}\n"));

    /// <summary>
    /// The first word that is neither an option nor a general option's value; behind "--" the first that is a command,
    /// because words may be passed on there.
    /// </summary>
    private static string? FindCommand(IReadOnlyList<string> arguments)
    {
        try
        {
            string[] words =
                [.. ToolWords.Parse(arguments, General, passOn: true, passOnBehindDashes: true).Words.Where(
                    word => word.Length > 0)];
            return (arguments.Contains("--") ? words.FirstOrDefault(word => AdmCommand.Find(word) is not null) : null)
                ?? words.FirstOrDefault();
        }
        catch (ToolUsageException)
        {
            return null; // parsed again with the words to say so
        }
    }
}
