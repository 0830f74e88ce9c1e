namespace BlockRepl.Configuration.Printing;

/// <summary>Words as they are written in drbd.conf.</summary>
internal static class TextWords
{
    private static readonly System.Buffers.SearchValues<char> Bare = System.Buffers.SearchValues.Create(
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/._-");

    /// <summary>As it is, or in quotes if it has to be.</summary>
    public static string Quote(string text) => text.Length > 0 && !text.AsSpan().ContainsAnyExcept(Bare)
        ? text
        : $"\"{text.Replace("\\", "\\\\", StringComparison.Ordinal).Replace("\"", "\\\"", StringComparison.Ordinal)}\"";

    public static string QuoteAll(IEnumerable<string> words) => string.Join(' ', words.Select(Quote));
}
