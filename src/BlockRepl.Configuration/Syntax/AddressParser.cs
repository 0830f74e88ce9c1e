using System.Globalization;
using System.Net;
using System.Net.Sockets;
using BlockRepl.Configuration.Options;

namespace BlockRepl.Configuration.Syntax;

/// <summary>The address statement.</summary>
internal sealed class AddressParser(Lexer lexer, ConfigurationSyntax syntax) : ParserBase(lexer, syntax)
{
    public AddressSyntax Parse(SourcePosition position)
    {
        bool ipv6 = false;
        if (Lexer.Current.Kind == TokenKind.Word
            && Lexer.Current.Text is "ipv4" or "ipv6" or "ssocks" or "sdp" or "sci")
        {
            ipv6 = Lexer.Current.Text == "ipv6";
            if (Lexer.Current.Text is "ssocks" or "sdp" or "sci")
            {
                throw new ConfigurationException(
                    Lexer.Position,
                    $"'{Lexer.Current.Text}' addresses need special hardware and are not supported; use ipv4 or ipv6.");
            }

            Lexer.Advance();
        }

        string address = ipv6 ? TakeIpv6() : TakeIpv4();
        Expect(':');
        int port = TakeInteger("port", 1, 65535);
        Expect(';');
        return new AddressSyntax(ipv6, address, port, position);
    }

    private string TakeIpv4()
    {
        SourcePosition position = Lexer.Position;
        if (Lexer.Current.IsPunctuation('['))
        {
            throw new ConfigurationException(
                position, "an IPv6 address needs the word ipv6: address ipv6 [ADDRESS]:PORT.");
        }

        string text = TakeValue("IPv4 address").Text;
        return TryParseIpv4(text, out string address)
            ? address
            : throw new ConfigurationException(
                position,
                $"'{OptionReader.Shorten(text)}' is no IPv4 address; write four numbers of [0..255] with dots between "
                + "them and a port, such as 172.30.2.11:7788. Host names are not resolved.");
    }

    private static bool TryParseIpv4(string text, out string address)
    {
        address = "";
        Span<int> groups = stackalloc int[4];
        string[] parts = text.Length > 15 ? [] : text.Split('.');
        if (parts.Length != 4)
        {
            return false;
        }

        for (int i = 0; i < 4; i++)
        {
            if (parts[i].Length is 0 or > 3
                || !int.TryParse(parts[i], NumberStyles.None, CultureInfo.InvariantCulture, out groups[i])
                || groups[i] > 255)
            {
                return false;
            }
        }

        address = string.Create(CultureInfo.InvariantCulture, $"{groups[0]}.{groups[1]}.{groups[2]}.{groups[3]}");
        return true;
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
        string scope = scopeAt < 0 ? "" : inside[scopeAt..];
        bool valid = bare.Contains(':', StringComparison.Ordinal)
            && IPAddress.TryParse(bare, out IPAddress? parsed)
            && parsed.AddressFamily == AddressFamily.InterNetworkV6
            && (scope.Length == 0
                || (scope.Length is > 1 and <= 16 && scope.AsSpan(1).IndexOfAnyExcept(ScopeCharacters) < 0));
        return valid
            ? bare + scope
            : throw new ConfigurationException(
                position, $"'{OptionReader.Shorten(inside)}' is no IPv6 address; write address ipv6 [ADDRESS]:PORT.");
    }

    private static readonly System.Buffers.SearchValues<char> ScopeCharacters = System.Buffers.SearchValues.Create(
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-");
}
