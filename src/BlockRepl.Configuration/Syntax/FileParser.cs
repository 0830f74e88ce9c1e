using BlockRepl.Configuration.Options;

namespace BlockRepl.Configuration.Syntax;

/// <summary>The grammar's top level: include, global, common, resource and skip, in one file.</summary>
internal sealed class FileParser(Lexer lexer, ConfigurationSyntax syntax) : ParserBase(lexer, syntax)
{
    /// <summary>
    /// Reads the whole file; <paramref name="include"/> is called for each include statement as it comes.
    /// </summary>
    public void Parse(Action<PlacedText> include)
    {
        while (Lexer.Current.Kind != TokenKind.End)
        {
            SourcePosition position = Lexer.Position;
            string word = TakeKeyword("global | common | resource | skip | include");
            switch (word)
            {
                case "include":
                    PlacedText pattern = TakeValue("file name");
                    Expect(';');
                    include(pattern);
                    break;
                case "global":
                    ParseGlobal(position);
                    break;
                case "common":
                    ParseCommon(position);
                    break;
                case "resource":
                    ParseResource(position);
                    break;
                case "skip":
                    Skip(position);
                    break;
                default:
                    throw Unknown(position, word, "section", ["global", "common", "resource", "skip", "include"]);
            }
        }
    }

    private void ParseGlobal(SourcePosition position)
    {
        if (Syntax.GlobalAt is { } first)
        {
            ThrowConflict("section", "global", position, first);
        }

        if (Syntax.Resources.Count > 0)
        {
            Syntax.Warnings.Add($"{position}: the global section should come before the resources.");
        }

        Syntax.GlobalAt = position;
        Expect('{');
        while (!TryTake('}'))
        {
            SourcePosition at = Lexer.Position;
            string name = TakeKeyword("global option' or '}");
            Syntax.Global = ParseGlobalOption(Syntax.Global, name, at);
            Expect(';');
        }
    }

    private GlobalSettings ParseGlobalOption(GlobalSettings settings, string name, SourcePosition position)
    {
        switch (name)
        {
            case "usage-count":
                PlacedText value = TakeValue("yes | no | ask");
                return value.Text is "yes" or "no" or "ask"
                    ? settings
                    : throw new ConfigurationException(
                        value.Position,
                        $"usage-count {OptionReader.Shorten(value.Text)}: must be one of yes, no, "
                        + "ask (BlockRepl counts nothing).");
            case "minor-count":
                return settings with { MinorCount = TakeInteger(name, 1, 255) };
            case "dialog-refresh":
                return settings with { DialogRefreshSeconds = TakeInteger(name, 0, 600) };
            case "disable-ip-verification":
                return settings with { DisableIpVerification = true };
            case "udev-always-use-vnr":
                return settings with { UdevAlwaysUseVolumeNumber = true };
            case "cmd-timeout-short":
                return settings with { CommandTimeoutShortSeconds = TakeInteger(name, 0, 900) };
            case "cmd-timeout-medium":
                return settings with { CommandTimeoutMediumSeconds = TakeInteger(name, 0, 900) };
            case "cmd-timeout-long":
                return settings with { CommandTimeoutLongSeconds = TakeInteger(name, 0, 900) };
            default:
                throw Unknown(
                    position, name, "global option",
                    [
                        "usage-count", "minor-count", "dialog-refresh", "disable-ip-verification",
                        "udev-always-use-vnr", "cmd-timeout-short", "cmd-timeout-medium", "cmd-timeout-long",
                    ]);
        }
    }

    private void ParseCommon(SourcePosition position)
    {
        if (Syntax.CommonAt is { } first)
        {
            ThrowConflict("section", "common", position, first);
        }

        Syntax.CommonAt = position;
        Expect('{');
        var parser = new SectionParser(Lexer, Syntax, "common", Syntax.Common);
        while (!TryTake('}'))
        {
            SourcePosition at = Lexer.Position;
            string word = TakeKeyword(SectionParser.OptionSectionNames);
            if (!parser.TryParseOptionSection(word, at))
            {
                throw Unknown(at, word, "section of common", SectionParser.OptionSectionNames.Split(" | "));
            }
        }
    }

    private void ParseResource(SourcePosition position)
    {
        PlacedText name = TakeValue("resource name");
        if (name.Text.Length == 0 || name.Text.AsSpan().ContainsAny("/\\ \t") || name.Text == "all"
            || name.Text[0] == '-')
        {
            throw new ConfigurationException(
                name.Position,
                $"a resource cannot be called '{OptionReader.Shorten(name.Text)}': choose a name without '/', '\\' or "
                + "blanks, not 'all', and not starting with '-'.");
        }

        if (Syntax.Resources.Find(known => known.Name == name.Text) is { } first)
        {
            ThrowConflict("resource section", name.Text, position, first.Position);
        }

        if (Syntax.Resources.Count == ConfigurationLimits.Resources)
        {
            throw new ConfigurationException(position, $"more than {ConfigurationLimits.Resources} resources.");
        }

        var resource = new ResourceSyntax(name.Text, position);
        Syntax.Resources.Add(resource);
        new SectionParser(Lexer, Syntax, name.Text, resource).ParseResourceBody(resource);
    }

    /// <summary>Ignores a section; only its braces count.</summary>
    private void Skip(SourcePosition position)
    {
        if (Lexer.Current.Kind is TokenKind.Word or TokenKind.Quoted)
        {
            Lexer.Advance();
        }

        Expect('{');
        for (int depth = 1; depth > 0; Lexer.Advance())
        {
            if (Lexer.Current.Kind == TokenKind.End)
            {
                throw new ConfigurationException(position, "the skip section that begins here has no closing '}'.");
            }

            depth += Lexer.Current.IsPunctuation('{') ? 1 : Lexer.Current.IsPunctuation('}') ? -1 : 0;
        }
    }
}
