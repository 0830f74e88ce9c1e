using BlockRepl.Configuration.Options;

namespace BlockRepl.Configuration.Syntax;

/// <summary>The host sections: on, floating, stacked-on-top-of.</summary>
internal sealed class HostParser(Lexer lexer, ConfigurationSyntax syntax, ResourceSyntax resource)
    : ParserBase(lexer, syntax)
{
    private static readonly string[] Statements =
    [
        "address", "alternate-link-address", "device", "disk", "meta-disk", "flexible-meta-disk", "volume", "options",
        "proxy",
    ];

    private readonly OptionSectionParser _options = new(lexer, syntax);

    /// <summary>From behind the word that begins the section.</summary>
    public void Parse(string word, SourcePosition position)
    {
        HostSyntax host = TakeHead(word, position);
        foreach (string name in host.Kind == HostKind.On ? host.Names : [])
        {
            Once(resource.Seen, "host section", $"{resource.Name}: on {name}", position);
        }

        resource.Hosts.Add(host);
        if (host.Kind == HostKind.Floating && TryTake(';'))
        {
            return;
        }

        var volumes = new VolumeParser(Lexer, Syntax, host.Volumes, $"{resource.Name}:{host.Title}");
        Expect('{');
        while (!TryTake('}'))
        {
            SourcePosition at = Lexer.Position;
            ParseStatement(host, volumes, TakeKeyword("a statement of the host section' or '}"), at);
        }
    }

    private HostSyntax TakeHead(string word, SourcePosition position)
    {
        switch (word)
        {
            case "on":
                return new HostSyntax(HostKind.On, TakeNames('{'), position);
            case "floating":
                AddressSyntax address = new AddressParser(Lexer, Syntax).Parse(position);
                return new HostSyntax(HostKind.Floating, [address.ToString()], position) { Address = address };
            case "stacked-on-top-of":
                string lower = TakeString("resource name").Text;
                return new HostSyntax(HostKind.Stacked, [], position) { StackedOn = lower };
            default:
                // What drbdsetup shows of a running resource.
                return new HostSyntax(HostKind.On, [word], position);
        }
    }

    private void ParseStatement(HostSyntax host, VolumeParser volumes, string word, SourcePosition position)
    {
        if (host.Kind == HostKind.Stacked && word is "disk" or "meta-disk" or "flexible-meta-disk" or "options")
        {
            throw Unknown(
                position, word, "statement of a 'stacked-on-top-of' section, whose disk is the lower resource",
                ["device", "address", "alternate-link-address", "volume", "proxy"]);
        }

        switch (word)
        {
            case "address" when host.Kind == HostKind.Floating:
                throw new ConfigurationException(
                    position, "a floating section has its address behind the word 'floating'; remove this one.");
            case "address":
                OnceInHost(host, word, position);
                host.Address = TakeAddress(position);
                break;
            case "alternate-link-address":
                OnceInHost(host, word, position);
                host.AlternateAddress = TakeAddress(position);
                break;
            case "options":
                host.Options = new OptionSet(OptionSection.Options);
                _options.Parse(host.Options);
                break;
            case "proxy":
                ParseProxy(host, position);
                break;
            case "volume":
                volumes.ParseExplicit(position);
                break;
            case "device" or "disk" or "meta-disk" or "flexible-meta-disk":
                OnceInHost(host, word == "flexible-meta-disk" ? "meta-disk" : word, position);
                volumes.ParseImplicit(word, position);
                break;
            default:
                throw Unknown(position, word, "statement of a host section", Statements);
        }
    }

    private void OnceInHost(HostSyntax host, string word, SourcePosition position) =>
        Once(host.Seen, $"{word} statement", $"{resource.Name}:{host.Title}:{word}", position);

    private AddressSyntax TakeAddress(SourcePosition position)
    {
        AddressSyntax address = new AddressParser(Lexer, Syntax).Parse(position);
        Expect(';');
        return address;
    }

    private void ParseProxy(HostSyntax host, SourcePosition position)
    {
        OnceInHost(host, "proxy", position);
        if (TakeKeyword("on") != "on")
        {
            throw new ConfigurationException(position, "write proxy on HOST { inside ...; outside ...; }.");
        }

        var proxy = new ProxySyntax(TakeNames('{'), position);
        host.Proxy = proxy;
        Expect('{');
        while (!TryTake('}'))
        {
            SourcePosition at = Lexer.Position;
            string word = TakeKeyword("inside | outside | options' or '}");
            switch (word)
            {
                case "inside":
                    proxy.Inside = TakeAddress(at);
                    break;
                case "outside":
                    proxy.Outside = TakeAddress(at);
                    break;
                case "options":
                    proxy.Options = new OptionSet(OptionSection.Proxy);
                    _options.Parse(proxy.Options);
                    break;
                default:
                    throw Unknown(at, word, "statement of a proxy section", ["inside", "outside", "options"]);
            }
        }

        if (proxy.Inside is null || proxy.Outside is null)
        {
            throw new ConfigurationException(
                position, $"'{(proxy.Inside is null ? "inside" : "outside")}' keyword missing in the proxy section.");
        }
    }
}
