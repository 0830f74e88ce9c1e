using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using BlockRepl.Configuration.Options;

namespace BlockRepl.Configuration.Syntax;

/// <summary>What every part of the grammar needs: expecting tokens, reading values and option sections.</summary>
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

    /// <summary>A keyword: a bare word.</summary>
    protected string TakeKeyword(string expected)
    {
        if (Lexer.Current.Kind != TokenKind.Word)
        {
            throw Unexpected(expected);
        }

        string word = Lexer.Current.Text;
        Lexer.Advance();
        return word;
    }

    /// <summary>A value: a bare word, a number or a quoted string.</summary>
    protected PlacedText TakeValue(string expected)
    {
        if (Lexer.Current.Kind is not (TokenKind.Word or TokenKind.Quoted))
        {
            throw Unexpected(expected);
        }

        var value = new PlacedText(Lexer.Current.Text, Lexer.Position);
        Lexer.Advance();
        return value;
    }

    protected int TakeInteger(string what, int minimum, int maximum)
    {
        if (Lexer.Current.Kind != TokenKind.Word)
        {
            throw Unexpected($"{what} ({minimum}..{maximum})");
        }

        string text = Lexer.Current.Text;
        if (!int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out int value))
        {
            throw new ConfigurationException(
                Lexer.Position,
                $"{what} '{OptionReader.Shorten(text)}' is not a whole number of [{minimum}..{maximum}].");
        }

        if (value < minimum || value > maximum)
        {
            throw new ConfigurationException(
                Lexer.Position, $"{what} {value} out of range [{minimum}..{maximum}]. Choose a value within it.");
        }

        Lexer.Advance();
        return value;
    }

    /// <summary>The body of an option section, from its opening brace on.</summary>
    protected void ParseOptions(OptionSet options)
    {
        Expect('{');
        while (!TryTake('}'))
        {
            SourcePosition position = Lexer.Position;
            string name = TakeKeyword(options.Section.ToString().ToLowerInvariant() + " option' or '}");
            OptionDefinition definition = OptionTable.Find(options.Section, name)
                ?? throw Unknown(
                    position, name, $"{SectionName(options.Section)} option", OptionTable.Names(options.Section));
            ParseOptionValue(options, definition, position);
        }
    }

    protected void ParseSyncer(OptionSections sections)
    {
        Expect('{');
        while (!TryTake('}'))
        {
            SourcePosition position = Lexer.Position;
            string name = TakeKeyword("syncer option' or '}");
            if (!OptionTable.Syncer.TryGetValue(name, out OptionSection section))
            {
                throw Unknown(position, name, "option of the old syncer section", OptionTable.Syncer.Keys.Order());
            }

            OptionSet options = section switch
            {
                OptionSection.Disk => sections.Disk,
                OptionSection.Net => sections.Net,
                _ => sections.Options,
            };
            ParseOptionValue(options, OptionTable.Find(section, name)!, position);
        }
    }

    protected void ParseOptionValue(OptionSet options, OptionDefinition definition, SourcePosition position)
    {
        string? text = null;
        if (definition.Kind == OptionKind.Words)
        {
            var words = new List<string>();
            while (!Lexer.Current.IsPunctuation(';'))
            {
                words.Add(TakeValue("host name").Text);
            }

            text = words.Count == 0 ? null : string.Join(' ', words);
        }
        else if (!Lexer.Current.IsPunctuation(';'))
        {
            text = TakeValue($"value of {definition.Name}").Text;
        }

        Expect(';');
        options.Add(OptionReader.Read(definition, text, position, Syntax.Warnings));
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

    protected static ConfigurationException Unknown(
        SourcePosition position, string word, string what, IEnumerable<string> known)
    {
        string? hint = Keywords.Explain(word);
        return new ConfigurationException(
            position, hint ?? $"'{OptionReader.Shorten(word)}' is no {what}. Known are: {string.Join(", ", known)}.");
    }

    [DoesNotReturn]
    protected static void ThrowConflict(string what, string key, SourcePosition second, SourcePosition first) =>
        throw new ConfigurationException(
            second,
            $"conflicting use of {what} '{key}' ...\n{first}: {what} '{key}' first used here. Remove one of them.");

    private static string SectionName(OptionSection section) => section switch
    {
        OptionSection.Options => "resource",
        OptionSection.Handlers => "handlers",
        _ => section.ToString().ToLowerInvariant(),
    };
}
