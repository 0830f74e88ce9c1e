using BlockRepl.Configuration.Options;

namespace BlockRepl.Configuration.Syntax;

/// <summary>The inside of a resource section, or of common.</summary>
internal sealed class ResourceParser(Lexer lexer, ConfigurationSyntax syntax, ResourceSyntax resource)
    : ParserBase(lexer, syntax)
{
    private static readonly string[] Statements =
    [
        "on", "floating", "stacked-on-top-of", "volume", "device", "disk", "meta-disk", "flexible-meta-disk", "net",
        "startup", "options", "handlers", "proxy", "syncer", "protocol", "ignore-on",
    ];

    private readonly OptionSectionParser _options = new(lexer, syntax);
    private readonly VolumeParser _volumes = new(lexer, syntax, resource.Volumes, resource.Name);

    public void Parse()
    {
        Expect('{');
        while (!TryTake('}'))
        {
            SourcePosition position = Lexer.Position;
            if (Lexer.Current.Kind == TokenKind.End)
            {
                Syntax.Warnings.Add(
                    $"{position}: {resource.Name}, which begins at {resource.Position}, is not closed by '}}'; "
                    + "is the file complete?");
                return;
            }

            ParseStatement(TakeKeyword("a statement of resource' or '}"), position);
        }
    }

    private void ParseStatement(string word, SourcePosition position)
    {
        switch (word)
        {
            case "on" or "floating" or "stacked-on-top-of" or "_this_host" or "_remote_host":
                if (resource.Hosts.Count == ConfigurationLimits.Hosts)
                {
                    throw new ConfigurationException(
                        position, $"more than {ConfigurationLimits.Hosts} hosts in resource {resource.Name}.");
                }

                new HostParser(Lexer, Syntax, resource).Parse(word, position);
                break;
            case "ignore-on":
                TakeString("host name");
                Expect(';');
                Syntax.Warnings.Add($"{position}: 'ignore-on' has no effect any more; remove it.");
                break;
            case "protocol":
                Once(resource.Seen, "protocol statement", $"{resource.Name}: protocol", position);
                _options.ParseValue(
                    resource.Sections.Net, OptionTable.Find(OptionSection.Net, word)!, position);
                break;
            case "disk" when Lexer.Current.IsPunctuation('{'):
            case "net" or "startup" or "options" or "handlers" or "proxy" or "syncer":
                Once(resource.Seen, $"{word} section", $"{resource.Name}:{word}", position);
                ParseOptions(word);
                break;
            case "device":
                Once(resource.Seen, "device statement", $"{resource.Name}:device", position);
                _volumes.ParseImplicit(word, position);
                break;
            case "disk" or "meta-disk" or "flexible-meta-disk":
                _volumes.ParseImplicit(word, position);
                break;
            case "volume":
                _volumes.ParseExplicit(position);
                break;
            default:
                throw Unknown(position, word, "statement of a resource", Statements);
        }
    }

    private void ParseOptions(string word)
    {
        OptionSections sections = resource.Sections;
        if (word == "syncer")
        {
            _options.ParseSyncer(sections);
            return;
        }

        _options.Parse(word switch
        {
            "disk" => sections.Disk,
            "net" => sections.Net,
            "startup" => sections.Startup,
            "options" => sections.Options,
            "proxy" => sections.Proxy,
            _ => sections.Handlers,
        });
    }
}
