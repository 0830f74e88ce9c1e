using BlockRepl.Configuration.Options;

namespace BlockRepl.Configuration.Syntax;

/// <summary>The inside of common and resource: option sections and host sections.</summary>
internal sealed class SectionParser(Lexer lexer, ConfigurationSyntax syntax, string name, OptionSections sections)
    : ParserBase(lexer, syntax)
{
    public const string OptionSectionNames = "disk | net | startup | options | handlers | syncer | protocol";

    private static readonly string[] ResourceWords =
    [
        "on", "volume", "device", "disk", "meta-disk", "flexible-meta-disk", "net", "startup", "options", "handlers",
        "syncer", "protocol", "ignore-on",
    ];

    private static readonly string[] HostWords =
    [
        "address", "volume", "device", "disk", "meta-disk", "flexible-meta-disk", "options",
    ];

    /// <summary>Parses the section that <paramref name="word"/> begins; false if it begins none.</summary>
    public bool TryParseOptionSection(string word, SourcePosition position)
    {
        if (word is not ("disk" or "net" or "startup" or "options" or "handlers" or "syncer" or "protocol"))
        {
            return false;
        }

        if (sections.Seen.TryGetValue(word, out SourcePosition first))
        {
            ThrowConflict($"{word} section", $"{name}:{word}", position, first);
        }

        sections.Seen[word] = position;
        switch (word)
        {
            case "protocol":
                ParseOptionValue(sections.Net, OptionTable.Find(OptionSection.Net, word)!, position);
                break;
            case "syncer":
                ParseSyncer(sections);
                break;
            default:
                ParseOptions(OptionsOf(word));
                break;
        }

        return true;
    }

    public void ParseResourceBody(ResourceSyntax resource)
    {
        Expect('{');
        while (!TryTake('}'))
        {
            SourcePosition position = Lexer.Position;
            if (Lexer.Current.Kind == TokenKind.End)
            {
                Syntax.Warnings.Add(
                    $"{position}: the resource {resource.Name} of {resource.Position} is not closed by '}}'; "
                    + "is the file complete?");
                return;
            }

            ParseResourceStatement(resource, TakeKeyword("a statement of resource' or '}"), position);
        }
    }

    private void ParseResourceStatement(ResourceSyntax resource, string word, SourcePosition position)
    {
        switch (word)
        {
            case "on":
                ParseHost(resource, position);
                break;
            case "ignore-on":
                TakeValue("host name");
                Expect(';');
                Syntax.Warnings.Add($"{position}: 'ignore-on' has no effect any more; remove it.");
                break;
            case "disk" when !Lexer.Current.IsPunctuation('{'):
            case "volume" or "device" or "meta-disk" or "flexible-meta-disk":
                ParseVolumeStatement(resource.Volumes, word, position);
                break;
            default:
                if (!TryParseOptionSection(word, position))
                {
                    throw Unknown(position, word, "statement of a resource", ResourceWords);
                }

                break;
        }
    }

    private void ParseHost(ResourceSyntax resource, SourcePosition position)
    {
        var names = new List<string> { TakeValue("host name").Text };
        while (!Lexer.Current.IsPunctuation('{'))
        {
            names.Add(TakeValue("host name' or '{").Text);
        }

        if (names.Count > ConfigurationLimits.Hosts || resource.Hosts.Count == ConfigurationLimits.Hosts)
        {
            throw new ConfigurationException(
                position,
                $"more than {ConfigurationLimits.Hosts} hosts in resource {resource.Name}, or names of one host.");
        }

        foreach (HostSyntax other in resource.Hosts)
        {
            if (names.Find(other.Names.Contains) is { } twice)
            {
                ThrowConflict("host section", $"{resource.Name}:{twice}", position, other.Position);
            }
        }

        var host = new HostSyntax(names, position);
        resource.Hosts.Add(host);
        Expect('{');
        while (!TryTake('}'))
        {
            SourcePosition at = Lexer.Position;
            ParseHostStatement(host, TakeKeyword("a statement of on' or '}"), at);
        }
    }

    private void ParseHostStatement(HostSyntax host, string word, SourcePosition position)
    {
        switch (word)
        {
            case "address":
                if (host.Address is { } first)
                {
                    ThrowConflict("statement", "address", position, first.Position);
                }

                host.Address = new AddressParser(Lexer, Syntax).Parse(position);
                break;
            case "alternate-link-address":
                throw new ConfigurationException(
                    position,
                    "'alternate-link-address' is not supported: there is one address for each host. Remove it.");
            case "options":
                ParseOptions(host.Options);
                break;
            case "volume" or "device" or "disk" or "meta-disk" or "flexible-meta-disk":
                ParseVolumeStatement(host.Volumes, word, position);
                break;
            default:
                throw Unknown(position, word, "statement of an 'on' section", HostWords);
        }
    }

    private void ParseVolumeStatement(VolumeSet volumes, string word, SourcePosition position)
    {
        if (word == "volume")
        {
            ParseVolume(volumes, position);
            return;
        }

        if (volumes.HasExplicit)
        {
            throw Mixed(position);
        }

        volumes.ImplicitAt ??= position;
        if (!volumes.All.TryGetValue(0, out VolumeSyntax? volume))
        {
            volume = new VolumeSyntax(0, position);
            volumes.All.Add(0, volume);
        }

        ParseDiskStatement(volume, word, position);
    }

    private void ParseVolume(VolumeSet volumes, SourcePosition position)
    {
        int number = TakeInteger("volume number", 0, 65535);
        if (volumes.ImplicitAt is not null)
        {
            throw Mixed(position);
        }

        if (volumes.All.TryGetValue(number, out VolumeSyntax? first))
        {
            ThrowConflict("volume section", $"{name}/{number}", position, first.Position);
        }

        if (volumes.All.Count == ConfigurationLimits.Volumes)
        {
            throw new ConfigurationException(
                position, $"more than {ConfigurationLimits.Volumes} volumes in one section.");
        }

        volumes.HasExplicit = true;
        var volume = new VolumeSyntax(number, position);
        volumes.All.Add(number, volume);
        Expect('{');
        while (!TryTake('}'))
        {
            SourcePosition at = Lexer.Position;
            ParseDiskStatement(volume, TakeKeyword("device | disk | meta-disk' or '}"), at);
        }
    }

    private void ParseDiskStatement(VolumeSyntax volume, string word, SourcePosition position)
    {
        var parser = new VolumeParser(Lexer, Syntax);
        switch (word)
        {
            case "disk" when Lexer.Current.IsPunctuation('{'):
                ParseOptions(volume.DiskOptions);
                break;
            case "disk":
                Once(volume.Disk?.Position);
                volume.Disk = TakeValue("path of the backing device");
                Expect(';');
                break;
            case "device":
                Once(volume.Device?.Position);
                volume.Device = parser.ParseDevice(position);
                break;
            case "meta-disk" or "flexible-meta-disk":
                Once(volume.MetaDisk?.Position);
                volume.MetaDisk = parser.ParseMetaDisk(position, mayHaveIndex: word == "meta-disk");
                break;
            default:
                throw Unknown(
                    position, word, "statement of a volume", ["device", "disk", "meta-disk", "flexible-meta-disk"]);
        }

        void Once(SourcePosition? first)
        {
            if (first is { } at)
            {
                ThrowConflict("statement", word, position, at);
            }
        }
    }

    private OptionSet OptionsOf(string word) => word switch
    {
        "disk" => sections.Disk,
        "net" => sections.Net,
        "startup" => sections.Startup,
        "options" => sections.Options,
        _ => sections.Handlers,
    };

    private static ConfigurationException Mixed(SourcePosition position) => new(
        position,
        "one section cannot have both 'volume N { ... }' and device, disk or meta-disk outside of one; "
        + "put all of them into volume sections.");
}
