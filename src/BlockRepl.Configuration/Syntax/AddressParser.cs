namespace BlockRepl.Configuration.Syntax;

/// <summary>An address: <c>[FAMILY] A.B.C.D:PORT</c> or <c>ipv6 [A::B]:PORT</c>, as DRBD's tools take it.</summary>
internal sealed class AddressParser(Lexer lexer, ConfigurationSyntax syntax) : ParserBase(lexer, syntax)
{
    /// <summary>Up to the port; what ends the statement is the caller's.</summary>
    public AddressSyntax Parse(SourcePosition position)
    {
        string family = "ipv4";
        if (Lexer.Current.Kind == TokenKind.Word
            && Lexer.Current.Text is "ipv4" or "ipv6" or "ssocks" or "sdp" or "sci")
        {
            family = Lexer.Current.Text == "sci" ? "ssocks" : Lexer.Current.Text;
            Lexer.Advance();
        }

        string address = family == "ipv6" ? TakeIpv6() : TakeIpv4();
        Expect(':');
        string port = Lexer.Current.Text;
        TakeInteger("port", 1, 65535);
        return new AddressSyntax(family, address, port, position);
    }

    private string TakeIpv4()
    {
        Token token = Lexer.Current;
        if (token.IsPunctuation('['))
        {
            throw new ConfigurationException(
                Lexer.Position, "an IPv6 address needs the word ipv6: address ipv6 [ADDRESS]:PORT.");
        }

        if (token.Kind is TokenKind.Word or TokenKind.Quoted or TokenKind.Integer)
        {
            throw new ConfigurationException(
                Lexer.Position,
                $"'{Shorten(token.Text)}' is no IPv4 address; write four numbers of [0..255] with dots between "
                + "them and a port, such as 172.30.2.11:7788. Host names are not resolved.");
        }

        return token.Kind == TokenKind.Ipv4 ? TakeToken() : throw Unexpected("ipv4 | ipv6 | IPv4 address");
    }

    private string TakeIpv6()
    {
        SourcePosition position = Lexer.Position;
        if (!Lexer.Current.IsPunctuation('['))
        {
            throw Unexpected("[");
        }

        string inside = Lexer.TakeBracketed();
        int scopeAt = inside.IndexOf('%', StringComparison.Ordinal);
        string bare = scopeAt < 0 ? inside : inside[..scopeAt];
        bool valid = bare.AsSpan().Count(':') >= 2
            && !bare.Contains(":::", StringComparison.Ordinal)
            && !bare.AsSpan().ContainsAnyExcept(AddressCharacters)
            && (scopeAt < 0
                || (inside.Length > scopeAt + 1 && !inside.AsSpan(scopeAt + 1).ContainsAnyExcept(ScopeCharacters)));
        return valid
            ? inside
            : throw new ConfigurationException(
                position, $"'{Shorten(inside)}' is no IPv6 address; write address ipv6 [ADDRESS]:PORT.");
    }

    private static readonly System.Buffers.SearchValues<char> AddressCharacters =
        System.Buffers.SearchValues.Create("0123456789abcdefABCDEF:.");

    private static readonly System.Buffers.SearchValues<char> ScopeCharacters = System.Buffers.SearchValues.Create(
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-");
}
