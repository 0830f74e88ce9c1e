using System.Buffers;

namespace BlockRepl.Administration.Tools;

/// <summary>One command line of drbdsetup or drbdmeta, which drbdadm runs or, with --dry-run, only prints.</summary>
/// <param name="Program">drbdsetup or drbdmeta.</param>
internal sealed record LowLevelCommand(string Program, IReadOnlyList<string> Arguments)
{
    /// <summary>What is tried instead if this one ends so; then it says nothing of its failure.</summary>
    public LowLevelCommand? Otherwise { get; init; }

    /// <summary>For which exit codes.</summary>
    public Func<int, bool> Fails { get; init; } = code => code != 0;

    /// <summary>What follows if this one succeeds.</summary>
    public LowLevelCommand? Next { get; init; }

    private static readonly SearchValues<char> Special = SearchValues.Create(" \t\n\"'\\$`;&|<>()*?[]#~!{}");

    public override string ToString() => $"{Program} {string.Join(' ', Arguments.Select(Quoted))}";

    /// <summary>As a shell would want it.</summary>
    private static string Quoted(string word) => word.Length == 0
        ? "\"\""
        : string.Concat(word.Select(letter => Special.Contains(letter) ? $"\\{letter}" : $"{letter}"));
}
