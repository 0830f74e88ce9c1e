using System.Text;

namespace BlockRepl.Configuration.Syntax;

/// <summary>Cuts one file's text into tokens, on demand, one token ahead of the parser.</summary>
internal sealed class Lexer
{
    private readonly string _file;
    private readonly string _text;
    private int _position;
    private int _line = 1;

    public Lexer(string file, string text)
    {
        _file = file;
        _text = text;
        Current = Next();
    }

    /// <summary>The token to look at; nothing behind it has been read.</summary>
    public Token Current { get; private set; }

    public SourcePosition Position => new(_file, Current.Line);

    public void Advance() => Current = Next();

    /// <summary>
    /// With <see cref="Current"/> at an opening bracket: the text up to the closing one, which is taken too. An IPv6
    /// address is no sequence of words.
    /// </summary>
    public string TakeBracketed()
    {
        int start = _position;
        while (_position < _text.Length && _text[_position] is not (']' or '\n'))
        {
            _position++;
        }

        if (_position >= _text.Length || _text[_position] != ']'
            || _position - start > ConfigurationLimits.WordCharacters)
        {
            throw Error("a '[' is not closed by ']' on the same line; write addresses as ipv6 [ADDRESS]:PORT.");
        }

        string inside = _text[start.._position].Trim();
        _position++;
        Advance();
        return inside;
    }

    /// <summary>
    /// With <see cref="Current"/> at an opening brace: passes over everything up to its closing one; only braces,
    /// comments and strings count. False if there is none.
    /// </summary>
    public bool TrySkipBlock()
    {
        for (int depth = 1; depth > 0; _position++)
        {
            SkipComment();
            if (_position >= _text.Length)
            {
                return false;
            }

            char c = _text[_position];
            if (c == '"')
            {
                SkipString();
                continue;
            }

            depth += c == '{' ? 1 : c == '}' ? -1 : 0;
            _line += c == '\n' ? 1 : 0;
        }

        Advance();
        return true;
    }

    /// <summary>To the second quote of a string, or before the end of a line that has none.</summary>
    private void SkipString()
    {
        for (_position++; _position < _text.Length && _text[_position] != '"'; _position++)
        {
            if (_text[_position] == '\n')
            {
                _position--;
                return;
            }

            _position += _text[_position] == '\\' ? 1 : 0;
        }
    }

    private Token Next()
    {
        SkipBlanks();
        if (_position >= _text.Length)
        {
            return new Token(TokenKind.End, "end of file", _line);
        }

        char first = _text[_position];
        if (first is '{' or '}' or ';' or '[' or ']' or ':')
        {
            _position++;
            return new Token(TokenKind.Punctuation, first.ToString(), _line);
        }

        return first == '"' ? TakeQuoted() : TakeWord();
    }

    private void SkipBlanks()
    {
        for (SkipComment(); _position < _text.Length; SkipComment())
        {
            char c = _text[_position];
            if (c is not (' ' or '\t' or '\r' or '\n'))
            {
                return;
            }

            _line += c == '\n' ? 1 : 0;
            _position++;
        }
    }

    /// <summary>Up to the end of the line, if a comment begins here.</summary>
    private void SkipComment()
    {
        if (_position < _text.Length && _text[_position] == '#')
        {
            int end = _text.IndexOf('\n', _position);
            _position = end < 0 ? _text.Length : end;
        }
    }

    private Token TakeQuoted()
    {
        var value = new StringBuilder();
        for (_position++; ; _position++)
        {
            if (_position >= _text.Length || _text[_position] == '\n')
            {
                throw Error("a string is not closed: the second '\"' is missing on this line.");
            }

            char c = _text[_position];
            if (c == '"')
            {
                _position++;
                return new Token(TokenKind.Quoted, value.ToString(), _line);
            }

            if (c == '\\' && _position + 1 < _text.Length && _text[_position + 1] != '\n')
            {
                c = _text[++_position];
            }

            value.Append(c);
            if (value.Length > ConfigurationLimits.QuotedCharacters)
            {
                throw Error($"a string is longer than {ConfigurationLimits.QuotedCharacters} characters; shorten it.");
            }
        }
    }

    private Token TakeWord()
    {
        int start = _position;
        while (_position < _text.Length && IsWordCharacter(_text[_position]))
        {
            _position++;
        }

        if (_position == start)
        {
            throw Error(
                $"{Describe(_text[start])} cannot stand here; put text with other characters than letters, digits, "
                + "/ . _ - into \"double quotes\".");
        }

        if (_position - start > ConfigurationLimits.WordCharacters)
        {
            throw Error(
                $"the word '{_text.Substring(start, 20)}...' is longer than {ConfigurationLimits.WordCharacters} "
                + "characters; shorten it or put it into \"double quotes\".");
        }

        string word = _text[start.._position];
        return new Token(Classify(word), word, _line);
    }

    private static TokenKind Classify(string word)
    {
        if (!char.IsAsciiDigit(word[0]))
        {
            return TokenKind.Word;
        }

        ReadOnlySpan<char> digits = word[^1] is 'M' or 'K' or 'G' or 's' ? word.AsSpan(0, word.Length - 1) : word;
        if (digits.Length is > 0 and <= 8 && !digits.ContainsAnyExceptInRange('0', '9'))
        {
            return TokenKind.Integer;
        }

        string[] groups = word.Length > 15 ? [] : word.Split('.');
        return groups.Length == 4 && Array.TrueForAll(groups, IsIpv4Group) ? TokenKind.Ipv4 : TokenKind.Word;
    }

    private static bool IsIpv4Group(string text) =>
        text.Length is >= 1 and <= 3 && !text.AsSpan().ContainsAnyExceptInRange('0', '9');

    private static bool IsWordCharacter(char c) => char.IsAsciiLetterOrDigit(c) || c is '/' or '.' or '_' or '-';

    private static string Describe(char c) =>
        c is > ' ' and < '\u007f' ? $"the character '{c}'" : $"the character U+{(int)c:X4}";

    private ConfigurationException Error(string reason) => new(new SourcePosition(_file, _line), reason);
}
