using BlockRepl.Configuration.Options;

namespace BlockRepl.Configuration.Syntax;

/// <summary>The inside of option sections: <c>{ NAME [VALUE]; … }</c>.</summary>
internal sealed class OptionSectionParser(Lexer lexer, ConfigurationSyntax syntax) : ParserBase(lexer, syntax)
{
    /// <summary>From the opening brace on.</summary>
    public void Parse(OptionSet options)
    {
        string title = OptionTable.Title(options.Section);
        Expect('{');
        while (!TryTake('}'))
        {
            SourcePosition position = Lexer.Position;
            string name = TakeKeyword($"option of {title}' or '}}");
            if (name == "plugin" && options.Section == OptionSection.Proxy)
            {
                ParsePlugins(options.Plugins);
                continue;
            }

            OptionDefinition definition = OptionTable.Find(options.Section, name)
                ?? throw Unknown(position, name, $"{title} option", [.. OptionTable.Names(options.Section)]);
            ParseValue(options, definition, position);
        }
    }

    /// <summary>The old syncer section: each option goes to the section it belongs to now.</summary>
    public void ParseSyncer(OptionSections sections)
    {
        Expect('{');
        while (!TryTake('}'))
        {
            SourcePosition position = Lexer.Position;
            string name = TakeKeyword("option of syncer' or '}");
            if (!OptionTable.Syncer.TryGetValue(name, out OptionSection section))
            {
                throw Unknown(position, name, "option of the old syncer section", [.. OptionTable.Syncer.Keys.Order()]);
            }

            OptionSet options = section switch
            {
                OptionSection.Disk => sections.Disk,
                OptionSection.Net => sections.Net,
                _ => sections.Options,
            };
            ParseValue(options, OptionTable.Find(section, name)!, position);
        }
    }

    /// <summary>What follows an option's name, up to the semicolon.</summary>
    public void ParseValue(OptionSet options, OptionDefinition definition, SourcePosition position)
    {
        if (options.Values.Count == ConfigurationLimits.Options)
        {
            throw new ConfigurationException(
                position, $"more than {ConfigurationLimits.Options} options in one section.");
        }

        string? text = definition.Kind == OptionKind.Words && !Lexer.Current.IsPunctuation(';')
            ? string.Join(' ', TakeNames(';'))
            : TakeValue(definition);
        Expect(';');
        OptionValue value = OptionReader.Read(definition, text, position);
        if (definition.Kind != OptionKind.Ignored)
        {
            options.Add(value);
        }
    }

    private string? TakeValue(OptionDefinition definition) => Lexer.Current switch
    {
        { Kind: TokenKind.Punctuation } when Lexer.Current.IsPunctuation(';') => null,
        { Kind: TokenKind.Integer } => TakeToken(),
        { Kind: TokenKind.Word, Text: "yes" or "no" }
            when definition.Kind is OptionKind.Boolean or OptionKind.Flag => TakeToken(),
        { Kind: TokenKind.Word, Text: "on" } => TakeToken(),
        _ => TakeString($"value of {definition.Name}").Text,
    };

    private void ParsePlugins(List<string> plugins)
    {
        Expect('{');
        while (!TryTake('}'))
        {
            var words = new List<string>();
            while (!Lexer.Current.IsPunctuation(';'))
            {
                words.Add(Lexer.Current.Kind is TokenKind.Integer or TokenKind.Word
                    ? TakeToken()
                    : TakeString("plugin and its settings").Text);
            }

            if (plugins.Count == ConfigurationLimits.Hosts)
            {
                throw new ConfigurationException(
                    Lexer.Position, $"more than {ConfigurationLimits.Hosts} plugins of a proxy.");
            }

            Expect(';');
            plugins.Add(string.Join(' ', words));
        }
    }
}
