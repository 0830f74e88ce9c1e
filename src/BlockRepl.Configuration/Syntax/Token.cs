namespace BlockRepl.Configuration.Syntax;

/// <summary>What a <see cref="Token"/> is.</summary>
internal enum TokenKind
{
    End,

    /// <summary>A bare word; perhaps a keyword.</summary>
    Word,

    /// <summary>One to eight digits, perhaps with one of M, K, G, s. All other numbers are words.</summary>
    Integer,

    /// <summary>Four groups of one to three digits.</summary>
    Ipv4,

    /// <summary>A string in quotes, already without them; never a keyword.</summary>
    Quoted,

    /// <summary>One of <c>{ } ; [ ] :</c>.</summary>
    Punctuation,
}

/// <summary>One token with the line it starts on.</summary>
internal readonly record struct Token(TokenKind Kind, string Text, int Line)
{
    public bool IsWord(string text) => Kind == TokenKind.Word && Text == text;

    public bool IsPunctuation(char character) => Kind == TokenKind.Punctuation && Text[0] == character;
}
