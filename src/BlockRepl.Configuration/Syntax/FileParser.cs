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
                    PlacedText pattern = TakeString("file name");
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
                return settings with { UsageCount = TakeUsageCount() };
            case "minor-count":
                return settings with { MinorCount = TakeInteger(name, 1, 255) };
            case "dialog-refresh":
                return settings with { DialogRefreshSeconds = TakeInteger(name, 0, 600) };
            case "disable-ip-verification":
                return settings with { DisableIpVerification = true };
            case "udev-always-use-vnr":
                return settings with { UdevAlwaysUseVolumeNumber = true };
            case "cmd-timeout-short":
                return settings with { GivenCommandTimeoutShortSeconds = TakeInteger(name, 0, 900) };
            case "cmd-timeout-medium":
                return settings with { GivenCommandTimeoutMediumSeconds = TakeInteger(name, 0, 900) };
            case "cmd-timeout-long":
                return settings with { GivenCommandTimeoutLongSeconds = TakeInteger(name, 0, 900) };
            default:
                throw Unknown(
                    position, name, "global option",
                    [
                        "usage-count", "minor-count", "dialog-refresh", "disable-ip-verification",
                        "udev-always-use-vnr", "cmd-timeout-short", "cmd-timeout-medium", "cmd-timeout-long",
                    ]);
        }
    }

    private string TakeUsageCount() => Lexer.Current is { Kind: TokenKind.Word, Text: "yes" or "no" or "ask" }
        ? TakeToken()
        : throw new ConfigurationException(
            Lexer.Position,
            $"usage-count {Shorten(Lexer.Current.Text)}: must be one of yes, no, ask (BlockRepl counts nothing).");

    private void ParseCommon(SourcePosition position)
    {
        if (Syntax.Common is { } first)
        {
            ThrowConflict("section", "common", position, first.Position);
        }

        Syntax.Common = new ResourceSyntax("common", position);
        new ResourceParser(Lexer, Syntax, Syntax.Common).Parse();
        if (Syntax.Common.Hosts is [var host, ..])
        {
            throw new ConfigurationException(
                host.Position, "common cannot have host sections; put them into the resources.");
        }
    }

    private void ParseResource(SourcePosition position)
    {
        PlacedText name = TakeString("resource name");
        if (name.Text.Length == 0)
        {
            throw new ConfigurationException(name.Position, "a resource needs a name.");
        }

        if (Syntax.Find(name.Text) is { } first)
        {
            ThrowConflict("resource section", name.Text, position, first.Position);
        }

        if (Syntax.Resources.Count == ConfigurationLimits.Resources)
        {
            throw new ConfigurationException(position, $"more than {ConfigurationLimits.Resources} resources.");
        }

        var resource = new ResourceSyntax(name.Text, position);
        Syntax.Resources.Add(resource);
        new ResourceParser(Lexer, Syntax, resource).Parse();
    }

    /// <summary>Ignores a section, whatever is in it.</summary>
    private void Skip(SourcePosition position)
    {
        if (!Lexer.Current.IsPunctuation('{'))
        {
            TakeString("[ some_text ] {");
        }

        if (!Lexer.Current.IsPunctuation('{'))
        {
            throw Unexpected("{");
        }

        if (!Lexer.TrySkipBlock())
        {
            throw new ConfigurationException(position, "the skip section that begins here has no closing '}'.");
        }
    }
}
