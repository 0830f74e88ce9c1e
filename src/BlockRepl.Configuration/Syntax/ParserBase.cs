using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using BlockRepl.Configuration.Options;

namespace BlockRepl.Configuration.Syntax;

/// <summary>What every part of the grammar needs: expecting tokens, taking values, and saying what is wrong.</summary>
internal abstract class ParserBase(Lexer lexer, ConfigurationSyntax syntax)
{
    protected Lexer Lexer { get; } = lexer;

    protected ConfigurationSyntax Syntax { get; } = syntax;

    protected void Expect(char punctuation)
    {
        if (!TryTake(punctuation))
        {
            throw Unexpected(punctuation.ToString());
        }
    }

    protected bool TryTake(char punctuation)
    {
        if (!Lexer.Current.IsPunctuation(punctuation))
        {
            return false;
        }

        Lexer.Advance();
        return true;
    }

    protected string TakeToken()
    {
        string text = Lexer.Current.Text;
        Lexer.Advance();
        return text;
    }

    /// <summary>A keyword: a bare word.</summary>
    protected string TakeKeyword(string expected) =>
        Lexer.Current.Kind == TokenKind.Word ? TakeToken() : throw Unexpected(expected);

    /// <summary>A name or path: a bare word that is no keyword and no number, or a quoted string.</summary>
    protected PlacedText TakeString(string expected)
    {
        Token token = Lexer.Current;
        if (token.Kind is not (TokenKind.Word or TokenKind.Quoted))
        {
            throw Unexpected(expected);
        }

        if (token.Kind == TokenKind.Word && Keywords.IsReserved(token.Text))
        {
            throw new ConfigurationException(
                Lexer.Position,
                $"Parse error: '{expected}' expected,\n\tbut got '{token.Text}', which is a keyword. If it is meant, "
                + $"quote it: \"{token.Text}\".");
        }

        var value = new PlacedText(token.Text, Lexer.Position);
        Lexer.Advance();
        return value;
    }

    /// <summary>One or more names up to a punctuation character, which is left.</summary>
    protected List<string> TakeNames(char end)
    {
        var names = new List<string>();
        do
        {
            names.Add(TakeString($"host name' or '{end}").Text);
            if (names.Count > ConfigurationLimits.Hosts)
            {
                throw new ConfigurationException(Lexer.Position, $"more than {ConfigurationLimits.Hosts} host names.");
            }
        }
        while (!Lexer.Current.IsPunctuation(end));
        return names;
    }

    protected int TakeInteger(string what, int minimum, int maximum)
    {
        if (Lexer.Current.Kind is not (TokenKind.Integer or TokenKind.Word))
        {
            throw Unexpected($"{what} ({minimum}..{maximum})");
        }

        string text = Lexer.Current.Text;
        if (!int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out int value)
            || Lexer.Current.Kind != TokenKind.Integer)
        {
            throw new ConfigurationException(
                Lexer.Position, $"{what} '{Shorten(text)}' is not a whole number of [{minimum}..{maximum}].");
        }

        if (value < minimum || value > maximum)
        {
            throw new ConfigurationException(
                Lexer.Position, $"{what} {value} out of range [{minimum}..{maximum}]. Choose a value within it.");
        }

        Lexer.Advance();
        return value;
    }

    /// <summary>An error that names what was wanted and what is there, in DRBD's shape.</summary>
    protected ConfigurationException Unexpected(string expected)
    {
        Token got = Lexer.Current;
        string text = got.Text.Length <= 20 ? got.Text : got.Text[..20] + "...";
        string hint = got.Kind == TokenKind.Word ? Keywords.Explain(got.Text) ?? "" : "";
        hint = hint.Length == 0 ? "" : "\n\t" + hint;
        return new ConfigurationException(
            Lexer.Position, $"Parse error: '{expected}' expected,\n\tbut got '{text}'{hint}");
    }

    /// <summary>An error for a word where only certain words may stand: with the nearest of them, and all.</summary>
    protected static ConfigurationException Unknown(
        SourcePosition position, string word, string what, IReadOnlyCollection<string> known)
    {
        if (Keywords.Explain(word) is { } explanation)
        {
            return new ConfigurationException(position, explanation);
        }

        string elsewhere = OptionTable.SectionOf(word) is { } section
            ? $" It is an option of {OptionTable.Title(section)} {{ }}."
            : "";
        return new ConfigurationException(
            position,
            $"'{Shorten(word)}' is no {what}.{NearestWord.Question(word, known)}{elsewhere} "
            + $"Known are: {string.Join(", ", known)}.");
    }

    [DoesNotReturn]
    protected static void ThrowConflict(string what, string key, SourcePosition second, SourcePosition first) =>
        throw new ConfigurationException(
            second,
            $"conflicting use of {what} '{key}' ...\n{first}: {what} '{key}' first used here. Remove one of them.");

    /// <summary>Notes that something which may be there once is there.</summary>
    protected static void Once(
        Dictionary<string, SourcePosition> seen, string what, string key, SourcePosition position)
    {
        if (!seen.TryAdd(key, position))
        {
            ThrowConflict(what, key, position, seen[key]);
        }
    }

    protected static string Shorten(string text) => OptionReader.Shorten(text);
}
